"""A draft has what a file says, and written beside the file it is its description."""

import tomllib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from tasks.backbones.files.description import described
from tasks.backbones.files.draft import drafted
from tasks.backbones.files.draft_text import draft_text
from tasks.backbones.files.found import found_in_file
from tasks.backbones.files.network import features_model
from tasks.errors import InputError
from tests.support import keras_files
from tests.support.onnx_files import (
    as_ir,
    describe,
    network,
    nhwc,
    node,
    of_one,
    save,
    tokens,
    weights,
    windows_of_one,
)
from tests.tasks.backbones.files.test_network import (
    grey,
    of_tomorrow,
    text_model,
    two_inputs,
)

ANY = (("images", TensorProto.FLOAT, ("n", "c", "h", "w")),)


def classifier(path, pooled):
    """Write a network with a dense layer for 3 classes, and its pooled features by a name."""
    product = node("MatMul", "pooled dense", "product")
    product.input[0] = pooled  # which may have spaces
    flat = node("Flatten", "mean", pooled)
    nodes = [flat, product, node("Add", "product shift", "sum"), node("Softmax", "sum", "scores")]
    more = [weights("dense", (8, 3)), weights("shift", 3)]
    return network(path, nodes=nodes, outputs=("scores",), more=more)


def turned(path):
    """Write what a converter makes of Keras's networks: the images alone have channels last."""
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("images", ("n", 32, 32, 3)), ("map", ("n", 8, 16, 16)))
    ]
    nodes = [
        node("Transpose", "images", "turned", perm=[0, 3, 1, 2]),
        node("Conv", "turned kernel", "map", pads=[1] * 4, strides=[2, 2]),
    ]
    kernel = weights("kernel", (8, 3, 3, 3))
    graph = helper.make_graph(nodes, "turned", values[:1], values[1:], [kernel])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return save(model, path)


def drafted_values(path, preset="raw"):
    return tomllib.loads(draft_text(drafted(str(path), preset)))


def test_a_classifier_is_cut_before_its_last_layer(tmp_path):
    draft = drafted(str(classifier(tmp_path / "m.onnx", "vector")), "imagenet")
    assert [(tap.name, tap.kind, tap.shape) for tap in draft.taps] == [
        ("vector", "vector", (8,)),
        ("mean", "map", (8, 1, 1)),
        ("map", "map", (8, 8, 8)),
        ("scores", "vector", (3,)),
    ]
    assert draft.network.images == ("images", (-1, 3, 16, 16))
    assert [(one.name, one.shape) for one in draft.network.outputs] == [("scores", (3,))]


@pytest.mark.parametrize("kind", ["onnx", "xml"])
def test_all_that_the_file_says_is_written(tmp_path, kind):
    path = tokens(tmp_path / "m.onnx")
    path = as_ir(path, tmp_path / "m.xml") if kind == "xml" else path
    assert drafted_values(path, "siglip") == {
        "preset": "siglip",
        "image_size": 16,
        "layout": "NCHW",
        "tap": "output",
        "class_token": True,
        "register_tokens": 0,
    }


def test_the_layout_of_maps_is_told_where_it_is_not_that_of_images(tmp_path):
    assert "map_layout" not in drafted_values(nhwc(tmp_path / "m.onnx"))
    values = drafted_values(turned(tmp_path / "t.onnx"))
    assert (values["layout"], values["map_layout"]) == ("NHWC", "NCHW")


@pytest.mark.parametrize("write", [network, tokens])
def test_what_a_file_does_not_say_is_tried(tmp_path, write):
    """The kind: exporters name each side of the images, so that the file says nothing of them."""
    path = write(tmp_path / "m.onnx", inputs=ANY)
    found = drafted(str(path), "raw").network
    assert (found.layout, found.layout_is_told, found.size_is_told) == ("NCHW", False, False)
    assert found.size == (224, 224)
    text = draft_text(drafted(str(path), "raw"))
    assert "# The file does not say the size" in text
    assert "# The file does not say the layout" in text
    with pytest.raises(InputError, match='write layout = "NCHW" or "NHWC"'):
        found_in_file(str(path))
    describe(path, text)
    assert found_in_file(str(path))[2] == (224, 224)


def test_a_size_is_one_that_the_network_takes(tmp_path):
    shape = numpy_helper.from_array(np.array([-1, 8 * 48 * 48]), "shape")
    nodes = [node("Reshape", "map shape", "flat"), node("MatMul", "flat dense", "vector")]
    more = (shape, weights("dense", (8 * 48 * 48, 4)))
    path = network(tmp_path / "m.onnx", inputs=ANY, nodes=nodes, outputs=("vector",), more=more)
    assert drafted_values(path)["image_size"] == 96


