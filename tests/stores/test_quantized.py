"""A quantised model is found by what asked for it and by its recipe, and never when it changed."""

import json
import shutil
from dataclasses import replace

import pytest

from stores.errors import CorruptStore, NotInStore
from stores.features.layers import remember_layers
from stores.layout import locate
from stores.quantized import (
    FILES,
    RECORD,
    Asked,
    find_kept,
    is_whole,
    named_model,
    unnamed_models,
)
from tests.support.quantized import GATE, MADE, keep, named_by
from tests.support.samples import FLOAT16, RECIPE, a_store

ASKED = Asked(RECIPE.fingerprint, "photos")


@pytest.fixture
def store(tmp_path):
    return locate(tmp_path / "store")


def test_a_kept_model_is_found_by_what_asked_for_it_and_by_its_recipe(store):
    kept = keep(store)
    assert (kept.asked, kept.gate, kept.made) == (ASKED, GATE, MADE)
    assert is_whole(kept.place)
    named = named_by(kept)
    assert named_model(store, named) == kept
    assert named.fingerprint != RECIPE.fingerprint


def test_the_first_that_was_kept_stays(store):
    first = keep(store)
    assert keep(store, content=b"other graph") == first
    assert first.read(FILES[0]) == b"graph"


@pytest.mark.parametrize(
    "other", [{"dataset": "others"}, {"recipe": replace(RECIPE, image_size=(64, 64))}]
)
def test_another_data_set_and_another_recipe_have_their_own(store, other):
    places = {keep(store).place.name, keep(store, **other).place.name}
    assert len(places) == 2


@pytest.mark.parametrize(
    "other", [{"content": b"other graph"}, {"made": replace(MADE, nncf="3.5.0")}]
)
def test_another_model_makes_another_recipe(store, tmp_path, other):
    first, second = keep(store), keep(tmp_path / "other", **other)
    assert named_by(first).fingerprint != named_by(second).fingerprint
    with pytest.raises(NotInStore, match="its quantised model is not in"):
        named_model(store, named_by(second))


def test_a_model_that_a_layer_has_is_found_by_its_recipe_alone(store, tmp_path):
    layer = tmp_path / "layer"
    a_store(layer)
    kept = keep(layer)
    remember_layers(store, [layer])
    assert named_model(store, named_by(kept)).gate == GATE
    assert find_kept(store, ASKED) is None  # it was measured on their images


def test_at_an_address_another_machine_finds_the_model(machine):
    kept = keep(machine())
    found = named_model(machine("other"), named_by(kept))
    assert found.read(FILES[1]) == b"graph"
    assert keep(machine("third"), content=b"other graph").sha256 == kept.sha256


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(b"else"), lambda p: p.unlink()])
def test_a_file_that_changed_is_not_read(store, name, damage):
    kept = keep(store)
    damage((kept.place / name).path)
    assert not is_whole(kept.place)
    with pytest.raises(
        CorruptStore, match=f"{name}: the quantised model is damaged: .*; bring its folder back"
    ):
        kept.read(name)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text.replace('"accuracy": 0.985', '"accuracy": 0.999'),
        lambda text: text.replace('"format": 1', '"format": 2'),
        lambda text: text[:-20],
        lambda text: "[]",
        lambda text: None,
        lambda text: json.dumps(json.loads(text) | {"gate": 3}),
    ],
)
def test_a_record_that_changed_is_named_and_no_other_model_takes_its_place(store, damage):
    """The kind: quantised again, good files of stored features would be replaced by others."""
    kept = keep(store)
    record = (kept.place / RECORD).path
    text = damage(record.read_text())
    record.unlink() if text is None else record.write_text(text)
    match = f"{RECORD}: the quantised model is damaged: .*; bring its folder back"
    with pytest.raises(CorruptStore, match=match):
        find_kept(store, ASKED)
    shutil.rmtree(kept.place.path)  # as the message says
    assert find_kept(store, ASKED) is None
    assert keep(store).gate == GATE


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, ""),
        ({"accuracy": 0.982}, ""),  # half a point is allowed
        ({"accuracy": 0.9815}, "loses 0.55 points of accuracy on 2000 train images"),
        ({"images": 156, "accuracy": 0.98059}, ""),  # so is one image
        ({"images": 156, "accuracy": 0.97}, "expected at most 0.64"),
        ({"speed": 196.0}, "not faster on this CPU"),
    ],
)
def test_the_gate_refuses_with_figures(changes, reason):
    refusal = replace(GATE, **changes).refusal
    assert reason in refusal
    assert bool(reason) == bool(refusal)


def test_a_model_that_no_features_are_of_is_garbage(store):
    used, unused = keep(store), keep(store, dataset="others", content=b"other graph")
    a_store(store, recipe=named_by(used))
    a_store(store, recipe=replace(named_by(used), backbone_arguments=(("alpha", []),)))  # absurd
    found = [garbage.place.name for garbage in unnamed_models(store, -1)]
    assert found == [unused.place.name]
    assert not list(unnamed_models(store, 3600))


def test_where_a_recipe_cannot_be_read_no_model_is_garbage(store, caplog):
    keep(store)
    a_store(store, recipe=FLOAT16)
    next(store.path.glob("features/*/recipe.json")).write_text("damaged")
    assert not list(unnamed_models(store, -1))
    assert "quantised models are all kept" in caplog.text
