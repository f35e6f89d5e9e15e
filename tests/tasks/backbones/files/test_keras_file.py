"""A saved Keras model is loaded if all of it is Keras's own; nothing else of it is executed."""

import gc
import json
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from tasks.backbones.files.keras_file import backbone_of
from tasks.errors import InputError, WeightsError
from tasks.features.agreement import agreement
from tasks.features.engines import load_engine
from tasks.features.job import make_job
from tasks.features.request import FeatureRequest
from tests.support.keras_files import network, save, tokens


def job_of(path, store, engine="keras", **asked):
    return make_job(FeatureRequest(str(path), **asked), store=store, engine=engine)


def pixels(count=3, side=16):
    return np.random.default_rng(0).uniform(0, 255, (count, side, side, 3)).astype(np.float32)


def test_of_an_unknown_tap_the_description_is_named(tmp_path):
    path = network(tmp_path / "m.keras", description='preset = "raw"\ntap = "mapp"')
    with pytest.raises(InputError, match=r'm.keras.toml: tap = "mapp": unknown layer .* map\?'):
        load_engine(job_of(path, tmp_path))


BGR = 'channels = "bgr"\nmean = [104, 117, 123]\nstd = [1, 2, 4]'


@pytest.mark.parametrize("engine", ["keras", "openvino"])
def test_features_are_those_of_the_model(tmp_path, engine):
    path = network(tmp_path / "m.keras", description=BGR)
    model = keras.saving.load_model(path)
    prepared = (pixels()[..., ::-1] - np.array([104, 117, 123])) / np.array([1, 2, 4])
    maps = keras.Model(model.input, model.get_layer("map").output)(prepared.astype(np.float32))
    found = load_engine(job_of(path, tmp_path, engine, taps=("output", "map")))
    assert found.name == engine
    rows, pooled = found.compute(pixels())
    assert agreement(np.asarray(maps).mean((1, 2)), rows).within_tolerance
    assert agreement(rows, pooled).within_tolerance


@pytest.mark.parametrize("engine", ["keras", "openvino"])
@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        ("cls", lambda rows: rows[:, 0]),
        ("mean-tokens", lambda rows: rows[:, 3:].mean(1)),
        ("cls+mean", lambda rows: np.hstack([rows[:, 0], rows[:, 3:].mean(1)])),
    ],
)
def test_tokens_are_pooled(tmp_path, engine, pooling, expected):
    path = tokens(tmp_path / "m.keras", description="register_tokens = 2")
    found = load_engine(job_of(path, tmp_path, engine, pooling=pooling))
    assert found.name == engine
    rows = np.asarray(keras.saving.load_model(path)(pixels()))
    assert agreement(expected(rows), found.compute(pixels())[0]).within_tolerance


def test_a_converted_model_does_not_need_keras_memory(tmp_path):
    path = tokens(tmp_path / "m.keras")
    expected = np.asarray(keras.saving.load_model(path)(pixels()))
    found = load_engine(job_of(path, tmp_path, "openvino", pooling="none"))
    gc.collect()  # the Keras model, after the comparison
    others = [np.full(size, 1e9, np.float32) for size in (8, 16, 64, 128, 512) for _ in range(500)]
    assert agreement(expected, found.compute(pixels())[0]).within_tolerance
    del others


def test_another_image_size_has_the_same_weights(tmp_path):
    path = network(tmp_path / "m.keras")
    job = job_of(path, tmp_path, image_size=32)
    model = backbone_of(job.recipes[0], str(path)).build((32, 32))
    assert model.get_layer("map").output.shape == (None, 16, 16, 8)
    before = keras.saving.load_model(path).get_weights()
    for own, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(own, other)
    with pytest.raises(InputError, match=r"not take images of 32×32 .*use its own size, 16×16"):
        load_engine(job_of(tokens(tmp_path / "t.keras"), tmp_path, image_size=32, pooling="cls"))


