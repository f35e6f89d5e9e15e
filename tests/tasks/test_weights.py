"""Weights: which ones are loaded, all of them, and what is said where they do not fit."""

import shutil
import subprocess
import sys
import urllib.error
from dataclasses import replace
from http.client import IncompleteRead
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from keras.src.legacy.saving import legacy_h5_format
from keras.src.utils import file_utils

from tasks.backbones import find_backbone
from tasks.engines import load_engine
from tasks.errors import InputError, WeightsError
from tasks.recipes import make_job
from tasks.weights import build_backbone, find_weights
from tests.tasks.extraction import REQUEST, extract, write_folder

MOBILENET = find_backbone("mobilenet")
SIZE = (32, 32)
SHARED = Path(__file__).parents[3] / "shared/data/mobilenet_v2_160_notop.weights.h5"


def load(path, backbone=MOBILENET, store=None):
    """Return the backbone with the weights of a file."""
    weights = find_weights(backbone, str(path), image_size=SIZE, seed=0, store=store)
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
@pytest.mark.parametrize("name", ["one.weights.h5", "one.h5"])
@pytest.mark.parametrize("kind", ["another architecture", "a narrower one", "with a classifier"])
def test_weights_of_another_model_are_refused(tmp_path, kind, name):
    other = build_other(kind)
    (save_legacy if name == "one.h5" else SAVED["new.weights.h5"])(other, tmp_path / name)
    assert "not weights of mobilenet without its classifier" in refused(tmp_path / name)


@pytest.mark.parametrize("change", ["left out", "added"])
def test_an_array_too_few_or_too_many_is_refused(saved, tmp_path, change):
    path = Path(shutil.copy(saved, tmp_path / "changed.weights.h5"))
    with h5py.File(path, "r+") as file:
        if change == "left out":
            del file["layers/conv2d/vars/0"]
        else:
            file["layers/more/vars/0"] = np.zeros((3, 3))
    assert "not weights of mobilenet" in refused(path)


@pytest.mark.parametrize("name", ["bad.weights.h5", "bad.h5", "bad.txt", "bad.keras", "bad.pth"])
@pytest.mark.parametrize("content", ["cut", "text", "empty", "no head"])
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


@pytest.mark.parametrize("asked", ["nowhere.h5", "~nobody-of-that-name/x.h5", "imagenett", "."])
def test_a_file_that_is_not_there_is_said(asked, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    message = refused(asked)
    assert "no such file; expected imagenet, none, or the path" in message


def test_an_unreadable_file_is_said(saved, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(WeightsError, match="cannot be read: Permission denied"):
        find_weights(MOBILENET, str(saved), image_size=SIZE, seed=0, store=None)


def test_a_file_that_changes_before_it_is_loaded_is_noticed(model, saved, tmp_path):
    path = Path(shutil.copy(saved, tmp_path / "one.weights.h5"))
    weights = find_weights(MOBILENET, str(path), image_size=SIZE, seed=0, store=None)
    with h5py.File(path, "r+") as file:
        file["layers/conv2d/vars/0"][0] = 0.25
    with pytest.raises(WeightsError, match="changed while it was used"):
        build_backbone(MOBILENET, weights, SIZE)


def test_the_bytes_of_the_file_name_the_weights(saved, tmp_path):
    other = Path(shutil.copy(saved, tmp_path / "elsewhere.weights.h5"))
    changed = tmp_path / "changed.weights.h5"
    changed.write_bytes(saved.read_bytes() + b"\0")
    named = [
        find_weights(MOBILENET, str(path), image_size=SIZE, seed=0, store=None).digest
        for path in (saved, other, changed)
    ]
    assert named[0] == named[1] != named[2]


# Untrained weights.

HASHES = """
import hashlib, sys
from pathlib import Path
import numpy as np
from tasks.engines import load_engine
from tasks.recipes import FeatureRequest, make_job
pixels = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype(np.float32)
for seed in map(int, sys.argv[1:]):
    asked = FeatureRequest("mobilenet", "none", 32, ("output",), "avg", "float32", "stretch", seed)
    (rows,) = load_engine(make_job(asked, store=Path("nowhere"))).compute(pixels)
    print(seed, hashlib.sha256(rows.tobytes()).hexdigest())
"""


def test_a_seed_gives_the_same_features_in_any_process():
    told = [
        subprocess.run(
            [sys.executable, "-c", HASHES, *seeds], check=True, capture_output=True, text=True
        ).stdout.splitlines()
        for seeds in (["0", "1"], ["1", "0"])
    ]
    first, second = (dict(line.split() for line in lines) for lines in told)
    assert first == second
    assert first["0"] != first["1"]


def test_a_layer_has_the_same_name_whatever_was_built_before(tiny):
    weights = find_weights(tiny.TINY, "none", image_size=SIZE, seed=0, store=None)
    keras.layers.Dense(1)
    names = [
        [layer.name for layer in build_backbone(tiny.TINY, weights, SIZE).layers] for _ in range(2)
    ]
    assert names[0] == names[1]
    assert "witness" in names[0]


def test_a_tap_without_a_name_of_its_own_means_the_same_layer_always(tiny):
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 71, 71, 3)).astype(np.float32)
    asked = replace(REQUEST, backbone="xception", image_size=71, taps=("conv2d_1",))
    rows = []
    for seed in (0, 1, 0):  # other weights each time: it is built each time
        (row,) = load_engine(make_job(replace(asked, seed=seed), store=None)).compute(pixels)
        rows.append(row)
    assert np.array_equal(rows[0], rows[2])


