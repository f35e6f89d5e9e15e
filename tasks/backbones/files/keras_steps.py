"""A saved Keras model as steps, by its configuration alone: nothing of it is loaded."""

import re
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

from stores.storage.json_files import ABSURD
from tasks.backbones.files.backbone import Input
from tasks.backbones.files.keras_config import keras_config, keras_input
from tasks.backbones.files.steps import USUAL_SIDE, Network, Output, Step
from tasks.errors import InputError

_WEIGHTED = re.compile(r"Dense|EinsumDense|\w*Conv2D(Transpose)?")
_NO_TAPS = {"InputLayer", "ZeroPadding2D"}
_SCORES = {"softmax", "log_softmax", "sigmoid"}
# Their output has the shape of their input.
_SAME = re.compile(r"\w*ReLU|\w*Dropout|\w*Normalization|Activation|Softmax|Add|Multiply|Rescaling")

_Call = list[tuple[str, Any]]  # the layers that one gets the outputs of, and their shapes


def keras_network(path: Path) -> Network:
    """Return the network of a saved model; raises InputError for what is no backbone.

    The configuration has the shapes of what layers get, and not that of what the last one makes,
    which is told only where it follows from those.
    """
    shape = keras_input(path)
    config = keras_config(path)
    try:
        inputs = (p for p in config["layers"] if p["class_name"] == "InputLayer")
        name = str(next(inputs)["config"]["name"])
        steps = _steps(config, shape[1:])
        outputs = _outputs(config, path)
        places = {step.name: place for place, step in enumerate(steps)}
        made = [Output(one, steps[places[one]].shape, places[one]) for one in outputs]
    except InputError:
        raise
    except (*ABSURD, IndexError, StopIteration) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"{path}: not a model that Keras saved, or damaged: {reason}; save it again"
        ) from error
    is_told = {"layout_is_told": True, "size_is_told": min(shape[1:]) > 0}
    usual = max(shape[1:3]) if max(shape[1:3]) > 0 else USUAL_SIDE  # of images, mostly squares
    height, width = (side if side > 0 else usual for side in shape[1:3])
    return Network(
        Input(name, shape), "NHWC", (height, width), steps=steps, outputs=made, **is_told
    )


def _steps(config: dict[str, Any], images: tuple[int, ...]) -> list[Step]:
    layers = config["layers"]
    names = [str(layer["config"]["name"]) for layer in layers]
    places = {name: place for place, name in enumerate(names)}
    calls = list(_functional(layers) if "output_layers" in config else _sequential(layers, names))
    shapes = {
        name: tuple(map(_side, shape[1:9])) for call in calls for name, shape in call if shape
    }
    steps: list[Step] = []
    for place, (layer, name, call) in enumerate(zip(layers, names, calls, strict=True)):
        kind, settings = str(layer["class_name"]), layer["config"]
        found = dict.fromkeys(places[source] for source, _ in call if source in places)
        sources = tuple(source for source in found if source < place)
        given = steps[sources[0]].shape or () if sources else images
        steps.append(
            Step(
                name,
                None if kind in _NO_TAPS else shapes.get(name) or _made(kind, settings, given),
                sources,
                weighted=_WEIGHTED.fullmatch(kind) is not None,
                squashes=kind == "Softmax" or str(settings.get("activation")) in _SCORES,
            )
        )
    return steps


def _functional(layers: list[dict[str, Any]]) -> Iterator[_Call]:
    for layer in layers:
        yield list(_given(layer.get("inbound_nodes")))


def _sequential(layers: list[dict[str, Any]], names: list[str]) -> Iterator[_Call]:
    for place, layer in enumerate(layers):
        shape = layer.get("build_config", {}).get("input_shape")
        yield [(names[place - 1], shape)] if place else []


def _outputs(config: dict[str, Any], path: Path) -> list[str]:
    """Return the names of a model's outputs; raises InputError unless it is one."""
    if "output_layers" not in config:
        return [str(config["layers"][-1]["config"]["name"])]
    given = config["output_layers"]  # [name, 0, 0], or several of these
    several = list(given.values()) if isinstance(given, dict) else given
    names = [str(one[0]) for one in ([several] if isinstance(several[0], str) else several)]
    if len(names) != 1:
        raise InputError(
            f"{path}: {len(names)} outputs ({', '.join(names[:6])}), expected one; save the model "
            "with one of them, and give others with --tap LAYER"
        )
    return names


def _given(nodes: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401  JSON
    """Yield the layers whose outputs a layer is called with, and the shapes of these.

    Keras 3 writes tensors with a history, Keras 2 a list of a name and two numbers.
    """
    if isinstance(nodes, dict) and nodes.get("keras_history"):
        yield str(nodes["keras_history"][0]), nodes.get("shape")
    elif isinstance(nodes, list) and len(nodes) > 2 and isinstance(nodes[0], str):
        yield nodes[0], None
    elif isinstance(nodes, dict | list):
        for part in nodes.values() if isinstance(nodes, dict) else nodes:
            yield from _given(part)


def _side(side: Any) -> int:  # noqa: ANN401  JSON
    """Return a side of a shape, -1 for one that varies; raises ValueError for an absurd one."""
    if side is None:
        return -1
    if not isinstance(side, int) or not 0 <= side < 2**31:
        raise ValueError(f"a side of {str(side)[:40]}")
    return side


def _made(kind: str, settings: dict[str, Any], given: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of what a layer makes of a shape; () if it does not follow from these."""
    if not given:
        return ()
    if kind == "Dense":
        return (*given[:-1], _side(settings["units"]))
    if re.fullmatch(r"Global\w+Pooling2D", kind) and not settings.get("keepdims"):
        return given[-1:]
    if kind == "Flatten" and min(given) > 0:
        return (prod(given),)
    return given if _SAME.fullmatch(kind) else ()
