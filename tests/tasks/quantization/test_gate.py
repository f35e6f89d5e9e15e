"""The gate measures accuracy by folds and speed in turn, of the same images."""

import time
from types import SimpleNamespace

import numpy as np
import pytest

from tasks.datasets.ingest import ingest
from tasks.features.engines import Engine
from tasks.features.job import make_job
from tasks.quantization.drawn_images import Drawn
from tasks.quantization.gate import accuracy_by_folds, measured_gate, speeds_in_turn
from tests.support.extraction import REQUEST, write_folder
from tests.support.samples import some_keys


class Computes(Engine):
    """An engine whose rows are a function of pixels, after some seconds for each batch."""

    parallel = 2

    def __init__(self, rows, seconds=0.0):
        self.rows, self.seconds, self.batches = rows, seconds, 0
        self.feature_shapes = (rows(np.zeros((1, 16, 16, 3), np.float32)).shape[1:],)

    def compute(self, pixels):
        self.batches += 1
        time.sleep(self.seconds)
        return [self.rows(pixels)]


def told_apart(count, right):
    """Return rows and images of two classes; so many of the rows are those of their class."""
    labels = np.arange(count) % 2
    seen = np.where(np.arange(count) < right, labels, 1 - labels)
    rows = np.eye(2, dtype=np.float32)[seen]
    images = SimpleNamespace(keys=some_keys(count), labels=labels, groups=None)
    return rows, images


@pytest.mark.parametrize("right", [200, 190])
def test_the_accuracy_is_that_of_images_that_were_held_out(right):
    assert accuracy_by_folds(*told_apart(200, right)) == right / 200


def test_a_head_that_learns_nothing_guesses():
    _, images = told_apart(200, 200)
    noise = np.random.default_rng(0).standard_normal((200, 150)).astype(np.float32)
    assert 0.35 < accuracy_by_folds(noise, images) < 0.65


def test_a_class_that_was_not_drawn_is_none():
    rows, images = told_apart(200, 200)
    images.labels = images.labels * 2  # of classes 0 to 2
    assert accuracy_by_folds(rows, images) == 1


def test_each_engine_gets_all_batches_in_turn():
    engines = Computes(lambda x: x), Computes(lambda x: x, seconds=0.05)
    pixels = np.zeros((80, 16, 16, 3), np.uint8)
    fast, slow = speeds_in_turn(engines, pixels)
    assert fast > slow > 0
    assert engines[0].batches == engines[1].batches > 3


def test_the_gate_has_the_figures_of_both(tiny, tmp_path):
    manifest = ingest(write_folder(tmp_path / "photos", count=40), store=tmp_path).manifest
    drawn = Drawn.of(manifest)
    recipe = make_job(REQUEST, store="unused", engine="keras").recipes[0]
    pixels = drawn.calibration(recipe)
    maps = Computes(lambda x: x)
    gate = measured_gate(
        drawn, recipe, float32=maps, int8=Computes(lambda x: 1.1 * x), calibration=pixels
    )
    assert gate.images == len(drawn.images.keys)
    assert gate.mean_difference == pytest.approx(0.1, rel=1e-3)
    assert gate.accuracy == pytest.approx(gate.accuracy_at_float32, abs=0.1)
    assert gate.speed > 0