# ImageNet's weights, for which Keras would ask the network.


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """Return a function that sets what becomes of each download; nothing is on disk yet."""
    (tmp_path / "keras").mkdir()  # where it is not there, Keras takes /tmp/.keras
    monkeypatch.setattr(file_utils.config, "keras_home", lambda: str(tmp_path / "keras"))

    def set_outcome(download):
        monkeypatch.setattr(file_utils, "urlretrieve", download)

    return set_outcome


def failing(error):
    def download(*_):
        raise error

    return download


def not_found(*_):
    raise urllib.error.HTTPError("https://", 404, "Not Found", {}, None)


def cut(_, path, *__):
    Path(path).write_bytes(b"<html>Please log in</html>")


@pytest.mark.parametrize(
    ("download", "reason"),
    [
        (failing(urllib.error.URLError("Name or service not known")), "Name or service not known"),
        (not_found, "404"),
        (failing(TimeoutError()), "TimeoutError"),
        (failing(ConnectionResetError(104, "Connection reset by peer")), "reset by peer"),
        (failing(IncompleteRead(b"")), "IncompleteRead"),
        (cut, "file signature not found"),
    ],
)
def test_a_failed_download_names_the_two_ways_out(offline, tmp_path, download, reason):
    offline(download)
    with pytest.raises(WeightsError) as caught:
        find_weights(MOBILENET, "imagenet", image_size=(128, 128), seed=0, store=tmp_path)
    message = str(caught.value)
    assert "\n" not in message
    assert reason in message
    assert "--weights PATH" in message
    assert "--backbone efficientnet_lite0" in message
    assert not (tmp_path / "remembered").exists()


def test_a_download_that_keras_finds_damaged_names_them_too(offline, tmp_path):
    offline(cut)  # of this one Keras knows the hash
    with pytest.raises(WeightsError, match="vgg16 cannot be downloaded: Incomplete or corrupted"):
        find_weights(
            find_backbone("vgg16"), "imagenet", image_size=SIZE, seed=0, store=tmp_path / "store"
        )


def test_a_refused_size_is_no_failed_download(offline, tmp_path):
    offline(failing(urllib.error.URLError("nobody there")))
    with pytest.raises(InputError, match="refuses images of 7×7") as caught:
        find_weights(MOBILENET, "imagenet", image_size=(7, 7), seed=0, store=tmp_path)
    assert not isinstance(caught.value, WeightsError)


@pytest.fixture
def downloaded(monkeypatch):
    """Have Keras bring weights of seed 5 as ImageNet's; return a list of what was built."""
    builder, built = keras.applications.MobileNet, []

    def mobilenet(*, weights, **arguments):
        built.append(weights)
        if weights == "imagenet":
            keras.utils.set_random_seed(5)
        return builder(weights=None, **arguments)

    monkeypatch.setattr(keras.applications, "MobileNet", mobilenet)
    return built


RECALLED = """
import sys
from pathlib import Path
from tasks.backbones import find_backbone
from tasks.weights import find_weights
backbone, store = find_backbone("mobilenet"), Path(sys.argv[1])
print(find_weights(backbone, "imagenet", image_size=(32, 32), seed=0, store=store).digest)
print({"tensorflow", "keras"} & {*sys.modules})
"""


def test_a_remembered_digest_costs_no_tensorflow(downloaded, tmp_path):
    weights = find_weights(MOBILENET, "imagenet", image_size=SIZE, seed=0, store=tmp_path)
    assert downloaded == ["imagenet"]
    again = find_weights(MOBILENET, "imagenet", image_size=SIZE, seed=0, store=tmp_path)
    assert again == weights
    assert downloaded == ["imagenet"]
    told = subprocess.run(
        [sys.executable, "-c", RECALLED, tmp_path], check=True, capture_output=True, text=True
    )
    assert told.stdout.split() == [weights.digest, "set()"]


@pytest.mark.parametrize("change", ["backbone", "size", "keras"])
def test_a_digest_is_remembered_for_that_question_only(downloaded, tmp_path, monkeypatch, change):
    find_weights(MOBILENET, "imagenet", image_size=SIZE, seed=0, store=tmp_path)
    backbone, size = MOBILENET, SIZE
    if change == "backbone":
        backbone = replace(MOBILENET, arguments=(("include_top", False), ("alpha", 0.25)))
    elif change == "size":
        size = (64, 64)
    else:
        monkeypatch.setattr("tasks.weights.version", lambda _: "99")
    find_weights(backbone, "imagenet", image_size=size, seed=0, store=tmp_path)
    assert downloaded == ["imagenet", "imagenet"]


def test_other_weights_than_those_remembered_are_noticed(downloaded, tmp_path, monkeypatch):
    weights = find_weights(MOBILENET, "imagenet", image_size=SIZE, seed=0, store=tmp_path)
    build_backbone(MOBILENET, weights, SIZE)
    monkeypatch.setattr(keras.utils, "set_random_seed", lambda seed: None)
    with pytest.raises(WeightsError, match="other ImageNet weights of mobilenet"):
        build_backbone(MOBILENET, weights, SIZE)


def test_a_backbone_without_imagenet_weights_says_so(tiny):
    with pytest.raises(WeightsError, match="tiny has no ImageNet weights"):
        find_weights(tiny.TINY, "imagenet", image_size=SIZE, seed=0, store=None)
