"""Pixels that an ONNX model prepares are those of Keras's layers, which the features had."""

import numpy as np
import pytest
from onnx import TensorProto, defs, helper

from tasks.backbones.files.backbone import of_recipe
from tasks.execution.onnx_extra import onnx_session
from tasks.export.keras_model import resized
from tasks.export.onnx_pixels import OPSET, pixels_graph
from tasks.features.engines.second_executor import prepare
from tasks.features.job import make_job
from tasks.features.request import FeatureRequest
from tests.support.onnx_files import network, nhwc

SIZES = [(50, 70), (71, 50), (16, 20), (7, 300), (1, 1), (333, 500)]
BGR = 'channels = "bgr"\nscale = 0.25\nmean = [104.0, 117.0, 123.5]\nstd = [1.0, 2.0, 3.0]'


def recipe(path, description, write=network):
    write(path, description=description)
    return make_job(FeatureRequest(str(path)), store="unused", engine="auto").recipes[0]


def by_onnx(recipe, pixels, element=TensorProto.FLOAT, opset=OPSET):
    graph = pixels_graph(recipe, of_recipe(recipe), element)
    imports = [helper.make_opsetid("", opset)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=8)
    return onnx_session(model.SerializeToString(), None).run(None, {"images": pixels})[0]


def images(height, width):
    return np.random.default_rng(height).uniform(0, 255, (2, height, width, 3)).astype("f4")


@pytest.mark.parametrize("fraction", [1, 0.6])
@pytest.mark.parametrize("aspect_ratio", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("resize", ["bilinear", "bicubic"])
def test_images_are_resized_as_by_keras(tmp_path, resize, aspect_ratio, fraction):
    """TensorFlow takes its cubic curve from a table; and places of pixels are rounded."""
    most = {"bilinear": 0.02, "bicubic": 0.3}[resize]
    lines = (f'resize = "{resize}"', f'aspect_ratio = "{aspect_ratio}"', "image_size = [12, 17]")
    text = "\n".join((*lines, f"crop_fraction = {fraction}"))
    made = recipe(tmp_path / "m.onnx", text)
    for size in SIZES:
        pixels = images(*size)
        expected = np.asarray(resized(pixels, made)).transpose(0, 3, 1, 2)
        np.testing.assert_allclose(by_onnx(made, pixels), expected, atol=most, err_msg=str(size))


@pytest.mark.parametrize("opset", [OPSET, 18, 19, min(23, defs.onnx_opset_version())])
@pytest.mark.parametrize("write", [network, nhwc])
def test_colours_are_prepared_as_the_description_says_in_any_opset(tmp_path, write, opset):
    made = recipe(tmp_path / "m.onnx", BGR, write)
    expected = prepare(np.asarray(resized(images(20, 30), made)), of_recipe(made))
    found = by_onnx(made, images(20, 30), opset=opset)
    np.testing.assert_allclose(found, expected, atol=1e-3)
    half = by_onnx(made, images(20, 30), TensorProto.FLOAT16, opset=opset)
    assert half.dtype == np.float16
    np.testing.assert_allclose(half, expected, atol=0.1)
