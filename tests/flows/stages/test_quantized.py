"""int8 by the commands' functions: quantised once, then trained, swept, predicted and refused."""

import shutil

import pytest

import gargalo
from flows.text.datasets import extract_text
from tests.support.extraction import write_folder, write_image

SMALL = {"backbone": "lenet5", "weights": "none", "image_size": 32, "precision": "int8"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with `photos`, its store, and what the first extraction returned."""
    pytest.importorskip("tasks.execution.quiet_nncf", reason="needs the extra int8")
    folder = tmp_path_factory.mktemp("int8")
    write_folder(folder / "photos", count=60)
    with pytest.MonkeyPatch.context() as patch:
        # A tiny network is not faster at int8.
        patch.setattr("tasks.quantization.gate.speeds_in_turn", lambda *_: [1.0, 2.0])
        first = gargalo.extract(folder / "photos", store=folder / "store", **SMALL)
    return folder, first


@pytest.fixture
def store(made, tmp_path):
    """A copy of that store; its data set leads to the photos of the first."""
    return shutil.copytree(made[0] / "store", tmp_path / "store")


def test_the_first_extraction_tells_what_int8_costs(made):
    _, first = made
    assert (first.computed, first.engine) == (60, "openvino")
    assert first.int8.speed == 2.0
    assert first.recipes[0].recipe.compute_precision == "int8"
    text = extract_text(first)
    assert "agrees with the quantised model as it was kept on 16 photographs" in text
    assert "int8: accuracy of a logistic head by folds" in text


def test_all_that_comes_after_finds_the_same_model(made, store, tmp_path):
    again = gargalo.extract("photos", store=store, **SMALL)
    assert (again.computed, again.cached, again.fingerprint) == (0, 60, made[1].fingerprint)
    trained = gargalo.train("photos", store=store, head="ridge", **SMALL)
    swept = gargalo.sweep("photos", store=store, head="ridge", grid={"penalty": [1, 10]}, **SMALL)
    assert swept.failed == 0
    new = write_image(tmp_path / "new.png", 999)
    told = gargalo.predict(trained.run, new, store=store)
    assert (told.computed, told.rejected) == (1, 0)
    plain = gargalo.extract("photos", store=store, **SMALL | {"precision": "float32"})
    assert plain.fingerprint != again.fingerprint
    assert plain.int8 is None


def test_new_images_are_computed_by_the_model_that_is_kept(made, tmp_path):
    folder = shutil.copytree(made[0] / "photos", tmp_path / "photos")
    store = tmp_path / "store"
    shutil.copytree(made[0] / "store", store)
    for number in range(3):
        write_image(folder / "cats" / f"new{number}.png", 500 + number)
    told = gargalo.extract(folder, store=store, dataset="photos", **SMALL)
    assert (told.computed, told.fingerprint) == (3, made[1].fingerprint)


def test_a_store_that_is_merged_has_the_features_and_their_model(made, tmp_path):
    first = gargalo.extract("photos", store=made[0] / "store", **SMALL)
    run = gargalo.train("photos", store=made[0] / "store", head="ridge", **SMALL).run
    own = tmp_path / "own"
    told = gargalo.maintain("merge", store=own, other=made[0] / "store")
    assert told.merge.quantized == 1
    assert gargalo.extract("photos", store=own, **SMALL).fingerprint == first.fingerprint
    assert gargalo.predict(run, write_image(tmp_path / "a.png", 5), store=own).rejected == 0


def test_the_exported_model_has_the_quantised_backbone(made, store, tmp_path):
    run = gargalo.train("photos", store=store, head="logistic", **SMALL).run
    done = gargalo.export(run, tmp_path / "model", store=store)
    assert list(done.models) == ["openvino"]
    assert done.models["openvino"].precision == "int8"
    assert "pooling avg, quantised to int8; weights" in (tmp_path / "model/README.md").read_text()
    graph = (tmp_path / "model/model.xml").read_text()
    assert "FakeQuantize" in graph
    images = [str(path) for path in (made[0] / "photos").glob("*/*0.png")]
    ours = gargalo.predict(run, images, store=store).predictions
    theirs = gargalo.predict(str(tmp_path / "model"), images, store=store).predictions
    expected = [one.probability for one in ours]
    assert [one.probability for one in theirs] == pytest.approx(expected, abs=0.05)


def test_what_int8_cannot_do_is_one_line(made, store):
    run = gargalo.train("photos", store=store, head="logistic", **SMALL).run
    refused = {
        "--engine keras does not support --precision int8": lambda: gargalo.extract(
            "photos", store=store, engine="keras", **SMALL
        ),
        "quantised to int8, which cannot be trained": lambda: gargalo.finetune(run, store=store),
        "--format keras, saved-model: .* only OpenVINO computes; use --format openvino": (
            lambda: gargalo.export(run, "model", store=store, format=["keras", "saved-model"])
        ),
        "expected one --tap": lambda: gargalo.extract(
            "photos", store=store, tap=["a", "b"], **SMALL
        ),
        "not quantised for data set 'photos' yet; extract first": lambda: gargalo.train(
            "photos", store=store, head="ridge", **SMALL | {"image_size": 48}
        ),
    }
    for reason, call in refused.items():
        with pytest.raises(gargalo.InputError, match=reason) as told:
            call()
        assert "\n" not in str(told.value)
