"""Keras's weights files: all of one is loaded, and it is said where it does not fit."""

import shutil
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from keras.src.legacy.saving import legacy_h5_format

from tasks.backbones.registry import find_backbone
from tasks.backbones.weights import build_backbone, find_weights
from tasks.errors import WeightsError
from tests.support.extraction import extract, write_folder
from tests.support.places import ROOT

MOBILENET = find_backbone("mobilenet")
SIZE = (32, 32)
SHARED = ROOT.parent / "shared/data/mobilenet_v2_160_notop.weights.h5"


def load(path, backbone=MOBILENET):
    """Return the backbone with the weights of a file."""
    weights = find_weights(backbone, str(path), image_size=SIZE, seed=0, store="unused")
    return build_backbone(backbone, weights, SIZE)


def same_values(model, other):
    pairs = zip(model.get_weights(), other.get_weights(), strict=True)
    return [np.array_equal(a, b) for a, b in pairs]


def save_legacy(model, path):
    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, model)


def save_whole(model, path):
    with h5py.File(path, "w") as file:
        legacy_h5_format.save_model_to_hdf5(model, file, include_optimizer=True)


SAVED = {
    "new.weights.h5": lambda model, path: model.save_weights(path),
    "legacy.h5": save_legacy,
    "whole model.h5": save_whole,
}


@pytest.fixture(scope="module")
def model():
    """A MobileNet with weights of its own; none of its values is a fresh model's."""
    keras.utils.set_random_seed(7)
    model = MOBILENET.build(SIZE)
    draw = np.random.default_rng(7)
    model.set_weights([draw.uniform(0.5, 1.5, w.shape) for w in model.get_weights()])
    return model


@pytest.fixture(scope="module")
def saved(model, tmp_path_factory):
    """The path of the model's weights; tests change copies."""
    path = tmp_path_factory.mktemp("saved") / "good.weights.h5"
    model.save_weights(path)
    return path


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", SAVED)
def test_every_array_of_a_file_is_loaded(model, tmp_path, name):
    model.compile("adam", "mse")  # whose state in the file is no weight
    SAVED[name](model, tmp_path / name)
    loaded = load(tmp_path / name)
    assert len(loaded.weights) == 135
    assert all(same_values(model, loaded))


def test_other_kinds_of_variables_are_loaded_too(tmp_path):
    backbone = find_backbone("efficientnet_b0")  # it counts what it normalised, in whole numbers
    other = backbone.build(SIZE)
    other.set_weights([value + 1 for value in other.get_weights()])
    other.save_weights(tmp_path / "b0.weights.h5")
    assert all(same_values(other, load(tmp_path / "b0.weights.h5", backbone)))


@pytest.mark.skipif(not SHARED.exists(), reason=f"no weights at {SHARED}")
def test_real_weights_load_and_give_maps(tiny, tmp_path):
    folder = write_folder(tmp_path / "pets", count=2)
    options = {"backbone": "mobilenet_v2", "weights": str(SHARED), "image_size": 160}
    done = extract(folder, tmp_path / "store", pooling="none", **options)
    features = done.features(tmp_path / "store")
    assert features.shape == (2, 5, 5, 1280)
    assert features.max() > 1
    assert not np.allclose(features[0], features[1], rtol=0.1)


def refused(path, backbone=MOBILENET):
    """Return what is said of a file; it must be one line that names the file and the backbone."""
    with pytest.raises(WeightsError) as caught:
        load(path, backbone)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def build_other(kind):
    about = {"input_shape": (32, 32, 3), "weights": None}
    if kind == "another architecture":
        return keras.applications.MobileNetV2(**about, include_top=False, alpha=0.35)
    if kind == "a narrower one":
        return keras.applications.MobileNet(**about, include_top=False, alpha=0.25)
    return keras.applications.MobileNet(**about, classes=10)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("another architecture", "one.weights.h5"),
        ("a narrower one", "one.weights.h5"),
        ("a narrower one", "one.h5"),
        ("with a classifier", "one.h5"),
    ],
)
def test_weights_of_another_model_are_refused(tmp_path, kind, name):
    other = build_other(kind)
    (save_legacy if name == "one.h5" else SAVED["new.weights.h5"])(other, tmp_path / name)
    assert "not weights of mobilenet without its classifier" in refused(tmp_path / name)


def test_a_newer_file_by_an_older_name_is_to_be_renamed(saved, tmp_path):
    path = Path(shutil.copy(saved, tmp_path / "one.h5"))
    assert "has to be named *.weights.h5; rename it" in refused(path)


@pytest.mark.parametrize("change", ["left out", "added"])
def test_an_array_too_few_or_too_many_is_refused(saved, tmp_path, change):
    path = Path(shutil.copy(saved, tmp_path / "changed.weights.h5"))
    with h5py.File(path, "r+") as file:
        if change == "left out":
            del file["layers/conv2d/vars/0"]
        else:
            file["layers/more/vars/0"] = np.zeros((3, 3))
    assert "not weights of mobilenet" in refused(path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *(("bad.weights.h5", content) for content in ("cut", "text", "empty", "no head")),
        *((f"bad.{ending}", "cut") for ending in ("h5", "txt", "keras", "pth")),
        *((f"bad.{ending}", "text") for ending in ("h5", "pth")),
    ],
)
def test_what_is_no_weights_file_is_refused(saved, tmp_path, name, content):
    whole = saved.read_bytes()
    path = tmp_path / name
    path.write_bytes(
        {
            "cut": whole[: len(whole) // 2],
            "text": b"these are no weights\n" * 9,
            "empty": b"",
            "no head": bytes(200) + whole[200:],
        }[content]
    )
    refused(path)


def test_a_file_that_is_cut_off_is_to_be_copied_again(saved, tmp_path):
    path = tmp_path / "bad.weights.h5"
    path.write_bytes(saved.read_bytes()[:5000])
    message = refused(path)
    assert "the file is damaged or cut off: Unable to" in message
    assert message.endswith("(truncated file); copy it again")


def announcing(kind, saved, path):
    """Write a small weights file that announces 8 GB, or leads elsewhere."""
    shutil.copy(saved, path)
    with h5py.File(path, "r+") as file:
        name = "layers/conv2d/vars/0"
        shape = file[name].shape
        del file[name]
        if kind == "a large array":
            file.create_dataset(name, shape=(2**31,), dtype="f4")
        elif kind == "an array beside":
            file.create_dataset(name, shape=shape, dtype="f4")
            file.create_dataset("optimizer/vars/999", shape=(2**31,), dtype="f4")
        elif kind == "a large chunk":
            chunks = (512, 1024, 32, 16)
            maxshape = (None,) * len(shape)
            file.create_dataset(name, shape, "f4", chunks=chunks, maxshape=maxshape)
        elif kind == "a link":
            file[name] = h5py.ExternalLink(str(saved), name)
        elif kind == "no numbers":
            file.create_dataset(name, shape, h5py.string_dtype())


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("a large array", "arrays of 8"),
        ("an array beside", "arrays of 8"),
        ("a large chunk", "arrays of 1"),
        ("a link", "is a link"),
        ("no numbers", "is not an array of numbers"),
    ],
)
def test_what_a_file_announces_is_bounded_before_an_array_of_it_is_read(
    saved, tmp_path, monkeypatch, kind, expected
):
    path = tmp_path / "bomb.weights.h5"
    announcing(kind, saved, path)
    assert (path).stat().st_size < 2 * saved.stat().st_size

    def read(*_):
        raise AssertionError("an array is read")

    monkeypatch.setattr(h5py.Dataset, "__getitem__", read)
    assert expected in refused(path)
