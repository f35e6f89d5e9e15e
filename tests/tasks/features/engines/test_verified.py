"""OpenVINO computes only what agrees with Keras; where it does not, or fails, Keras does."""

import json
import logging
import shutil
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from stores import FeatureStore, StoreFull
from tasks.errors import ExtractionError, InputError
from tasks.features.agreement import COMPARED_ROWS, agreement
from tasks.features.engines import load_engine
from tasks.features.engines.choice import WORTH_CONVERTING, choose_engine
from tasks.features.engines.openvino_engine import OpenVinoEngine, is_kept
from tasks.features.engines.verified import trusted_engine
from tasks.features.job import make_job
from tests.support.extraction import REQUEST, extract, write_folder, write_image
from tests.support.samples import flip

# Converted in a second; what larger networks agree to is in test_engines.
LENET = replace(REQUEST, backbone="lenet5", image_size=32, weights_seed=3)


def job_of(store, engine="openvino", **asked):
    return make_job(replace(LENET, **asked), store=store, engine=engine)


def some_pixels(count, side=32, seed=0):
    return np.random.default_rng(seed).uniform(0, 255, (count, side, side, 3)).astype(np.float32)


def engine_of(store, **asked):
    """Return the engine as a new process would build it."""
    return trusted_engine(job_of(store, **asked))


