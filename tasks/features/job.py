"""From a request to the recipes, one per tap, without TensorFlow."""

import re

from stores.features.recipe import RECIPE_VERSION, Recipe
from stores.int8_recipes import at_float32, at_int8
from stores.layout import locate
from stores.quantized import Asked, Quantized, find_kept
from stores.storage.location import Location, StoreLike
from tasks.backbones.files.backbone import file_of_recipe, is_from_file, of_recipe
from tasks.backbones.files.named_files import is_backbone_file
from tasks.backbones.registry import find_backbone
from tasks.backbones.weights import find_weights
from tasks.errors import InputError, WeightsError
from tasks.features.engines import Job
from tasks.features.request import EngineChoice, FeatureRequest
from tasks.features.requested_backbone import requested_backbone


def make_job(request: FeatureRequest, *, store: StoreLike, engine: EngineChoice) -> Job:
    """Return the job that computes a request: a recipe for each tap, the weights, the engine.

    Raises InputError for an unknown backbone or a repeated tap, WeightsError for missing weights.
    """
    if len(set(request.taps)) != len(request.taps):
        raise InputError(f"--tap {', '.join(request.taps)}: a tap is repeated; give each once")
    check_int8(request)
    backbone = requested_backbone(request, store=store)
    recipes = tuple(
        Recipe(
            version=RECIPE_VERSION,
            backbone=backbone.name,
            backbone_arguments=backbone.arguments,
            weights=backbone.weights.digest,
            image_size=backbone.image_size,
            color_mode="rgb",
            interpolation=backbone.interpolation,
            aspect_ratio=backbone.aspect_ratio,
            decode=request.decode,
            preprocessing=backbone.preprocessing,
            tap=tap,
            pooling=request.pooling,
            compute_precision=request.precision,
            dtype=request.dtype,
            augmentation="none",
        )
        for tap in backbone.taps
    )
    if request.precision == "int8":
        recipes = (_quantized(recipes, request, locate(store)),)
    return Job(recipes=recipes, weights=backbone.weights, store=locate(store), engine=engine)


def asked_for(request: FeatureRequest, recipe: Recipe) -> Asked:
    """Return what a model is quantised for, by the request for features of this recipe."""
    return Asked(at_float32(recipe).fingerprint, request.dataset)


def _quantized(recipes: tuple[Recipe, ...], request: FeatureRequest, store: Location) -> Recipe:
    """Return the recipe with the kept model; raises InputError without one, or with a bad one."""
    (recipe,) = recipes
    kept = find_kept(store, asked_for(request, recipe))
    if kept is None:
        raise InputError(
            f"--precision int8: {recipe.backbone} is not quantised for data set "
            f"{request.dataset!r} yet; extract first, with the same flags"
        )
    check_gate(kept)
    return at_int8(recipe, kept.arguments)


def check_int8(request: FeatureRequest) -> None:
    """Raise InputError for what no model is quantised for: several taps, or a file."""
    if request.precision != "int8":
        return
    if is_backbone_file(request.backbone):
        raise InputError(
            f"--precision int8: --backbone {request.backbone} is a file, and only named backbones "
            "are quantised; use --precision bfloat16 or float32"
        )
    if len(request.taps) > 1:
        raise InputError(
            f"--precision int8: expected one --tap, received {len(request.taps)}: "
            f"{', '.join(request.taps)}; give them one by one, or --precision float32"
        )


def check_gate(model: Quantized) -> None:
    """Raise InputError for a model that costs too much, or gains nothing."""
    if model.gate.refusal:
        raise InputError(
            f"--precision int8: {model.gate.refusal}; use --precision bfloat16 or float32; to "
            f"measure it again, delete {model.place}"
        )


def job_of(recipe: Recipe, weights: str, *, store: StoreLike, engine: EngineChoice) -> Job:
    """Return the job that computes a stored recipe for other images.

    `weights` is the source, as for `--weights`. Raises InputError if this version computes other
    features with the backbone, WeightsError if the weights differ.
    """
    if is_from_file(recipe):
        of_recipe(recipe)  # raises where no description says this
        return Job((recipe,), file_of_recipe(recipe, weights), locate(store), engine)
    backbone = find_backbone(recipe.backbone)
    now = (RECIPE_VERSION, dict(backbone.arguments), backbone.preprocessing)
    if now != (recipe.version, dict(at_float32(recipe).backbone_arguments), recipe.preprocessing):
        raise InputError(
            f"recipe {recipe}: this version of gargalo computes other features with "
            f"{backbone.name}; extract and train again"
        )
    seed = re.match(r"none:seed=(\d+)", recipe.weights)
    found = find_weights(
        backbone,
        weights,
        image_size=recipe.image_size,
        seed=int(seed[1]) if seed else 0,
        store=store,
    )
    if found.digest != recipe.weights:
        raise WeightsError(
            f"--weights {weights}: expected {recipe.weights}, the weights of the stored features; "
            f"received {found.digest}; give the file that the features were computed with"
        )
    return Job((recipe,), found, locate(store), engine)
