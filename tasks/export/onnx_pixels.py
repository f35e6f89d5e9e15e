"""Resizing and preprocessing as an ONNX graph, by the formulas of `tasks.images.decoding`.

Its operations are the same from opset 13 on.
"""

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper, parser

from stores.features.recipe import Recipe
from tasks.backbones.files.backbone import FileBackbone
from tasks.images.centre_crop import uncropped

OPSET = 13  # the first
PREPARED = "prepared"
# R. Keys's curve at a = -1/2; pixels outside of an image count nothing, as in TensorFlow.
_MODES = {
    "bilinear": 'mode="linear"',
    "bicubic": 'mode="cubic", cubic_coeff_a=-0.5, exclude_outside=1',
}
# The largest part of an image with the ratio of the target, as smart_resize of Keras takes it.
# `other` is (width, height) where `sides` is (height, width).
_CROP = """
  sides = Slice(shape, two, four)
  swapped = Gather(shape, last)
  product = Mul(swapped, target)
  float_product = Cast<to=1>(product)
  ratio = Div(float_product, float_other)
  whole = Cast<to=7>(ratio)
  no_more = Min(sides, whole)
  crop = Max(no_more, one)
  margin = Sub(sides, crop)
  start = Div(margin, two)
  end = Add(start, crop)
  fitted = Slice(planes, start, end, places)
"""
# The size of an image within the target, and what is around it, as in tf.image.resize_with_pad.
_PAD = """
  fitted = Identity(planes)
  sides = Slice(shape, two, four)
  float_sides = Cast<to=1>(sides)
  ratios = Div(float_sides, float_target)
  ratio = ReduceMax<keepdims=0>(ratios)
  float_size = Div(float_sides, ratio)
  size = Cast<to=7>(float_size)
  float_gap = Sub(float_target, float_size)
  float_margin = Div(float_gap, float_two)
  margin = Cast<to=7>(float_margin)
  before = Max(margin, zero)
  gap = Sub(target, size)
  after = Sub(gap, before)
  pads = Concat<axis=0>(none, before, none, after)
"""
_FITTED = {"stretch": "fitted = Identity(planes)", "crop": _CROP, "pad": _PAD}


def pixels_graph(recipe: Recipe, backbone: FileBackbone, element: int) -> onnx.GraphProto:
    """Return the graph from `images` (n, height, width, 3), 0 to 255, to what a network takes.

    `element` is the type of its numbers, of ONNX's. The planes of all images are resized as images
    of one channel: onnxruntime moves a transposition through a resizing, and then does not resize
    in the cubic way to fewer pixels (1.32).
    """
    whole, (height, width) = uncropped(recipe).image_size, recipe.image_size
    top, left = ((n - own) // 2 for n, own in zip(whole, recipe.image_size, strict=True))
    clipped = "Clip(resized, black, white)" if recipe.interpolation == "bicubic" else ""
    ordered = "Gather<axis=1>(centre, reversed)" if backbone.channels == "bgr" else ""
    nhwc = backbone.layout == "NHWC"
    kind = TensorProto.DataType.Name(element).lower()
    shape = f"{height}, {width}, 3" if nhwc else f"3, {height}, {width}"
    graph = parser.parse_graph(f"""
pixels (float[n, height, width, 3] images) => ({kind}[n, {shape}] {PREPARED}) {{
  planes = Transpose<perm=[0, 3, 1, 2]>(images)
  shape = Shape(planes)
  {_FITTED[recipe.aspect_ratio]}
  fitted_shape = Shape(fitted)
  fitted_sides = Slice(fitted_shape, two, four)
  flat_shape = Concat<axis=0>(any, one, fitted_sides)
  flat = Reshape(fitted, flat_shape)
  counted = Shape(flat)
  kept = Slice(counted, zero, two)
  sizes = Concat<axis=0>(kept, size)
  flat_resized = Resize<{_MODES[recipe.interpolation]}>(flat, , , sizes)
  resized_shape = Concat<axis=0>(any, three, size)
  inner = Reshape(flat_resized, resized_shape)
  resized = {"Pad(inner, pads)" if recipe.aspect_ratio == "pad" else "Identity(inner)"}
  clipped = {clipped or "Identity(resized)"}
  centre = Slice(clipped, begin, finish, places)
  ordered = {ordered or "Identity(centre)"}
  scaled = Mul(ordered, scale)
  centred = Sub(scaled, mean)
  divided = Div(centred, std)
  placed = Transpose<perm={[0, 2, 3, 1] if nhwc else [0, 1, 2, 3]}>(divided)
  {PREPARED} = Cast<to={element}>(placed)
}}""")
    numbers: dict[str, Any] = {
        "any": [-1],
        "zero": [0],
        "one": [1],
        "two": [2],
        "three": [3],
        "four": [4],
        "none": [0, 0],
        "last": [3, 2],
        "places": [2, 3],
        "reversed": [2, 1, 0],
        "size": whole,
        "target": whole,
        "begin": [top, left],
        "finish": [top + height, left + width],
    }
    values: dict[str, Any] = {
        "black": 0.0,
        "white": 255.0,
        "float_other": whole[::-1],
        "float_target": whole,
        "float_two": 2.0,
        "scale": backbone.scale,
        "mean": np.reshape(backbone.mean, (3, 1, 1)),
        "std": np.reshape(backbone.std, (3, 1, 1)),
    }
    arrays = {name: np.array(some, np.int64) for name, some in numbers.items()}
    arrays |= {name: np.array(some, np.float32) for name, some in values.items()}
    used = {name for node in graph.node for name in node.input}
    used -= {name for node in graph.node for name in node.output}
    graph.initializer.extend(
        numpy_helper.from_array(some, name) for name, some in arrays.items() if name in used
    )
    return graph
