"""A Keras model's layers, by its configuration; none of it is loaded."""

import json
import zipfile

import keras
import pytest
from keras import layers

from tasks.backbones.files.keras_steps import keras_network
from tasks.backbones.files.likely_taps import likely_taps
from tasks.errors import InputError
from tests.support.keras_files import network, save, tokens


def found(path):
    made = keras_network(path)
    taps = likely_taps(made.steps, [output.place for output in made.outputs], made.size)
    return [(tap.name, tap.kind, tap.shape) for tap in taps]


def changed(path, change):
    """Write a model's file with another configuration."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(files["config.json"])
    change(config["config"])
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, json.dumps(config) if name == "config.json" else content)
    return path


def shape_of_map(config, shape):
    config["layers"][-1]["inbound_nodes"][0]["args"][0]["config"]["shape"] = shape


def sequential(path, *last):
    made = [keras.Input((16, 16, 3)), layers.Conv2D(4, 3, name="conv"), layers.ReLU(name="map")]
    pooled = layers.GlobalAveragePooling2D(name="pooled")
    return save(keras.Sequential([*made, pooled, *last]), path)


def any_size(path, shape=(None, None, 3)):
    images = keras.Input(shape)
    map_ = layers.Conv2D(4, 3, name="conv")(images)
    return save(keras.Model(images, layers.GlobalMaxPooling2D(name="pooled")(map_)), path)


def residual(path):
    images = keras.Input((16, 16, 3))
    map_ = layers.Conv2D(4, 3, padding="same", name="conv")(images)
    wider = layers.ZeroPadding2D(name="wider")(map_)
    both = layers.Add(name="sum")([map_, layers.Conv2D(4, 3, name="branch")(wider)])
    both = layers.ZeroPadding2D(((1, 0), (1, 0)), name="pad")(both)
    both = layers.Conv2D(4, 2, name="after")(both)
    flat = layers.Flatten(name="flat")(both)
    return save(keras.Model(images, layers.Dense(1000, name="scores")(flat)), path)


@pytest.mark.parametrize(
    ("write", "expected"),
    [
        (network, [("pooled", "vector", (8,)), ("map", "map", (8, 8, 8))]),
        (
            tokens,
            [("layer_normalization", "tokens", (64, 8)), ("patches", "map", (8, 8, 8))],
        ),
        (sequential, [("pooled", "unknown", ())]),  # no layer after it says what it gets
        (
            lambda path: sequential(path, layers.Dropout(0.5), layers.Dense(3, "softmax")),
            [("dropout", "vector", (4,)), ("dense", "vector", (3,))],
        ),
        (any_size, [("pooled", "vector", (4,)), ("conv", "map", (-1, -1, 4))]),
        (
            residual,
            [
                ("flat", "vector", (1024,)),
                ("after", "map", (16, 16, 4)),
                ("scores", "vector", (1000,)),
            ],
        ),
    ],
)
def test_the_likely_layers_are_found(tmp_path, write, expected):
    keras.backend.clear_session()  # names are counted
    assert found(write(tmp_path / "m.keras")) == expected


def test_a_size_that_varies_is_a_usual_one(tmp_path):
    made = keras_network(any_size(tmp_path / "m.keras"))
    assert (made.images.shape, made.size, made.size_is_told) == ((-1, -1, -1, 3), (224, 224), False)
    beside = keras_network(any_size(tmp_path / "beside.keras", (None, 32, 3)))
    assert (beside.size, beside.size_is_told) == ((32, 32), False)


def test_of_keras_2_there_are_names_without_shapes(tmp_path):
    def older(config):
        for layer, before in zip(config["layers"][1:], config["layers"], strict=False):
            layer["inbound_nodes"] = [[[before["name"], 0, 0, {}]]]

    path = changed(network(tmp_path / "m.keras"), older)
    assert found(path) == [("pooled", "unknown", ())]
    assert [step.sources for step in keras_network(path).steps][1:3] == [(0,), (1,)]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda c: c["layers"][0].update(class_name="Lambda"), "Lambda has Python code"),
        (lambda c: c["layers"][2].pop("config"), "not a model that Keras saved, or damaged"),
        (lambda c: shape_of_map(c, [None, 10**30, 8, 8]), "damaged: a side of 1000"),
        (lambda c: shape_of_map(c, [None, "8", 8, 8]), "damaged: a side of 8"),
        (lambda c: c.update(output_layers=3), "not a model that Keras saved, or damaged"),
        (lambda c: c.update(output_layers=["x", 0, 0]), "not a model that Keras saved, or damaged"),
        (lambda c: c.update(output_layers=[]), "not a model that Keras saved, or damaged"),
        (
            lambda c: c.update(output_layers=[["map", 0, 0], ["pooled", 0, 0]]),
            r"2 outputs \(map, pooled\), expected one; save the model with one of them",
        ),
    ],
)
def test_a_model_that_is_not_loaded_is_told_in_one_line(tmp_path, change, match):
    path = changed(network(tmp_path / "m.keras"), change)
    with pytest.raises(InputError, match=match) as error:
        keras_network(path)
    assert "\n" not in str(error.value)
