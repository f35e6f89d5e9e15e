"""All of keras.applications, by name, and what it lacks; what Keras says of its own counts."""

import re
import subprocess
import sys
from dataclasses import replace
from pkgutil import resolve_name

import keras
import numpy as np
import pytest

from tasks.backbones.registry import BACKBONES, find_backbone
from tasks.errors import InputError
from tasks.features.engines import load_engine
from tasks.features.job import make_job
from tests.support.extraction import REQUEST

OF_KERAS = {name: backbone for name, backbone in BACKBONES.items() if backbone.is_keras}
# The smaller ones, at the smallest size that each accepts, and how many channels its map has; the
# rest of a family is built alike.
BUILT = {
    "alexnet": (67, 256),
    "efficientnet_b0": (32, 1280),
    "efficientnet_lite0": (32, 1280),
    "efficientnet_lite1": (32, 1280),
    "efficientnet_lite2": (32, 1280),
    "efficientnet_v2_b0": (32, 1280),
    "lenet5": (16, 16),
    "mobilenet": (32, 1024),
    "mobilenet_v2": (32, 1280),
    "mobilenet_v3_small": (32, 576),
    "resnet50": (32, 2048),
    "resnext50": (32, 2048),
    "vgg16": (32, 512),
    "xception": (71, 2048),
}
OF_GARGALO = {
    "alexnet",
    "efficientnet_lite0",
    "efficientnet_lite1",
    "efficientnet_lite2",
    "lenet5",
    "resnext101",
    "resnext50",
}


def test_the_names_are_all_of_keras_applications():
    builders = {name for name in dir(keras.applications) if name[0].isupper()}
    assert {backbone.builder.split(":")[1] for backbone in OF_KERAS.values()} == builders
    assert BACKBONES.keys() - OF_KERAS.keys() == OF_GARGALO


@pytest.mark.parametrize("name", BACKBONES)
def test_a_name_is_its_builders_in_snake_case(name):
    backbone = BACKBONES[name]
    builder = backbone.builder.split(":")[1]
    assert backbone.name == name
    assert name.replace("_", "") == builder.replace("_", "").lower()
    assert re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*", name)
    assert callable(resolve_name(backbone.builder))


@pytest.mark.parametrize("name", OF_KERAS)
def test_the_preprocessing_is_that_of_the_builders_own_module(name):
    backbone = OF_KERAS[name]
    builder, preprocess = resolve_name(backbone.builder), resolve_name(backbone.preprocessor)
    assert backbone.preprocessor == backbone.preprocessing.replace(".preprocess", ":preprocess")
    module = sys.modules[preprocess.__module__]
    own = module.__name__.rpartition(".")[2]
    assert builder.__module__ == preprocess.__module__
    assert resolve_name(f"keras.applications.{own}:preprocess_input") is preprocess


@pytest.mark.parametrize("name", OF_KERAS)
def test_the_native_size_is_what_keras_says(name, monkeypatch):
    asked = []

    def obtain_input_shape(_, *, default_size, **__):
        asked.append(default_size)
        raise InterruptedError

    builder = resolve_name(OF_KERAS[name].builder)
    module = sys.modules[builder.__module__]
    if "mobilenet_v3" in name:  # it has no default; the name of its weights says it
        (size,) = {int(re.search(r"_(\d{3})_", key)[1]) for key in module.WEIGHTS_HASHES}
        asked.append(size)
    else:
        monkeypatch.setattr(module.imagenet_utils, "obtain_input_shape", obtain_input_shape)
        with pytest.raises(InterruptedError):
            builder(weights=None, include_top=False)
    assert asked == [BACKBONES[name].native_size]


@pytest.mark.server  # large networks
@pytest.mark.parametrize("name", BUILT)
def test_a_backbone_gives_features_of_its_own(name):
    size, channels = BUILT[name]
    job = make_job(replace(REQUEST, backbone=name, image_size=size), store="unused", engine="keras")
    engine = load_engine(job)
    pixels = np.random.default_rng(0).uniform(0, 255, (2, size, size, 3))
    (rows,) = engine.compute(pixels.astype(np.float32))
    assert rows.shape == (2, *engine.feature_shapes[0]) == (2, channels)
    assert np.isfinite(rows).all()
    assert not np.array_equal(rows[0], rows[1])


@pytest.mark.parametrize(
    "name", ["mobilenet_v2", "xception", "tiny", "resnext50", "lenet5", "alexnet"]
)
def test_a_size_that_is_refused_names_the_backbones_own(tiny, name):
    backbone = find_backbone(name)
    native = backbone.native_size
    message = rf"{name} does not support images of 7×7 .*must be at least.*--image-size {native}"
    with pytest.raises(InputError, match=message) as caught:
        backbone.build((7, 7))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("mobilenetv2", "mobilenet_v2"),
        ("MobileNetV2", "mobilenet_v2"),
        ("ResNet50", "resnet50"),
        ("resnet_50", "resnet50"),
        ("efficientnet-lite0", "efficientnet_lite0"),
        ("VGG-16", "vgg16"),
        ("resnext_50", "resnext50"),
        ("lenet-5", "lenet5"),
        ("quite another", "xception"),
    ],
)
def test_an_unknown_backbone_gets_the_nearest_names(name, nearest):
    with pytest.raises(InputError, match=rf"unknown backbone '{name}': .*\b{nearest}\b"):
        find_backbone(name)


def test_the_names_are_known_without_tensorflow():
    modules = "tasks.backbones.registry, tasks.features.job"
    command = f"import sys, {modules}; print({{*sys.modules}} & {{*sys.argv}})"
    heavy = ["tensorflow", "keras"]
    told = subprocess.run(
        [sys.executable, "-c", command, *heavy], check=True, capture_output=True, text=True
    )
    assert told.stdout.strip() == "set()"
