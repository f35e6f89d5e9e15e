"""A backbone is quantised once for a data set; what is kept is what is computed with."""

from dataclasses import replace

import numpy as np
import pytest

from stores import FeatureStore
from stores.layout import locate
from stores.quantized import PROBE
from tasks.datasets.ingest import ingest
from tasks.errors import InputError
from tasks.features.agreement import agreement
from tasks.features.engines.int8_engine import Int8Engine, kept_graph
from tasks.features.job import make_job
from tasks.quantization import quantize
from tests.support.extraction import REQUEST, extract_from, write_folder

LENET = replace(REQUEST, backbone="lenet5", image_size=32, precision="int8", dataset="photos")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("images") / "photos", count=60)


@pytest.fixture(scope="module")
def made(photos, tmp_path_factory):
    """A store with a quantised model, its data set, and the model.

    A tiny network is not faster at int8: that is why its speed is not measured.
    """
    pytest.importorskip("tasks.execution.quiet_nncf", reason="needs the extra int8")
    store = locate(tmp_path_factory.mktemp("made"))
    manifest = ingest(photos, store=store).manifest
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tasks.quantization.gate.speeds_in_turn", lambda *_: [1.0, 2.0])
        return store, manifest, quantize.quantize(manifest, LENET, store=store)


def test_the_model_is_quantised_and_near_float32(made):
    _, manifest, model = made
    kinds = {node.get_type_name() for node in kept_graph(model).get_ops()}
    assert "FakeQuantize" in kinds
    assert 0 < model.gate.mean_difference < 0.3
    assert model.gate.images == model.made.images == len(manifest.select("train").keys)


def test_it_is_made_once_whichever_images_are_added(made, photos, monkeypatch):
    store, manifest, model = made
    assert quantize.is_quantized(manifest, LENET, store=store)
    monkeypatch.setattr(quantize, "quantized_graph", None)  # is not called
    fewer = replace(manifest, rows=manifest.rows.slice(0, 20))
    assert quantize.quantize(fewer, LENET, store=store) == model


def test_made_again_from_the_same_images_its_gate_is_nearly_the_same(
    made, photos, tmp_path, monkeypatch
):
    _, _, model = made
    monkeypatch.setattr("tasks.quantization.gate.speeds_in_turn", lambda *_: [1.0, 2.0])
    manifest = ingest(photos, store=tmp_path).manifest
    again = quantize.quantize(manifest, LENET, store=tmp_path)
    assert again.made == model.made
    assert again.gate.mean_difference == pytest.approx(model.gate.mean_difference, rel=0.1)


def test_features_are_extracted_by_the_kept_model(made):
    store, manifest, model = made
    done = extract_from(manifest, store, engine="auto", **vars(LENET))
    assert done.computed == len(manifest.select().keys)
    (recipe,) = done.job.recipes
    rows = FeatureStore(store, recipe).read(manifest.select("train").keys)
    plain = extract_from(
        manifest, store, engine="openvino", **vars(LENET) | {"precision": "float32"}
    )
    expected = FeatureStore(store, plain.job.recipes[0]).read(manifest.select("train").keys)
    found = agreement(expected, rows, precision="int8")
    assert found.mean_difference == pytest.approx(model.gate.mean_difference, rel=0.2)
    assert extract_from(manifest, store, engine="auto", **vars(LENET)).computed == 0


def test_the_probe_is_of_the_kept_model(made):
    store, _, model = made
    (recipe,) = make_job(LENET, store=store, engine="auto").recipes
    rows = Int8Engine.of(kept_graph(model), recipe).probed(recipe)
    kept = np.load((model.place / PROBE).path)
    assert np.array_equal(rows, kept)


def test_a_model_that_is_not_faster_is_kept_with_the_verdict(photos, tmp_path, monkeypatch):
    pytest.importorskip("tasks.execution.quiet_nncf", reason="needs the extra int8")
    monkeypatch.setattr("tasks.quantization.gate.speeds_in_turn", lambda *_: [2.0, 1.0])
    manifest = ingest(photos, store=tmp_path).manifest
    refused = quantize.quantize(manifest, LENET, store=tmp_path)
    assert "not faster on this CPU (1 images/s, float32 2)" in refused.gate.refusal
    with pytest.raises(InputError, match="not faster on this CPU"):
        make_job(LENET, store=tmp_path, engine="auto")


def test_without_nncf_the_extra_is_named(photos, tmp_path, monkeypatch):
    def missing():
        raise ImportError("No module named 'nncf'")

    monkeypatch.setattr(quantize, "_nncf", missing)
    manifest = ingest(photos, store=tmp_path).manifest
    with pytest.raises(InputError, match=r"NNCF is not installed .*pip install 'gargalo\[int8\]'"):
        quantize.quantize(manifest, LENET, store=tmp_path)


def test_several_taps_are_refused_before_anything_is_computed(photos, tmp_path):
    manifest = ingest(photos, store=tmp_path).manifest
    with pytest.raises(InputError, match="expected one --tap"):
        quantize.quantize(manifest, replace(LENET, taps=("a", "b")), store=tmp_path)
