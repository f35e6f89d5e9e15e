"""A recipe at int8 is the one at float32 with what names its model, and nothing else is lost."""

from dataclasses import replace

from stores.int8_recipes import ARGUMENTS, at_float32, at_int8, model_named_by
from tests.support.samples import RECIPE

NAMED = tuple(zip(ARGUMENTS, ("keys", "graph", "3.4.0"), strict=True))


def test_a_recipe_at_int8_goes_back_to_float32():
    own = replace(RECIPE, backbone_arguments=(("width", 2),))
    made = at_int8(own, NAMED)
    assert (made.compute_precision, made.backbone) == ("int8", own.backbone)
    assert model_named_by(made) == dict(NAMED)
    assert at_float32(made) == own


def test_other_recipes_name_no_model():
    assert model_named_by(replace(RECIPE, backbone_arguments=(("layers", [1, [2]]),))) == {}
