"""Untrained weights: a seed and a name mean the same, whatever was built before."""

import random
import subprocess
import sys
import threading
from dataclasses import replace

import keras
import numpy as np
import pytest

from tasks.backbones.registry import find_backbone
from tasks.backbones.weights import build_backbone, find_weights
from tasks.features.engines import load_engine
from tasks.features.job import make_job
from tests.support.extraction import REQUEST
from tests.support.places import ROOT

SIZE = (32, 32)

PIXELS = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype(np.float32)
FEATURES = """
import sys
import numpy as np
from tests.tasks.backbones.test_weights_untrained import features
np.savez(sys.argv[1], **{str(seed): features(seed) for seed in (1, 0)})
"""


def features(seed):
    job = make_job(
        replace(REQUEST, backbone="mobilenet", image_size=32, weights_seed=seed),
        store="unused",
        engine="keras",
    )
    (rows,) = load_engine(job).compute(PIXELS)
    return rows


@pytest.mark.server  # processes
def test_a_seed_gives_the_same_features_in_any_process(tmp_path):
    here = {seed: features(seed) for seed in (0, 1)}
    command = [sys.executable, "-c", FEATURES, tmp_path / "there.npz"]
    subprocess.run(command, check=True, cwd=ROOT)
    there = np.load(tmp_path / "there.npz")
    assert all(np.array_equal(here[seed], there[str(seed)]) for seed in here)
    assert not np.array_equal(here[0], here[1])


def test_a_seed_gives_the_same_weights_whatever_other_threads_draw():
    backbone = find_backbone("mobilenet")
    weights = find_weights(backbone, "none", image_size=SIZE, seed=3, store="unused")
    over = threading.Event()

    def draw():
        while not over.is_set():
            random.random()

    expected = build_backbone(backbone, weights, SIZE).get_weights()
    thread = threading.Thread(target=draw)
    thread.start()
    try:
        actual = build_backbone(backbone, weights, SIZE).get_weights()
    finally:
        over.set()
        thread.join()
    assert all(np.array_equal(one, other) for one, other in zip(expected, actual, strict=True))


def test_kernels_keep_the_size_of_what_passes_them():
    backbone = find_backbone("mobilenet")
    weights = find_weights(backbone, "none", image_size=SIZE, seed=0, store="unused")
    model = build_backbone(backbone, weights, SIZE)
    for name, fan_in in (("conv1", 27), ("conv_dw_3", 9), ("conv_pw_3", 128)):
        (kernel,) = model.get_layer(name).get_weights()
        assert kernel.std() == pytest.approx((2 / fan_in) ** 0.5, rel=0.1)
        assert abs(kernel.mean()) < 0.1 * kernel.std()


def test_a_layer_has_the_same_name_whatever_was_built_before(tiny):
    weights = find_weights(tiny.TINY, "none", image_size=SIZE, seed=0, store="unused")
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
        (row,) = load_engine(
            make_job(replace(asked, weights_seed=seed), store="unused", engine="keras")
        ).compute(pixels)
        rows.append(row)
    assert np.array_equal(rows[0], rows[2])