def test_a_model_that_cannot_be_kept_computes_all_the_same(tmp_path, monkeypatch, caplog):
    def refuse(*_):
        raise StoreFull("no space")

    monkeypatch.setattr(OpenVinoEngine, "keep", refuse)
    engine = engine_of(tmp_path)
    with caplog.at_level(logging.WARNING, "gargalo.extract"):
        (rows,) = engine.compute(some_pixels(5))
    assert engine.name == "openvino"
    assert len(rows) == 5
    assert "the converted model cannot be stored: no space" in caplog.text


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A store with a converted model that was found to agree."""
    store = tmp_path_factory.mktemp("kept")
    engine = engine_of(store)
    engine.compute(some_pixels(20))
    assert engine.take_checked() == COMPARED_ROWS
    return store


@pytest.mark.parametrize("count", [1, 2, 40])
def test_rows_are_those_of_keras(kept, count):
    pixels = some_pixels(count, seed=count)
    (expected,) = load_engine(job_of(kept, "keras")).compute(pixels)
    (actual,) = engine_of(kept).compute(pixels)
    assert agreement(expected, actual).within_tolerance
    assert not agreement(expected, np.roll(actual, 1, axis=-1)).within_tolerance


def test_several_taps_keep_their_order(tmp_path):
    later = (f"conv_pw_{number}_relu" for number in range(12, 3, -1))
    taps = ("conv_pw_3_relu", "output", *later, "conv1_relu")
    asked = {"backbone": "mobilenet", "taps": taps, "pooling": "none"}
    engine = engine_of(tmp_path, **asked)
    expected = load_engine(job_of(tmp_path, "keras", **asked)).compute(some_pixels(2))
    for one, other in zip(expected, engine.compute(some_pixels(2)), strict=True):
        assert agreement(one, other).within_tolerance
    assert engine.feature_shapes == tuple(rows.shape[1:] for rows in expected)
    assert engine.name == "openvino"


def test_a_kept_model_is_trusted_and_needs_no_keras_model(kept, monkeypatch):
    monkeypatch.setattr("tasks.features.engines.openvino_engine.KerasEngine", None)
    engine = engine_of(kept)
    assert engine.name == "openvino"
    assert len(engine.compute(some_pixels(3))[0]) == 3
    assert engine.take_checked() == 0


def test_the_shard_says_how_well_it_agreed(kept):
    figures = engine_of(kept).producer["agreement"]
    assert 0 <= figures["largest_difference"] <= figures["tolerance"] == 2e-5
    assert figures["smallest_cosine"] >= 0.99999
    assert figures["rows"] == COMPARED_ROWS


def test_what_disagrees_is_dropped_and_keras_takes_over(tmp_path, monkeypatch, caplog):
    compute = OpenVinoEngine.compute
    monkeypatch.setattr(
        OpenVinoEngine, "compute", lambda self, pixels: [r * 1.001 for r in compute(self, pixels)]
    )
    engine = engine_of(tmp_path)
    with caplog.at_level(logging.WARNING, "gargalo.extract"):
        (rows,) = engine.compute(some_pixels(4))
    assert (
        "OpenVINO differs from Keras on 16 photographs: largest difference 1.0e-03" in caplog.text
    )
    assert engine.name == engine.producer["engine"] == "keras"
    (expected,) = load_engine(job_of(tmp_path, "keras")).compute(some_pixels(4))
    assert agreement(expected, rows).within_tolerance
    assert not is_kept(job_of(tmp_path))


def test_what_cannot_be_converted_is_computed_by_keras(tiny, tmp_path, caplog):
    folder, store = write_folder(tmp_path / "pets"), tmp_path / "store"
    with caplog.at_level(logging.WARNING, "gargalo.extract"):
        done = extract(folder, store, engine="openvino")  # the diary is a Python function
    assert "OpenVINO cannot compute" in caplog.text
    assert logging.getLogger().isEnabledFor(logging.WARNING)  # its converter would say errors only
    assert done.computed == 20
    assert FeatureStore(store, done.job.recipes[0]).producers()[0]["engine"] == "keras"


@pytest.mark.parametrize("name", ["model.xml", "model.bin", "agreement.json"])
def test_a_damaged_model_is_converted_again(kept, tmp_path, caplog, name):
    store = shutil.copytree(kept, tmp_path / "store")
    (path,) = store.glob(f"engines/openvino/*/{name}")
    flip(path, path.stat().st_size // 2)
    with caplog.at_level(logging.WARNING, "gargalo.extract"):
        engine = engine_of(store)
    assert "is damaged" in caplog.text
    engine.compute(some_pixels(2))
    assert engine.take_checked() == COMPARED_ROWS
    assert is_kept(job_of(store))


@pytest.mark.parametrize("name", ["model.xml", "model.bin", "agreement.json"])
@pytest.mark.parametrize("put", [lambda path: None, lambda path: path.mkdir()])
def test_a_model_of_which_a_file_is_gone_is_converted_again(kept, tmp_path, name, put):
    store = shutil.copytree(kept, tmp_path / "store")
    (path,) = store.glob(f"engines/openvino/*/{name}")
    path.unlink()
    put(path)
    assert not is_kept(job_of(store))
    engine_of(store).compute(some_pixels(2))
    assert is_kept(job_of(store))
    assert engine_of(store).take_checked() == 0


def test_a_model_is_kept_for_exactly_this(kept):
    assert is_kept(job_of(kept))
    for asked in (
        {"weights_seed": 4},
        {"pooling": "max"},
        {"taps": ("c1",)},
        {"image_size": 64},
    ):
        assert not is_kept(job_of(kept, **asked))
    (about,) = kept.glob("engines/openvino/*/agreement.json")
    identity = json.loads(about.read_text())["identity"]
    assert {"versions", "instruction_set", "precision", "weights"} < identity.keys()


def test_what_is_only_looked_at_leaves_nothing_behind(tmp_path):
    assert not is_kept(job_of(tmp_path / "store"))
    assert not (tmp_path / "store").exists()


def test_precision_that_the_cpu_lacks_is_refused(tmp_path, monkeypatch):
    from tasks.execution.quiet_openvino import CORE

    known = CORE.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if "BF16" in known:
        pytest.skip("this CPU has bfloat16")
    with pytest.raises(InputError, match=r"--precision bfloat16: this CPU .* supports only"):
        engine_of(tmp_path, precision="bfloat16")


def test_at_bfloat16_gross_mistakes_are_found_and_keras_cannot_take_over(tmp_path, monkeypatch):
    monkeypatch.setattr("tasks.features.engines.openvino_engine.check_precision", lambda *_: None)
    compute = OpenVinoEngine.compute
    monkeypatch.setattr(
        OpenVinoEngine, "compute", lambda self, pixels: [-r for r in compute(self, pixels)]
    )
    with pytest.raises(ExtractionError, match="use --precision float32"):
        engine_of(tmp_path, precision="bfloat16").compute(some_pixels(4))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_whether_an_engine_is_trusted_does_not_hang_on_the_images_that_come_first(
    tmp_path, monkeypatch, precision
):
    monkeypatch.setattr("tasks.features.engines.openvino_engine.check_precision", lambda *_: None)
    figures = []
    for number, pixels in enumerate([np.zeros((1, 32, 32, 3), np.float32), some_pixels(20)]):
        engine = engine_of(tmp_path / str(number), precision=precision)
        engine.compute(pixels)
        figures.append(engine.producer["agreement"])
    assert figures[0] == figures[1]
    assert figures[0]["rows"] == COMPARED_ROWS


# Which engine it is where nobody says.


def test_auto_converts_only_for_many_images(tmp_path):
    job = job_of(tmp_path, "auto")
    assert choose_engine(job, WORTH_CONVERTING).engine == "openvino"
    assert choose_engine(job, WORTH_CONVERTING - 1).engine == "keras"


def test_auto_takes_what_is_converted_for_a_single_image(kept):
    assert choose_engine(job_of(kept, "auto"), 1).engine == "openvino"


def test_an_engine_that_is_named_is_taken(kept, tmp_path):
    assert choose_engine(job_of(kept, "keras"), 10**6).engine == "keras"
    assert choose_engine(job_of(tmp_path), 1).engine == "openvino"


def test_keras_has_no_bfloat16(tmp_path):
    with pytest.raises(InputError, match="--engine keras does not support --precision bfloat16"):
        choose_engine(job_of(tmp_path, "keras", precision="bfloat16"), 1)


def test_without_openvino_keras_computes(tmp_path, monkeypatch):
    monkeypatch.setattr("tasks.features.engines.choice.find_spec", lambda _: None)
    assert choose_engine(job_of(tmp_path, "auto"), 10**6).engine == "keras"
    with pytest.raises(InputError, match="not installed"):
        choose_engine(job_of(tmp_path), 1)


# Through the extraction.


def test_only_what_is_new_is_asked_of_the_engine(tmp_path, monkeypatch):
    folder, store, asked = write_folder(tmp_path / "pets"), tmp_path / "store", Counter()
    compute = OpenVinoEngine.compute

    def counted(self, pixels):
        asked.update(row.tobytes() for row in pixels)
        return compute(self, pixels)

    monkeypatch.setattr(OpenVinoEngine, "compute", counted)
    about = {"engine": "openvino", "backbone": "lenet5", "image_size": 32, "weights_seed": 5}
    first = extract(folder, store, **about, batch_size=8)
    assert (first.computed, first.checked) == (20, COMPARED_ROWS)
    assert (len(asked), asked.total()) == (20 + first.checked, 20 + first.checked)
    asked.clear()
    write_image(folder / "cats/new.png", seed=900)
    again = extract(folder, store, **about)
    assert (again.computed, again.checked, asked.total()) == (1, 0, 1)


def test_features_of_both_engines_are_one_recipe(tmp_path):
    folder, store = write_folder(tmp_path / "pets"), tmp_path / "store"
    about = {"backbone": "lenet5", "image_size": 32, "weights_seed": 6}
    by_keras = extract(folder, store, engine="keras", **about)
    assert extract(folder, store, engine="openvino", **about).computed == 0
    other = extract(folder, tmp_path / "other", engine="openvino", **about)
    result = agreement(by_keras.features(store), other.features(tmp_path / "other"))
    assert result.within_tolerance
