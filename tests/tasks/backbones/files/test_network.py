"""What a file does not offer is one line, with what to write instead."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tasks.backbones.files.backbone import with_layout
from tasks.backbones.files.description import Description
from tasks.backbones.files.found import found_in_file
from tasks.backbones.files.network import features_model, only_input, read_network
from tasks.errors import InputError
from tests.support.onnx_files import network, nhwc, node, of_one, save, tokens, windows_of_one

IMAGES = ("images", TensorProto.FLOAT, ("n", 3, 16, 16))


def model(path, tap="output", pooling="none", side=16, **about):
    backbone = with_layout("onnx", "sha256:0", Description(**about), "NCHW")
    outputs = [(tap, pooling)]
    return features_model(path, backbone, outputs, image_size=(side, side), rows=2)


def of_one_size(path):
    """Write a network with a dynamic batch and the size of its images in the middle of it."""
    shape = numpy_helper.from_array(np.array([0, 512]), "shape")
    more = [node("Reshape", "map shape", "flat")]
    return network(path, nodes=more, outputs=("flat",), more=(shape,))


def two_inputs(path):
    added = node("Add", "pooled other", "sum")
    inputs = (IMAGES, ("other", TensorProto.FLOAT, ("n", 8)))
    return network(path, inputs=inputs, nodes=[added], outputs=("sum",))


def text_model(path):
    """Write a network from the numbers of words to their vectors."""
    given = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ("n", "length"))
    table = numpy_helper.from_array(np.ones((9, 4), np.float32), "table")
    found = helper.make_tensor_value_info("vectors", TensorProto.FLOAT, None)
    nodes = [node("Gather", "table input_ids", "vectors")]
    graph = helper.make_graph(nodes, "text", [given], [found], [table])
    return save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)


def of_tomorrow(path):
    """Write a network with an operation that nobody knows."""
    return network(path, nodes=[node("Telepathy", "map", "mind")], outputs=("mind",))


def grey(path):
    given = helper.make_tensor_value_info("images", TensorProto.FLOAT, ("n", 1, 16, 16))
    found = helper.make_tensor_value_info("out", TensorProto.FLOAT, None)
    graph = helper.make_graph([node("Relu", "images", "out")], "grey", [given], [found])
    return save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)


def dynamic(path):
    sides = (("images", TensorProto.FLOAT, ("n", 3, "height", "width")),)
    return network(path, inputs=sides)


@pytest.mark.parametrize(
    ("write", "match"),
    [
        (two_inputs, r"2 inputs \(images, other\), expected one, images; export only the part"),
        (text_model, r"input 'input_ids' is i64 \(\?, \?\), expected .*: a text model\?"),
        (of_tomorrow, r"OpenVINO \d+\S+ cannot read it: .*Telepathy"),
        (grey, r"the input is \(\?, 1, 16, 16\): expected 3 colour channels"),
        (
            dynamic,
            r"any size; write .* m.onnx.toml, as image_size = 224, .*flows.backbone describe ",
        ),
    ],
)
def test_a_file_that_is_no_backbone_is_refused(tmp_path, write, match):
    path = write(tmp_path / "m.onnx")
    with pytest.raises(InputError, match=match) as error:
        found_in_file(str(path))
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("write", "asked", "match"),
    [
        (windows_of_one, {}, r"does not take batches of images of 16×16 .*with dynamic_axes="),
        (network, {"tap": "mapp"}, "unknown tensor 'mapp': did you mean map"),
        (network, {"tap": "zebra"}, r"unknown tensor 'zebra': expected one of .*outputs: pool"),
        (
            network,
            {"pooling": "cls"},
            r"tensor 'pooled' has the shape \(8\); use --pooling avg, which",
        ),
        (
            network,
            {"tap": "map", "pooling": "cls"},
            r"shape \(8, 8, 8\); use .*avg, max or none",
        ),
        (
            tokens,
            {"pooling": "avg"},
            r"\(65, 8\); use --pooling cls, mean-tokens, cls\+",
        ),
        (
            of_one_size,
            {"side": 32},
            r"'flat' cannot make \[2,512\] of \[2,8,16,16\]; use its own --image-size$",
        ),
        (
            of_one,
            {"side": 32},
            r"does not take batches of images of 32×32 pixels: .*own --image-size, and export",
        ),
        (
            tokens,
            {"pooling": "cls", "class_token": False},
            "m.onnx.toml says that there is no class token; use --pooling mean-tokens",
        ),
        (
            tokens,
            {"pooling": "mean-tokens", "register_tokens": 64},
            "65 tokens, of which 65 are a class token and registers; correct class_token",
        ),
    ],
)
def test_what_it_does_not_offer_is_refused(tmp_path, write, asked, match):
    path = write(tmp_path / "m.onnx")
    with pytest.raises(InputError, match=match) as error:
        model(path, **asked)
    assert "\n" not in str(error.value)


def test_of_an_unknown_tap_the_description_is_named(tmp_path):
    path = network(tmp_path / "m.onnx", description='preset = "raw"\ntap = "mapp"')
    with pytest.raises(InputError, match=r'm.onnx.toml: tap = "mapp": unknown tensor .* map\?'):
        model(path, tap="mapp")


def test_a_tap_before_what_another_size_does_not_fit_is_taken(tmp_path):
    path = of_one_size(tmp_path / "m.onnx")
    assert list(model(path, tap="map", side=32).outputs[0].shape) == [2, 16, 16, 8]


def test_of_several_outputs_one_is_named(tmp_path):
    path = network(tmp_path / "m.onnx", outputs=("pooled", "map"))
    with pytest.raises(InputError, match=r"2 outputs \(pooled, map\); name one with --tap"):
        model(path)
    assert list(model(path, tap="map").outputs[0].shape) == [2, 8, 8, 8]


def test_the_layout_is_found_or_said(tmp_path):
    assert found_in_file(str(nhwc(tmp_path / "a.onnx")))[0].layout == "NHWC"
    assert found_in_file(str(network(tmp_path / "b.onnx")))[0].layout == "NCHW"
    given = (("images", TensorProto.FLOAT, ("n", 3, 16, 3)),)
    path = network(tmp_path / "c.onnx", inputs=given)
    with pytest.raises(InputError, match=r"in c.onnx.toml; the one that it takes is told by"):
        found_in_file(str(path))
    path.with_name("c.onnx.toml").write_text('layout = "NCHW"')
    assert found_in_file(str(path))[0].layout == "NCHW"


def test_a_map_in_another_layout_than_is_said_is_refused(tmp_path):
    """Means over its channels would be features that say nothing."""
    turned = [node("Transpose", "wide", "turned", perm=[0, 2, 3, 1])]
    wide = node("Concat", "map map", "wide", axis=1)
    path = network(tmp_path / "m.onnx", nodes=[wide, *turned], outputs=("turned",))
    with pytest.raises(InputError, match=r"\(8, 8, 16\), which is NHWC and not NCHW; write map_la"):
        model(path, tap="turned")
    made = model(path, tap="turned", pooling="avg", map_layout="NHWC")
    assert list(made.outputs[0].shape) == [2, 16]


def test_a_network_of_any_size_takes_the_size_that_is_given(tmp_path):
    path = dynamic(tmp_path / "m.onnx")
    assert found_in_file(str(path), 48)[2] == (48, 48)
    path.with_name("m.onnx.toml").write_text("image_size = [24, 40]")
    assert found_in_file(str(path))[2] == (24, 40)


def test_the_input_is_described(tmp_path):
    path = dynamic(tmp_path / "m.onnx")
    assert only_input(read_network(path), path) == ("images", (-1, 3, -1, -1))


def test_a_fixed_batch_that_is_nowhere_else_is_taken(tmp_path):
    path = network(tmp_path / "m.onnx", inputs=(("images", TensorProto.FLOAT, (1, 3, 16, 16)),))
    assert onnx.load(path).graph.input[0].type.tensor_type.shape.dim[0].dim_value == 1
    assert list(model(path).outputs[0].shape) == [2, 8]
