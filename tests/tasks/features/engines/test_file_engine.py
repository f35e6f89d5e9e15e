"""A file's features are those of another executor, or none are computed."""

import numpy as np
import onnx
import onnxruntime
import pytest

from tasks.errors import ExtractionError, InputError, WeightsError
from tasks.features.agreement import agreement
from tasks.features.engines.choice import choose_engine
from tasks.features.engines.file_engine import FileEngine, senseless, trusted_file_engine
from tasks.features.engines.second_executor import second_executor
from tasks.features.engines.verified import trusted_engine
from tasks.features.job import make_job
from tasks.features.request import FeatureRequest
from tests.support.onnx_files import (
    IMAGENET,
    RAW,
    as_ir,
    half,
    mixed,
    network,
    nhwc,
    node,
    of_one,
    tokens,
    transformer_of_one,
)

BGR = "channels = 'bgr'\nmean = [104, 117, 123]\nstd = [1, 2, 3]"


def job_of(path, store, engine="auto", **asked):
    request = FeatureRequest(str(path), **{"pooling": "none"} | asked)
    return choose_engine(make_job(request, store=store, engine=engine), 1)


def pixels(count=5, side=16):
    return np.random.default_rng(0).uniform(0, 255, (count, side, side, 3)).astype(np.float32)


def by_hand(path, prepared, *names):
    """Return tensors of a file by onnxruntime, for what its input takes."""
    model = onnx.load(path)
    del model.graph.output[:]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(list(names), {"images": prepared.astype(np.float32)})


def same(expected, actual):
    assert agreement(expected, actual).within_tolerance
    assert not agreement(expected, np.roll(actual, 1, axis=0)).within_tolerance


def test_several_taps_in_one_pass_are_those_of_onnxruntime(tmp_path):
    path = network(tmp_path / "m.onnx", description=IMAGENET)
    engine = trusted_engine(job_of(path, tmp_path, taps=("map", "output")))
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    prepared = ((pixels() / 255 - mean) / std).transpose(0, 3, 1, 2)
    maps, pooled = engine.compute(pixels())
    expected = by_hand(path, prepared, "map", "pooled")
    same(expected[0].transpose(0, 2, 3, 1), maps)
    same(expected[1], pooled)
    assert engine.feature_shapes == ((8, 8, 8), (8,))
    assert engine.producer["engine"] == "openvino"
    assert engine.producer["agreement"]["largest_difference"] <= 2e-5


@pytest.mark.parametrize("write", [network, nhwc])
@pytest.mark.parametrize("pooling", ["avg", "max", "none"])
def test_either_layout_and_order_of_colours(tmp_path, write, pooling):
    path = write(tmp_path / "m.onnx", description=BGR)
    engine = trusted_engine(job_of(path, tmp_path, taps=("map",), pooling=pooling))
    prepared = (pixels()[..., ::-1] - np.array([104, 117, 123])) / np.array([1, 2, 3])
    if write is network:
        (maps,) = by_hand(path, prepared.transpose(0, 3, 1, 2), "map")
        maps = maps.transpose(0, 2, 3, 1)
    else:
        (maps,) = by_hand(path, prepared, "map")
    pooled = {"avg": maps.mean((1, 2)), "max": maps.max((1, 2)), "none": maps}[pooling]
    same(pooled, engine.compute(pixels())[0])


@pytest.mark.parametrize(
    ("pooling", "about", "expected"),
    [
        ("cls", RAW, lambda rows: rows[:, 0]),
        ("mean-tokens", RAW, lambda rows: rows[:, 1:].mean(1)),
        ("mean-tokens", "register_tokens = 4", lambda rows: rows[:, 5:].mean(1)),
        ("mean-tokens", "class_token = false", lambda rows: rows.mean(1)),
        ("cls+mean", RAW, lambda rows: np.hstack([rows[:, 0], rows[:, 1:].mean(1)])),
        ("none", RAW, lambda rows: rows),
    ],
)
def test_tokens_are_pooled(tmp_path, pooling, about, expected):
    path = tokens(tmp_path / "m.onnx", description=about)
    engine = trusted_engine(job_of(path, tmp_path, pooling=pooling))
    (rows,) = by_hand(path, pixels().transpose(0, 3, 1, 2), "tokens")
    same(expected(rows), engine.compute(pixels())[0])


def test_an_ir_has_the_features_of_its_onnx_file(tmp_path):
    path = network(tmp_path / "m.onnx")
    (expected,) = trusted_engine(job_of(path, tmp_path)).compute(pixels())
    ir = as_ir(path, tmp_path / "m.xml")
    same(expected, trusted_engine(job_of(ir, tmp_path)).compute(pixels())[0])


def test_another_size_than_the_files_own(tmp_path):
    path = network(tmp_path / "m.onnx")
    engine = trusted_engine(job_of(path, tmp_path, taps=("map",), image_size=32))
    assert engine.feature_shapes == ((16, 16, 8),)


