"""Resizing and preprocessing as an ONNX graph, as `tf.image.resize` and Keras's Resizing do them.

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
# The planes of all images are resized as images of one channel: onnxruntime moves a transposition
# through a resizing, and then does not resize in the cubic way to fewer pixels (1.32).
# The largest part of an image with the ratio of the target, or the smallest frame around it.
# `other` is (width, height) where `sides` is (height, width). Keras divides in float32, too.
_FRAME = """
  sides = Slice(shape, two, four)
  swapped = Gather(shape, last)
  product = Mul(swapped, target)
  float_product = Cast<to=1>(product)
  ratio = Div(float_product, float_other)
  whole = Cast<to=7>(ratio)
"""
_FITTED = {
    "stretch": "fitted = Identity(planes)",
    "crop": f"""{_FRAME}
  no_more = Min(sides, whole)
  crop = Max(no_more, one)
  margin = Sub(sides, crop)
  start = Div(margin, two)
  end = Add(start, crop)
  fitted = Slice(planes, start, end, places)
""",
    "pad": f"""{_FRAME}
  frame = Max(sides, whole)
  margin = Sub(frame, sides)
  start = Div(margin, two)
  pads = Concat<axis=0>(none, start, none, start)
  fitted = Pad(planes, pads, black)
""",
}


def pixels_graph(recipe: Recipe, backbone: FileBackbone, element: int) -> onnx.GraphProto:
    """Return the graph from `images` (n, height, width, 3), 0 to 255, to what a network takes.

    `element` is the type of its numbers, of ONNX's.
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
  resized = Reshape(flat_resized, resized_shape)
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
        "four": [4],
        "none": [0, 0],
        "last": [3, 2],
        "places": [2, 3],
        "reversed": [2, 1, 0],
        "size": whole,
        "resized_shape": [-1, 3, *whole],
        "target": whole,
        "begin": [top, left],
        "finish": [top + height, left + width],
    }
    values: dict[str, Any] = {
        "black": 0.0,
        "white": 255.0,
        "float_other": whole[::-1],
        "scale": backbone.scale,
        "mean": np.reshape(backbone.mean, (3, 1, 1)),
        "std": np.reshape(backbone.std, (3, 1, 1)),
    }
    arrays = {name: np.array(some, np.int64) for name, some in numbers.items()}
    arrays |= {name: np.array(some, np.float32) for name, some in values.items()}
    used = {name for node in graph.node for name in node.input}
    graph.initializer.extend(
        numpy_helper.from_array(some, name) for name, some in arrays.items() if name in used
    )
    return graph
