import json

import numpy as np
import pytest

from stores import CorruptStore, FeatureStore, NewerFormat, NotInStore, StoreError
from stores.features.layers import read_layers, remember_layers
from stores.layout import locate
from tests.support.samples import RECIPE, a_store, snapshot, some_keys


@pytest.fixture
def layer(tmp_path):
    a_store(tmp_path / "team")
    return tmp_path / "team"


def test_layers_are_remembered_until_others_are_said(tmp_path, layer):
    own = tmp_path / "own"
    assert read_layers(own) == ()
    remember_layers(own, [layer])
    before = snapshot(own)
    remember_layers(own, [layer])
    assert snapshot(own) == before
    assert read_layers(own) == (locate(layer),)
    remember_layers(own, [])
    assert read_layers(own) == ()


def test_a_layer_is_found_from_wherever_one_is(tmp_path, layer, monkeypatch):
    monkeypatch.chdir(tmp_path)
    remember_layers(tmp_path / "own", [layer.relative_to(tmp_path)])
    monkeypatch.chdir("/")
    assert read_layers(tmp_path / "own") == (locate(layer),)


def test_a_store_may_be_a_layer_before_it_has_features(tmp_path, machine):
    (tmp_path / "empty").mkdir()
    (tmp_path / "ingested" / "datasets").mkdir(parents=True)
    layers = (tmp_path / "empty", tmp_path / "ingested", machine())
    remember_layers(tmp_path / "own", layers)
    assert read_layers(tmp_path / "own") == tuple(map(locate, layers))
    own = FeatureStore(tmp_path / "own", RECIPE)
    assert own.missing(some_keys(6)).all()
    _, keys, rows = a_store(tmp_path / "empty")
    assert np.array_equal(own.read(keys), rows)


def test_what_is_no_layer_is_refused(tmp_path, layer):
    (tmp_path / "photos" / "cats").mkdir(parents=True)
    for name in ("nothing", "photos"):
        with pytest.raises(NotInStore, match=f"{name}: there is no store; .* or none"):
            remember_layers(tmp_path / "own", [tmp_path / name])
    with pytest.raises(StoreError, match="that is the store itself"):
        remember_layers(layer, [layer])
    assert not (tmp_path / "own").exists()


@pytest.mark.parametrize(
    ("content", "error", "told"),
    [
        ("{", CorruptStore, "say --read-through again"),
        ('{"format": 1}', CorruptStore, "say --read-through again"),
        ('{"format": "1", "layers": []}', CorruptStore, "say --read-through again"),
        ('{"format": 9, "layers": []}', NewerFormat, "of format version 9"),
        ('{"format": 9, "others": []}', NewerFormat, "of format version 9"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_by_name(tmp_path, content, error, told):
    (tmp_path / "layers.json").write_text(content)
    with pytest.raises(error, match=told):
        read_layers(tmp_path)


def test_a_layer_whose_mirror_is_newer_is_passed_over_by_name(tmp_path, machine, caplog):
    remember_layers(tmp_path / "own", [machine()])
    machine().refresh()
    (machine().path / "remote.json").write_text('{"format": 9}')
    assert FeatureStore(tmp_path / "own", RECIPE).missing(some_keys(6)).all()
    assert "remote.json: a mirror of format version 9" in caplog.text


def test_layers_are_a_few_dozen_at_most(tmp_path, layer):
    """The kind: a list of some MB in a store is a look at each of what it names."""
    own = tmp_path / "own"
    with pytest.raises(StoreError, match="--read-through: 65 stores, expected at most 64; merge"):
        remember_layers(own, [layer] * 65)
    own.mkdir()
    about = {"format": 1, "layers": [f"/none/{number}" for number in range(100_000)]}
    (own / "layers.json").write_text(json.dumps(about))
    with pytest.raises(CorruptStore, match="100000 layers, expected at most 64; say --read-thro"):
        read_layers(own)
