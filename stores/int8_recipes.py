"""Recipes at int8: what they say of their quantised model, and their forms at float32."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from stores.features.recipe import Recipe

# The digest of the images that it was calibrated on, its own, and NNCF's version.
ARGUMENTS = ("int8_calibration", "int8_model", "int8_nncf")


def at_float32(recipe: Recipe) -> Recipe:
    """Return the recipe at float32, of which a recipe at int8 is the quicker form."""
    others = tuple(pair for pair in recipe.backbone_arguments if pair[0] not in ARGUMENTS)
    return replace(recipe, compute_precision="float32", dtype="float32", backbone_arguments=others)


def at_int8(recipe: Recipe, arguments: Sequence[tuple[str, str]]) -> Recipe:
    """Return a recipe with its backbone quantised, of a model that these arguments name."""
    named = tuple(sorted((*recipe.backbone_arguments, *arguments)))
    return replace(recipe, compute_precision="int8", backbone_arguments=named)


def model_named_by(recipe: Recipe) -> dict[str, Any]:
    """Return what a recipe says of its quantised model; the values may be anything."""
    return {name: value for name, value in recipe.backbone_arguments if name in ARGUMENTS}
