"""A network from an ONNX file or an IR as steps, and the size and layout of its images."""

from pathlib import Path
from typing import Any

from tasks.backbones.files.description import Layout
from tasks.backbones.files.layouts import input_layout, possible_layouts
from tasks.backbones.files.network import name_of, only_input, read_network, reshape, tensors
from tasks.backbones.files.reshaping import miscounted
from tasks.backbones.files.steps import USUAL_SIDE, Network, Output, Step
from tasks.errors import InputError

# Tried where a network is said to take any size: exporters say so of those that take one, too.
_SIDES = (USUAL_SIDE, 256, 384, 512, 518, 448, 336, 299, 240, 288, 320, 160, 128, 96, 64, 32)
_ROWS = 2  # images; what depends on their number is seen by it


def graph_network(path: Path) -> Network:
    """Return the network of an ONNX file or an IR; raises InputError for what is no backbone."""
    model = read_network(path)
    images = only_input(model, path)
    layouts = possible_layouts(images.shape) or [input_layout(None, images.shape, path)]
    model, layout, size = _shaped(model, images.shape, layouts, path)
    steps, places = _steps(model)
    outputs = [
        Output(name_of(output), _shape(output), places.get(_maker(output)))
        for output in model.outputs
    ]
    sides = _sides(images.shape, layout)
    is_told = {"layout_is_told": len(layouts) == 1, "size_is_told": min(sides) >= 0}
    return Network(images, layout, size, steps=steps, outputs=outputs, **is_told)


def _shaped(
    model: Any,  # noqa: ANN401  an ov.Model
    shape: tuple[int, ...],
    layouts: list[Layout],
    path: Path,
) -> tuple[Any, Layout, tuple[int, int]]:
    """Return a model in the first layout and size that it takes; raises InputError if none.

    Better is one that gives a row for each image: a size may be taken, and change their number.
    """
    refusals: list[InputError] = []
    taken: list[tuple[Any, Layout, tuple[int, int]]] = []
    for layout in layouts:
        own = _sides(shape, layout)
        likely = (max(own), *_SIDES) if max(own) > 0 else _SIDES  # images are mostly squares
        for side in likely if min(own) < 0 else likely[:1]:
            height, width = (side if given < 0 else given for given in own)
            tried = model.clone()
            try:
                reshape(tried, layout, (height, width), _ROWS, path)
            except InputError as error:
                refusals.append(error)
                continue
            taken.append((tried, layout, (height, width)))
            has_rows = any(_shape(output) is not None for output in tried.outputs)
            if has_rows and not miscounted(tried):
                return taken[-1]
    if not taken:
        raise refusals[0]
    return taken[0]


def _steps(model: Any) -> tuple[list[Step], dict[str, int]]:  # noqa: ANN401  an ov.Model
    """Return a model as steps, and their places by the names of operations.

    Only what is computed from the images is a step, not what is from constants or from shapes.
    """
    known = tensors(model)
    places: dict[str, int] = {}
    steps: list[Step] = []
    for operation in model.get_ordered_ops():
        kind = operation.get_type_name()
        if kind in {"Constant", "Result"}:
            continue
        given = [one.get_node().get_name() for one in operation.input_values()]
        sources = tuple(dict.fromkeys(places[name] for name in given if name in places))
        outputs = operation.outputs()
        if not outputs or not outputs[0].get_element_type().is_real():
            continue
        if not sources and kind != "Parameter":
            continue
        places[operation.get_name()] = len(steps)
        steps.append(
            Step(
                _tap_name(operation, known),
                _shape(outputs[0]) if len(outputs) == 1 and kind != "Pad" else None,
                sources,
                weighted=kind in {"MatMul", "Convolution", "GroupConvolution"}
                and not all(name in places for name in given),
                squashes=kind in {"Softmax", "LogSoftmax", "Sigmoid"},
            )
        )
    return steps, places


def _sides(shape: tuple[int, ...], layout: Layout) -> tuple[int, ...]:
    return shape[2:] if layout == "NCHW" else shape[1:3]


def _maker(result: Any) -> str:  # noqa: ANN401  an ov.Output
    """Return the name of the operation that makes an output; no two have the same."""
    return str(result.get_node().input_value(0).get_node().get_name())


def _tap_name(operation: Any, known: dict[str, Any]) -> str:  # noqa: ANN401  an ov.Node
    """Return the name that --tap takes for what an operation makes; "" for none."""
    if len(operation.outputs()) != 1:
        return ""
    name = name_of(operation.output(0))
    own = name in known and known[name].get_node().get_name() == operation.get_name()
    return name if own else ""


def _shape(output: Any) -> tuple[int, ...] | None:  # noqa: ANN401  an ov.Output
    """Return the shape for one image; None for what is not one of each image."""
    if output.partial_shape.is_dynamic:
        return None
    shape = tuple(map(int, output.shape))
    return shape[1:] if len(shape) > 1 and shape[0] == _ROWS else None
