"""The layers of a backbone to compare: the last one of each stage, and the output."""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from stores.storage.location import StoreLike
from tasks.backbones.files.description import describe_command
from tasks.backbones.files.named_files import is_backbone_file
from tasks.backbones.layer_graph import layers_found, stage_ends
from tasks.backbones.registry import Backbone, find_backbone
from tasks.errors import InputError
from tasks.execution.steps import task
from tasks.features.request import DEFAULT_TAP


def taps_to_compare(
    requested: Sequence[str], backbone: str, image_size: int | None, *, store: StoreLike
) -> tuple[str, ...]:
    """Return taps from early to late: the requested ones or the ends of stages, and the output.

    The ends are remembered in the store; TensorFlow is imported only if they are not. Raises
    InputError if the backbone does not support the image size, or if there is no layer before the
    output.
    """
    if is_backbone_file(backbone):
        if not requested:
            path = Path(backbone)
            told = "" if path.is_dir() else f"; likely ones are told by `{describe_command(path)}`"
            raise InputError(
                f"--backbone {backbone}: the stages of a network in a file are not known; give "
                f"the tensors to compare with --tap TENSOR{told}"
            )
        return (*(tap for tap in requested if tap != DEFAULT_TAP), DEFAULT_TAP)
    found = find_backbone(backbone)
    taps = tuple(requested) or _stage_ends(found, image_size or found.native_size, store)
    earlier = tuple(tap for tap in taps if tap != DEFAULT_TAP)
    if not earlier:
        raise InputError(
            f"backbone {backbone}: no layer to compare with the output; give an earlier one with "
            "--tap LAYER"
        )
    return (*earlier, DEFAULT_TAP)


def _stage_ends(backbone: Backbone, side: int, store: StoreLike) -> tuple[str, ...]:
    question = {
        "what": "ends of stages",
        "backbone": backbone.name,
        "arguments": repr(backbone.arguments),
        "image_size": repr(side),
        "keras": version("keras"),
    }
    return tuple(
        layers_found(
            question, _earlier_ends, backbone=backbone, image_size=(side, side), store=store
        )
    )


def _earlier_ends(model: Any) -> list[str]:  # noqa: ANN401  a functional Keras model
    return [name for name in stage_ends(model) if model.get_layer(name).output is not model.output]


taps_to_compare_task = task(name="taps to compare")(taps_to_compare)