@pytest.mark.parametrize("as_it_is", [True, False])
@pytest.mark.parametrize("write", [of_one, transformer_of_one])
def test_a_batch_of_one_that_is_written_into_the_file(tmp_path, write, as_it_is):
    path = write(tmp_path / "m.onnx")
    image = pixels().transpose(0, 3, 1, 2)
    (name,) = (one.name for one in onnx.load(path).graph.output)
    expected = np.concatenate([by_hand(path, image[n : n + 1], name)[0] for n in range(5)])
    place = path if as_it_is else as_ir(path, tmp_path / "m.xml")
    engine = trusted_engine(job_of(place, tmp_path))
    same(expected, engine.compute(pixels())[0])
    assert (engine.producer["agreement"]["with"] == "onnxruntime") == as_it_is


@pytest.mark.parametrize("write", [half, mixed])
def test_half_precision_is_compared_in_float32_with_onnxruntime(tmp_path, write):
    engine = trusted_engine(job_of(write(tmp_path / "m.onnx"), tmp_path))
    figures = engine.producer["agreement"]
    assert (figures["with"], figures["tolerance"]) == ("onnxruntime in float32", 2e-5)
    assert engine.compute(pixels())[0].dtype == np.float32


@pytest.mark.parametrize(
    ("nodes", "output", "match"),
    [
        (
            [node("ReduceMean", "pooled", "all", axes=[0]), node("Sub", "pooled all", "out")],
            "out",
            "computes other features of an image beside another: largest difference",
        ),
        (
            [node("Sub", "pooled pooled", "zeros")],
            "zeros",
            "all numbers of a feature are the same, on 16 of 16 photographs; check preproc",
        ),
        (
            [node("Sub", "pooled pooled", "zeros"), node("Add", "zeros bias", "out")],
            "out",
            "16 different photographs have only 1 different features",
        ),
        (
            [node("Sub", "pooled pooled", "zeros"), node("Div", "zeros zeros", "nan")],
            "nan",
            "the network returns NaN or infinity for photographs",
        ),
    ],
)
def test_features_that_mean_nothing_are_refused(tmp_path, nodes, output, match):
    path = network(tmp_path / "m.onnx", nodes=nodes, outputs=(output,))
    with pytest.raises(ExtractionError, match=match) as error:
        trusted_engine(job_of(path, tmp_path))
    assert "\n" not in str(error.value)


def test_what_differs_from_the_other_executor_is_refused(tmp_path, monkeypatch):
    compute = FileEngine.compute
    monkeypatch.setattr(FileEngine, "compute", lambda *given: [r * 1.001 for r in compute(*given)])
    path = network(tmp_path / "m.onnx")
    with pytest.raises(ExtractionError, match=r"differs from that in onnxruntime: largest"):
        trusted_engine(job_of(path, tmp_path))
    ir = as_ir(path, tmp_path / "m.xml")
    with pytest.raises(ExtractionError, match="from that in OpenVINO at its most accurate"):
        trusted_engine(job_of(ir, tmp_path))


def test_where_onnxruntime_cannot_openvino_is_compared_with_itself(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise RuntimeError("no such operation")

    monkeypatch.setattr(onnxruntime, "InferenceSession", refuse)
    job = job_of(network(tmp_path / "m.onnx"), tmp_path)
    assert second_executor(job)[1] == "OpenVINO at its most accurate"
    assert trusted_file_engine(job).producer["agreement"]["rows"] == 16


def test_what_openvino_cannot_compile_is_one_line(tmp_path, monkeypatch):
    def refuse(*_):
        raise RuntimeError("Check failed\nno kernel")

    monkeypatch.setattr(FileEngine, "_compile", refuse)
    with pytest.raises(ExtractionError, match=r"m\.onnx: OpenVINO cannot compute it: .*no kernel"):
        trusted_file_engine(job_of(network(tmp_path / "m.onnx"), tmp_path))


def test_a_file_is_tried_once_in_a_store(tmp_path):
    job = job_of(network(tmp_path / "m.onnx"), tmp_path)
    first, again = trusted_file_engine(job), trusted_file_engine(job)
    assert (first.take_checked(), again.take_checked()) == (16, 0)
    assert first.producer == again.producer
    (kept,) = (tmp_path / "remembered").glob("*.json")
    kept.write_text(kept.read_text().replace("e-0", "e-1"))
    assert trusted_file_engine(job).take_checked() == 16


def test_a_file_that_changes_meanwhile_is_not_used(tmp_path):
    path = network(tmp_path / "m.onnx")
    job = job_of(path, tmp_path)
    network(path, seed=5)
    with pytest.raises(WeightsError, match="the file changed while it was read"):
        trusted_file_engine(job)


def test_keras_does_not_run_it(tmp_path):
    with pytest.raises(InputError, match=r"--engine keras does not run onnx-.*use --engine openv"):
        job_of(network(tmp_path / "m.onnx"), tmp_path, engine="keras")


def test_one_number_may_be_a_feature():
    assert senseless(np.arange(4, dtype=np.float32).reshape(4, 1)) == ""
    assert "only 1 different" in senseless(np.zeros((4, 1), np.float32))
