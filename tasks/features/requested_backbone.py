"""What a request's `--backbone` comes to, a named network or a file, as its recipes have it."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from stores.features.recipe import AspectRatio
from stores.storage.location import StoreLike
from tasks.backbones.files.named_files import is_backbone_file
from tasks.backbones.registry import find_backbone
from tasks.backbones.weights import Weights, find_weights
from tasks.errors import InputError
from tasks.features.request import DEFAULT_TAP, FeatureRequest


class RequestedBackbone(NamedTuple):
    """What a backbone and its description decide of a recipe."""

    name: str
    arguments: tuple[tuple[str, Any], ...]
    preprocessing: str
    weights: Weights
    image_size: tuple[int, int]
    interpolation: str
    aspect_ratio: AspectRatio
    taps: Sequence[str]


def requested_backbone(request: FeatureRequest, *, store: StoreLike) -> RequestedBackbone:
    """Return the backbone of a request; raises InputError, or WeightsError for missing weights."""
    if is_backbone_file(request.backbone):
        return _in_file(request)
    backbone = find_backbone(request.backbone)
    if request.preset:
        raise InputError(
            f"--preset {request.preset}: it is for a file, and --backbone {backbone.name} has its "
            "own preprocessing; remove the flag"
        )
    side = request.image_size or backbone.native_size
    weights = find_weights(
        backbone, request.weights, image_size=(side, side), seed=request.weights_seed, store=store
    )
    return RequestedBackbone(
        backbone.name,
        backbone.arguments,
        backbone.preprocessing,
        weights,
        (side, side),
        "bilinear",
        request.aspect_ratio,
        request.taps,
    )


def _in_file(request: FeatureRequest) -> RequestedBackbone:
    from tasks.backbones.files.found import found_in_file  # imports OpenVINO

    if request.weights != "imagenet":
        raise InputError(
            f"--weights {request.weights}: --backbone {request.backbone} is a file, which has its "
            "weights; remove the flag"
        )
    backbone, about, image_size, weights = found_in_file(
        request.backbone, request.image_size, request.preset
    )
    taps = [about.tap if tap == DEFAULT_TAP else tap for tap in request.taps]
    if len(set(taps)) != len(taps):
        raise InputError(f"--tap {DEFAULT_TAP}: it is {about.tap!r} here, which is given as well")
    own = request.aspect_ratio == "stretch"  # as where no flag is given
    return RequestedBackbone(
        backbone.name,
        backbone.arguments,
        backbone.preprocessing,
        weights,
        image_size,
        about.resize,
        about.aspect_ratio if own else request.aspect_ratio,
        taps,
    )
