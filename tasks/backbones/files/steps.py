"""A network of a file as a list of steps: operations of a graph, or Keras layers."""

from typing import NamedTuple

from tasks.backbones.files.backbone import Input
from tasks.backbones.files.description import Layout

USUAL_SIDE = 224  # of images, where a file does not say


class Step(NamedTuple):
    """What an operation or a layer of a network makes."""

    name: str  # as --tap takes it; "" for what has none
    shape: tuple[int, ...] | None  # without the batch; (): not known; None: cannot be a tap
    sources: tuple[int, ...]  # the places of the steps that it is made of, all before its own
    weighted: bool = False  # it is a dense layer, or a convolution
    squashes: bool = False  # into class scores: softmax, or sigmoid


class Output(NamedTuple):
    """An output of a network, its shape as that of a step, and its place among the steps."""

    name: str
    shape: tuple[int, ...] | None
    place: int | None  # None: it is made of no image, or has no fractions


class Network(NamedTuple):
    """What a file says of its network; what it does not say of the images is likely."""

    images: Input
    layout: Layout
    size: tuple[int, int]  # height, width
    layout_is_told: bool
    size_is_told: bool
    steps: list[Step]
    outputs: list[Output]
