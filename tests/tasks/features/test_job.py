"""What a person asks for becomes recipes: everything that decides a value is in them."""

import json
from dataclasses import fields, replace

import pytest

from tasks.errors import InputError
from tasks.features.job import job_of, make_job
from tasks.features.request import FeatureRequest
from tests.support.extraction import REQUEST
from tests.support.onnx_files import describe, network
from tests.support.quantized import GATE, keep


def recipe(**asked):
    (made,) = make_job(replace(REQUEST, **asked), store="unused", engine="keras").recipes
    return made


@pytest.mark.parametrize(
    "asked",
    [
        {"backbone": "mobilenet"},
        {"weights": __file__},
        {"image_size": 17},
        {"taps": ("first",)},
        {"pooling": "max"},
        {"pooling": "none"},
        {"dtype": "float16"},
        {"aspect_ratio": "crop"},
        {"aspect_ratio": "pad"},
        {"weights_seed": 1},
        {"decode": "fast"},
        {"precision": "bfloat16"},
    ],
    ids=str,
)
def test_all_that_is_asked_for_changes_the_fingerprint(tiny, asked):
    assert recipe(**asked).fingerprint != recipe().fingerprint
    assert recipe(**asked) == recipe(**asked)


def test_nothing_that_can_be_asked_for_is_left_untried():
    tried = test_all_that_is_asked_for_changes_the_fingerprint.pytestmark[0].args[1]
    only_at_int8, only_of_files = {"dataset"}, {"preset"}
    possible = {field.name for field in fields(REQUEST)} - only_at_int8 - only_of_files
    assert {name for asked in tried for name in asked} == possible


def of_file(path, preset=None):
    request = FeatureRequest(str(path), preset=preset)
    return make_job(request, store="unused", engine="auto").recipes[0]


def test_a_preset_changes_the_fingerprint_of_a_file_as_its_description_does(tiny, tmp_path):
    path = network(tmp_path / "m.onnx")
    raw, clip = of_file(path), of_file(path, "clip")
    assert clip.fingerprint != raw.fingerprint == of_file(path, "raw").fingerprint
    describe(path, 'preset = "clip"')
    assert (of_file(path), of_file(path, "raw")) == (clip, raw)
    with pytest.raises(InputError, match="--preset clip: it is for a file, and --backbone tiny ha"):
        recipe(preset="clip")


INT8 = {"precision": "int8", "dataset": "photos"}


def asked_at_int8(store, **asked):
    (made,) = make_job(replace(REQUEST, **INT8 | asked), store=store, engine="auto").recipes
    return made


def test_a_request_at_int8_names_the_model_that_is_kept_for_the_data_set(tiny, tmp_path):
    with pytest.raises(InputError, match=r"not quantised for data set 'photos' yet; extract first"):
        asked_at_int8(tmp_path)
    kept = keep(tmp_path, recipe=recipe())
    made = asked_at_int8(tmp_path)
    assert (made.compute_precision, set(kept.arguments) <= set(made.backbone_arguments)) == (
        "int8",
        True,
    )
    assert asked_at_int8(tmp_path, dtype="float16").dtype == "float16"  # by the same model
    assert made.fingerprint != recipe().fingerprint
    with pytest.raises(InputError, match="'others' yet"):
        asked_at_int8(tmp_path, dataset="others")


def test_a_model_that_its_gate_refuses_is_no_recipe(tiny, tmp_path):
    kept = keep(tmp_path, recipe=recipe(), gate=replace(GATE, accuracy=0.97))
    with pytest.raises(InputError, match=r"loses 1.70 points .* or float32; to measure it") as told:
        asked_at_int8(tmp_path)
    assert str(kept.place) in str(told.value)


def test_several_taps_at_int8_are_refused(tiny, tmp_path):
    with pytest.raises(InputError, match=r"expected one --tap, received 2: first, output"):
        asked_at_int8(tmp_path, taps=("first", "output"))


def test_the_job_of_a_stored_recipe_at_int8_is_made_for_other_images(tiny, tmp_path):
    keep(tmp_path, recipe=recipe())
    stored = asked_at_int8(tmp_path)
    assert job_of(stored, "none", store=tmp_path, engine="auto").recipes == (stored,)


def test_a_seed_is_of_untrained_weights_only(tiny):
    assert recipe(weights=__file__, weights_seed=1) == recipe(weights=__file__, weights_seed=0)


def test_the_native_size_may_be_said_or_not(tiny):
    assert recipe(image_size=None) == recipe(image_size=tiny.SIZE)
    assert recipe(backbone="xception").image_size == (299, 299)


def test_untrained_weights_are_named_by_seed_and_keras(tiny, monkeypatch):
    before = recipe()
    monkeypatch.setattr("tasks.backbones.weights.version", lambda name: f"another {name}")
    assert recipe().weights == "none:seed=0,keras=another keras"
    assert recipe().fingerprint != before.fingerprint


def test_the_backbones_arguments_and_preprocessing_are_in_the_recipe(tiny, monkeypatch):
    before = recipe()
    for change in ({"arguments": ()}, {"preprocessing": "x"}):
        monkeypatch.setitem(tiny_backbones(), "tiny", replace(tiny.TINY, **change))
        assert recipe().fingerprint != before.fingerprint


def tiny_backbones():
    from tasks.backbones.registry import BACKBONES

    return BACKBONES


def test_several_taps_are_recipes_that_differ_in_nothing_else(tiny):
    job = make_job(replace(REQUEST, taps=("first", "output")), store="unused", engine="keras")
    assert job.recipes == (recipe(taps=("first",)), recipe(taps=("output",)))


def test_a_tap_named_twice_is_refused(tiny):
    with pytest.raises(InputError, match=r"--tap first, output, first: a tap is repeated"):
        make_job(
            replace(REQUEST, taps=("first", "output", "first")), store="unused", engine="keras"
        )


def test_the_engine_changes_no_recipe(tiny):
    made = {make_job(REQUEST, store="unused", engine=name).recipes for name in ("auto", "openvino")}
    assert made == {(recipe(),)}


def test_a_recipe_is_one_line_of_json(tiny):
    assert json.loads(recipe().to_json())["backbone"] == "tiny"
    assert "\n" not in recipe().to_json()