@keras.saving.register_keras_serializable("mine")
class Doubled(layers.Layer):
    """A layer that a file may name, and that only this test knows."""

    def call(self, inputs):
        Path(self.place).touch()
        return 2 * inputs

    place = "executed"


def with_layer(layer):
    images = keras.Input((16, 16, 3))
    return keras.Model(images, layers.GlobalAveragePooling2D()(layer(images)))


def half():
    return with_layer(layers.Conv2D(4, 3, dtype="mixed_float16"))


def text():
    words = keras.Input((5,), dtype="int32")
    return keras.Model(words, layers.Embedding(9, 4)(words))


def two_outputs():
    images = keras.Input((16, 16, 3))
    return keras.Model(images, [layers.Conv2D(4, 3)(images), layers.Flatten()(images)])


def two_inputs():
    both = [keras.Input((16, 16, 3)), keras.Input((16, 16, 3))]
    return keras.Model(both, layers.Flatten()(layers.Add()(both)))


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: with_layer(layers.Lambda(lambda x: 2 * x)), "Lambda has Python code, which is n"),
        (lambda: with_layer(Doubled()), "mine>Doubled is not one of Keras's own classes"),
        (half, "it computes in mixed_float16; set the dtype policy float32"),
        (text, r"the input has the shape \(-1, 5\), expected images"),
        (two_inputs, "2 inputs, expected one, images"),
    ],
)
def test_what_is_not_keras_own_is_refused_and_not_executed(tmp_path, monkeypatch, make, match):
    path = save(make(), tmp_path / "m.keras")
    monkeypatch.chdir(tmp_path)  # where its place is
    with pytest.raises(InputError, match=match) as error:
        job_of(path, tmp_path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    assert not Path("executed").exists()


def test_one_output_is_expected(tmp_path):
    path = save(two_outputs(), tmp_path / "m.keras")
    with pytest.raises(InputError, match=r"2 outputs \(.*\), expected one; save the model"):
        load_engine(job_of(path, tmp_path))


def edited(path, change):
    """Change the configuration in a file."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(parts["config.json"])
    change(config)
    parts["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def layer(config, number=1):
    return config["config"]["layers"][number]


@pytest.mark.parametrize(
    "change",
    [
        lambda config: layer(config).update(module="os", class_name="system"),
        lambda config: layer(config).update(module="builtins", class_name="eval"),
        lambda config: layer(config).update(module="keras.utils", class_name="get_file"),
        lambda config: layer(config).update(module="tests.support.tiny", class_name="Witness"),
        lambda config: layer(config).update(class_name="Lambda"),
        lambda config: layer(config).update(class_name="TFSMLayer"),
        lambda config: layer(config)["config"].update(
            x={"class_name": "__lambda__", "config": {"value": "…"}}
        ),
        lambda config: layer(config).update(registered_name="mine>Doubled"),
        lambda config: layer(config).update(class_name="NoLayer"),
        lambda config: config.pop("config"),
        lambda config: config.update(config=[]),
    ],
)
def test_an_edited_configuration_is_one_line(tmp_path, change):
    path = edited(network(tmp_path / "m.keras"), change)
    with pytest.raises(InputError) as error:
        load_engine(job_of(path, tmp_path))
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\5\6" + bytes(18)])
def test_what_is_no_model_is_one_line(tmp_path, content):
    path = network(tmp_path / "m.keras")
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"m\.keras: not a model that Keras saved, or damaged"):
        job_of(path, tmp_path)


def own_loss(expected, predicted):
    return keras.ops.sum(expected - predicted)


def test_a_custom_loss_does_not_matter(tmp_path):
    path = network(tmp_path / "m.keras")
    model = keras.saving.load_model(path)
    model.compile("adam", loss=own_loss)
    save(model, path)
    assert load_engine(job_of(path, tmp_path)).feature_shapes == ((8,),)


def test_weights_that_change_meanwhile_are_not_used(tmp_path):
    path = network(tmp_path / "m.keras")
    job = job_of(path, tmp_path)
    network(path, seed=5)
    with pytest.raises(WeightsError, match="the file changed"):
        load_engine(job)