def test_a_side_that_varies_is_that_beside_it(tmp_path):
    given = (("images", TensorProto.FLOAT, ("n", 3, "h", 40)),)
    assert drafted_values(network(tmp_path / "m.onnx", inputs=given))["image_size"] == 40


def test_a_size_is_one_that_a_network_of_one_image_takes(tmp_path):
    shape = numpy_helper.from_array(np.array([1, 8 * 16 * 16]), "shape")
    given = (("images", TensorProto.FLOAT, (1, 3, "h", "w")),)
    path = of_one(tmp_path / "m.onnx", inputs=given, more=(shape,))
    assert drafted_values(path)["image_size"] == 32


def test_of_several_outputs_the_best_is_named(tmp_path):
    path = network(tmp_path / "m.onnx", outputs=("map", "pooled"))
    draft = drafted(str(path), "raw")
    assert (draft.tap, [tap.name for tap in draft.taps]) == ("pooled", ["pooled", "map", "mean"])


names = st.text(min_size=1, max_size=40).filter(
    lambda name: (
        name not in {"images", "kernel", "bias", "conv", "map", "mean", "pooled"}
        and name not in {"dense", "shift", "product", "sum", "scores", "output"}
    )
)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("drafts") / "m.onnx"


@settings(max_examples=50, deadline=None)
@given(names)
def test_a_tensor_of_any_name_is_the_tap_that_its_draft_names(place, name):
    path = classifier(place, name)
    describe(path, draft_text(drafted(str(path), "clip")))
    backbone, about, size, _ = found_in_file(str(path))
    assert about == described(drafted_values(path, "clip"), "here")
    assert about.tap == name
    model = features_model(path, backbone, [(about.tap, "avg")], image_size=size, rows=2)
    assert list(model.outputs[0].shape) == [2, 8]


def test_a_keras_model_is_described_by_its_configuration(tmp_path):
    path = keras_files.network(tmp_path / "m.keras")
    draft = drafted(str(path), "raw")
    assert [(tap.name, tap.shape) for tap in draft.taps] == [("pooled", (8,)), ("map", (8, 8, 8))]
    assert draft.network.images == ("images", (-1, 16, 16, 3))
    assert drafted_values(path) == {
        "preset": "raw",
        "image_size": 16,
        "layout": "NHWC",
        "tap": "output",
    }


@pytest.mark.parametrize("found", [None, "", "meen = 1", "preset = ", "\x00"])
def test_no_description_is_needed_or_read(tmp_path, found):
    path = network(tmp_path / "m.onnx")
    place = path.with_name("m.onnx.toml")
    place.unlink() if found is None else place.write_text(found)
    assert drafted(str(path), "raw").tap == "output"


def preset(path):
    path.mkdir()
    (path / "config.json").write_text("{}")


@pytest.mark.parametrize(
    ("write", "match"),
    [
        (two_inputs, r"2 inputs \(images, other\), expected one"),
        (text_model, "a text model"),
        (of_tomorrow, "cannot read it: .*Telepathy"),
        (grey, "expected 3 colour channels"),
        (windows_of_one, r"does not take batches of images of 16×16 pixels: .*with dynamic_axes="),
        (lambda path: path.write_bytes(b""), "the file is empty; export the network again"),
        (lambda path: path.write_bytes(b"half a file"), "the file is cut off, or not an ONNX"),
        (lambda path: None, r"m.onnx: file not found; expected a file \(.onnx, .xml, .keras\)"),
        (lambda path: path.mkdir(), "m.onnx: is a folder; expected a file"),
        (
            preset,
            r"is not drafted; its image_converter\.json says .*, or m\.onnx\.toml beside it",
        ),
    ],
)
def test_what_is_no_backbone_is_told_in_one_line(tmp_path, write, match):
    write(tmp_path / "m.onnx")
    with pytest.raises(InputError, match=match) as error:
        drafted(str(tmp_path / "m.onnx"), "raw")
    assert "\n" not in str(error.value)


def test_a_name_that_is_no_text_is_told(tmp_path):
    path = tokens(tmp_path / "m.onnx")
    path.write_bytes(path.read_bytes().replace(b"tokens", b"tok\xff\xfes"))
    with pytest.raises(InputError, match="a tensor's name is not UTF-8; export it again"):
        drafted(str(path), "raw")


def test_weights_that_are_missing_are_told(tmp_path):
    path = as_ir(network(tmp_path / "m.onnx"), tmp_path / "m.xml")
    path.with_suffix(".bin").unlink()
    with pytest.raises(InputError, match=r"m.bin: file not found; it has the weights of m.xml"):
        drafted(str(path), "raw")
