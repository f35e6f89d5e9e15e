"""From a request for a backbone in a file to the recipes, one per tap."""

from stores.features.recipe import RECIPE_VERSION, Recipe
from stores.layout import locate
from stores.storage.location import StoreLike
from tasks.errors import InputError
from tasks.features.engines import Job
from tasks.features.request import DEFAULT_TAP, EngineChoice, FeatureRequest


def file_job(request: FeatureRequest, *, store: StoreLike, engine: EngineChoice) -> Job:
    """Return the job of a request whose backbone is a file; raises InputError."""
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
