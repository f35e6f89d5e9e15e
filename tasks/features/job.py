"""From a request to the recipes, one per tap, without TensorFlow."""

import re

from stores.features.recipe import RECIPE_VERSION, Recipe
from stores.layout import locate
from stores.storage.location import StoreLike
from tasks.backbones.files.backbone import file_of_recipe, is_backbone_file, is_from_file, of_recipe
from tasks.backbones.registry import find_backbone
from tasks.backbones.weights import find_weights
from tasks.errors import InputError, WeightsError
from tasks.features.engines import Job
from tasks.features.request import DEFAULT_TAP, EngineChoice, FeatureRequest


def make_job(request: FeatureRequest, *, store: StoreLike, engine: EngineChoice) -> Job:
    """Return the job that computes a request: a recipe for each tap, the weights, the engine.

    Raises InputError for an unknown backbone or a repeated tap, WeightsError for missing weights.
    """
    if len(set(request.taps)) != len(request.taps):
        raise InputError(f"--tap {', '.join(request.taps)}: a tap is repeated; give each once")
    if is_backbone_file(request.backbone):
        return _file_job(request, store=store, engine=engine)
    backbone = find_backbone(request.backbone)
    side = request.image_size or backbone.native_size
    weights = find_weights(
        backbone, request.weights, image_size=(side, side), seed=request.weights_seed, store=store
    )
    recipes = tuple(
        Recipe(
            version=RECIPE_VERSION,
            backbone=backbone.name,
            backbone_arguments=backbone.arguments,
            weights=weights.digest,
            image_size=(side, side),
            color_mode="rgb",
            interpolation="bilinear",
            aspect_ratio=request.aspect_ratio,
            decode=request.decode,
            preprocessing=backbone.preprocessing,
            tap=tap,
            pooling=request.pooling,
            compute_precision=request.precision,
            dtype=request.dtype,
            augmentation="none",
        )
        for tap in request.taps
    )
    return Job(recipes=recipes, weights=weights, store=locate(store), engine=engine)


def _file_job(request: FeatureRequest, *, store: StoreLike, engine: EngineChoice) -> Job:
    """Return the job of a backbone in a file; raises InputError."""
    from tasks.backbones.files.found import found_in_file  # imports OpenVINO

    if request.weights != "imagenet":
        raise InputError(
            f"--weights {request.weights}: --backbone {request.backbone} is a file, which has its "
            "weights; remove the flag"
        )
    backbone, about, image_size, weights = found_in_file(request.backbone, request.image_size)
    taps = [about.tap if tap == DEFAULT_TAP else tap for tap in request.taps]
    if len(set(taps)) != len(taps):
        raise InputError(f"--tap {DEFAULT_TAP}: it is {about.tap!r} here, which is given as well")
    recipes = tuple(
        Recipe(
            version=RECIPE_VERSION,
            backbone=backbone.name,
            backbone_arguments=backbone.arguments,
            weights=weights.digest,
            image_size=image_size,
            color_mode="rgb",
            interpolation=about.resize,
            aspect_ratio=about.aspect_ratio
            if request.aspect_ratio == "stretch"
            else request.aspect_ratio,
            decode=request.decode,
            preprocessing=backbone.preprocessing,
            tap=tap,
            pooling=request.pooling,
            compute_precision=request.precision,
            dtype=request.dtype,
            augmentation="none",
        )
        for tap in taps
    )
    return Job(recipes=recipes, weights=weights, store=locate(store), engine=engine)


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
    if now != (recipe.version, dict(recipe.backbone_arguments), recipe.preprocessing):
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
