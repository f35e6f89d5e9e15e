"""From what a person asks for to the recipes, one a tap, without TensorFlow."""

from dataclasses import dataclass
from pathlib import Path

from stores.recipe import (
    RECIPE_VERSION,
    AspectRatio,
    Decode,
    Pooling,
    Precision,
    Recipe,
    StoredDtype,
)
from tasks.backbones import find_backbone
from tasks.engines import EngineChoice, Job
from tasks.errors import InputError
from tasks.weights import find_weights

# The backbone's own output, whatever its last layer is called.
DEFAULT_TAP = "output"


@dataclass(frozen=True)
class FeatureRequest:
    """What features a person asks for; `image_size` None is the backbone's own."""

    backbone: str
    weights: str
    image_size: int | None
    taps: tuple[str, ...]
    pooling: Pooling
    dtype: StoredDtype
    aspect_ratio: AspectRatio
    seed: int
    decode: Decode
    precision: Precision


def make_job(request: FeatureRequest, *, store: Path, engine: EngineChoice) -> Job:
    """Return the job that computes a request: a recipe for each tap, the weights, the engine.

    Raises InputError for an unknown backbone or a tap named twice, WeightsError for weights that
    are not there.
    """
    backbone = find_backbone(request.backbone)
    side = request.image_size or backbone.native_size
    weights = find_weights(
        backbone, request.weights, image_size=(side, side), seed=request.seed, store=store
    )
    if len(set(request.taps)) != len(request.taps):
        raise InputError(f"--tap {', '.join(request.taps)}: a tap is named twice")
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
    return Job(recipes=recipes, weights=weights, store=store, engine=engine)
