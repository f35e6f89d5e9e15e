"""The engine of a quantised model runs what was kept, and refuses what computes otherwise."""

from dataclasses import replace

import numpy as np
import pytest

from stores.errors import CorruptStore, NotInStore
from stores.layout import locate
from stores.quantized import MODEL, PROBE, Asked, find_kept, keeping
from tasks.errors import ExtractionError
from tasks.execution.quiet_openvino import ov
from tasks.features.agreement import COMPARED_ROWS
from tasks.features.engines.int8_engine import INT8_ROWS_AT_ONCE, Int8Engine
from tasks.features.engines.keras_engine import KerasEngine
from tasks.features.engines.openvino_engine import at_once
from tasks.features.engines.verified import trusted_engine
from tasks.features.job import make_job
from tests.support.extraction import REQUEST
from tests.support.quantized import GATE, MADE, named_by

LENET = replace(REQUEST, backbone="lenet5", image_size=32)


@pytest.fixture(scope="module")
def graph():
    """A model that is not quantised: an engine runs whatever model was kept."""
    return at_once(KerasEngine(make_job(LENET, store="unused", engine="keras")), rows=1)


def job_with(graph, store, probed=None):
    """Return the job of a recipe whose model is kept with these rows of the probe."""
    job = make_job(LENET, store=store, engine="openvino")
    (recipe,), root = job.recipes, locate(store)
    rows = Int8Engine.of(graph.clone(), recipe).probed(recipe) if probed is None else probed
    asked = Asked(recipe.fingerprint, "photos")
    with keeping(root, asked, made=MADE, gate=GATE) as draft:
        ov.save_model(graph, draft / MODEL, compress_to_fp16=False)
        np.save(draft / PROBE, rows)
    return replace(job, recipes=(named_by(find_kept(root, asked), recipe),))


def test_the_kept_model_is_run_without_keras(graph, tmp_path):
    job = job_with(graph, tmp_path)
    engine = trusted_engine(job)
    assert isinstance(engine, Int8Engine)
    assert engine.take_checked() == COMPARED_ROWS
    assert engine.producer["agreement"]["precision"] == "int8"
    pixels = np.random.default_rng(0).uniform(0, 255, (INT8_ROWS_AT_ONCE + 3, 32, 32, 3))
    pixels = pixels.astype(np.float32)
    (rows,) = engine.compute(pixels)
    (expected,) = KerasEngine(make_job(LENET, store="unused", engine="keras")).compute(pixels)
    assert np.abs(rows - expected).max() <= 2e-5 * np.abs(expected).max()


def test_a_machine_that_computes_other_features_is_refused(graph, tmp_path):
    rows = np.random.default_rng(0).uniform(0, 1, (COMPARED_ROWS, 16)).astype(np.float32)
    with pytest.raises(ExtractionError, match=r"other features here than where it was made: mean"):
        Int8Engine(job_with(graph, tmp_path, rows))


def test_rows_of_another_shape_are_refused(graph, tmp_path):
    with pytest.raises(ExtractionError, match=r"features of shape \(16,\), expected \(3,\)"):
        Int8Engine(job_with(graph, tmp_path, np.ones((COMPARED_ROWS, 3), np.float32)))


@pytest.mark.parametrize("content", [b"", b"PK\3\4", b"\x93NUMPY\1\0\2\0{}"])
def test_what_has_no_rows_is_damage(graph, tmp_path, content):
    job = make_job(LENET, store=tmp_path, engine="openvino")
    asked = Asked(job.recipes[0].fingerprint, "photos")
    with keeping(job.store, asked, made=MADE, gate=GATE) as draft:
        ov.save_model(graph, draft / MODEL)
        (draft / PROBE).write_bytes(content)
    named = named_by(find_kept(job.store, asked), job.recipes[0])
    with pytest.raises(CorruptStore, match=r"probe.npy: the quantised model is damaged: it has no"):
        Int8Engine(replace(job, recipes=(named,)))


def test_rows_that_are_all_alike_are_refused(graph):
    recipe = make_job(LENET, store="unused", engine="keras").recipes[0]
    engine = Int8Engine.of(graph.clone(), recipe)
    engine.compute = lambda pixels: [np.ones((len(pixels), 16), np.float32)]
    with pytest.raises(ExtractionError, match="the same features of different photographs"):
        engine.probed(recipe)


def test_rows_that_depend_on_their_places_are_refused(graph):
    recipe = make_job(LENET, store="unused", engine="keras").recipes[0]
    engine = Int8Engine.of(graph.clone(), recipe)
    whole = engine.compute
    engine.compute = lambda pixels: [whole(pixels)[0] * np.arange(1, len(pixels) + 1)[:, None]]
    with pytest.raises(ExtractionError, match="other rows at other places of a batch"):
        engine.probed(recipe)


def test_a_model_that_is_not_there_is_named(graph, tmp_path):
    job = job_with(graph, tmp_path / "one")
    with pytest.raises(NotInStore, match="its quantised model is not in"):
        Int8Engine(replace(job, store=locate(tmp_path / "two")))


@pytest.mark.parametrize("content", [b"", b"<net>", b"<?xml version='1.0'?><net></net>", "two"])
def test_what_is_no_model_is_damage(graph, tmp_path, content):
    job = make_job(LENET, store=tmp_path, engine="openvino")
    asked = Asked(job.recipes[0].fingerprint, "photos")
    with keeping(job.store, asked, made=MADE, gate=GATE) as draft:
        (draft / "model.bin").write_bytes(b"")
        if content == "two":
            both = graph.clone()
            both.add_outputs(both.get_ops()[-3].output(0))
            ov.save_model(both, draft / MODEL)
        else:
            (draft / MODEL).write_bytes(content)
        np.save(draft / PROBE, np.ones((1, 1)))
    named = named_by(find_kept(job.store, asked), job.recipes[0])
    with pytest.raises(CorruptStore, match="the quantised model is damaged"):
        Int8Engine(replace(job, recipes=(named,)))
