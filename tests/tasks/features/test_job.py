"""What a person asks for becomes recipes: everything that decides a value is in them."""

import json
from dataclasses import fields, replace

import pytest

from tasks.errors import InputError
from tasks.features.job import make_job
from tests.support.extraction import REQUEST


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
    only_at_int8 = {"dataset"}
    possible = {field.name for field in fields(REQUEST)} - only_at_int8
    assert {name for asked in tried for name in asked} == possible


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
