"""Pixels that an ONNX model prepares are those that features are computed of."""

import numpy as np
import pytest
from onnx import TensorProto, defs, helper

from tasks.backbones.files.backbone import of_recipe
from tasks.execution.onnx_extra import onnx_session
from tasks.export.onnx_pixels import OPSET, pixels_graph
from tasks.features.engines.second_executor import prepare
from tasks.features.job import make_job
from tasks.features.request import FeatureRequest
from tasks.images.decoding import load_pixels
from tests.support.images import encoded, pixels
from tests.support.onnx_files import network, nhwc

SIZES = [(50, 70), (71, 50), (16, 20), (40, 300), (1, 1), (333, 500)]
BGR = 'channels = "bgr"\nscale = 0.25\nmean = [104.0, 117.0, 123.5]\nstd = [1.0, 2.0, 3.0]'


def recipe(path, description, write=network):
    write(path, description=description)
    return make_job(FeatureRequest(str(path)), store="unused", engine="auto").recipes[0]


def by_onnx(recipe, given, element=TensorProto.FLOAT, opset=OPSET):
    graph = pixels_graph(recipe, of_recipe(recipe), element)
    imports = [helper.make_opsetid("", opset)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=8)
    return onnx_session(model.SerializeToString(), None).run(None, {"images": given})[0]


def stored(height, width):
    """Return a PNG of noise, and its pixels as a batch of one."""
    image = pixels(height, height, width)
    return encoded(image, "PNG"), image[np.newaxis].astype("f4")


@pytest.mark.parametrize("fraction", [1, 0.6])
@pytest.mark.parametrize("aspect_ratio", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("resize", ["bilinear", "bicubic"])
def test_images_are_resized_as_for_features(tmp_path, resize, aspect_ratio, fraction):
    """TensorFlow takes its cubic curve from a table; and places of pixels are rounded."""
    most = {"bilinear": 0.02, "bicubic": 0.3}[resize]
    lines = (f'resize = "{resize}"', f'aspect_ratio = "{aspect_ratio}"', "image_size = [12, 17]")
    text = "\n".join((*lines, f"crop_fraction = {fraction}"))
    made = recipe(tmp_path / "m.onnx", text)
    for size in SIZES:
        content, image = stored(*size)
        expected = load_pixels([content], made).transpose(0, 3, 1, 2)
        np.testing.assert_allclose(by_onnx(made, image), expected, atol=most, err_msg=str(size))
    two = np.concatenate([image, image[..., ::-1]])
    np.testing.assert_allclose(by_onnx(made, two)[:1], expected, atol=most)


@pytest.mark.parametrize("opset", [OPSET, 18, 19, min(23, defs.onnx_opset_version())])
@pytest.mark.parametrize("write", [network, nhwc])
def test_colours_are_prepared_as_the_description_says_in_any_opset(tmp_path, write, opset):
    made = recipe(tmp_path / "m.onnx", BGR, write)
    content, image = stored(20, 30)
    expected = prepare(load_pixels([content], made), of_recipe(made))
    found = by_onnx(made, image, opset=opset)
    np.testing.assert_allclose(found, expected, atol=1e-3)
    half = by_onnx(made, image, TensorProto.FLOAT16, opset=opset)
    assert half.dtype == np.float16
    np.testing.assert_allclose(half, expected, atol=0.1)
