"""The gate: what int8 costs in accuracy, and gains in speed, against float32 in the same run."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from stores.features.recipe import Recipe
from stores.manifest import Images
from stores.quantized import Gate
from tasks.datasets.folds import Fold, fold_numbers
from tasks.errors import InputError
from tasks.execution.cancellation import stop_if_requested
from tasks.execution.progress import advance
from tasks.features.agreement import agreement
from tasks.features.engines import Engine
from tasks.features.feature_batches import feature_batches
from tasks.features.request import BATCH_SIZE
from tasks.heads import Candidate, Failed, find_kind
from tasks.heads.examples import Examples, MemoryStream, flat
from tasks.heads.presets import make_head
from tasks.quantization.drawn_images import FOLDS, Drawn, check_all_usable, in_parts

_TURNS = 3  # of each engine, so that another load of the machine falls on both


def measured_gate(
    drawn: Drawn,
    recipe: Recipe,
    *,
    float32: Engine,
    int8: Engine,
    calibration: NDArray[np.uint8],
) -> Gate:
    """Return what int8 costs and gains on drawn images; the speed is measured on `calibration`."""
    speeds = speeds_in_turn((float32, int8), calibration)
    rows, quantized = _rows(drawn, recipe, _Both(float32, int8))
    accuracies = [accuracy_by_folds(some, drawn.images) for some in (rows, quantized)]
    return Gate(
        images=len(rows),
        accuracy=accuracies[1],
        accuracy_at_float32=accuracies[0],
        speed=speeds[1],
        speed_at_float32=speeds[0],
        mean_difference=agreement(rows, quantized, precision="int8").mean_difference,
    )


def speeds_in_turn(engines: Sequence[Engine], pixels: NDArray[np.uint8]) -> list[float]:
    """Return the images/s of each engine's forward pass, the best of _TURNS in turn."""
    parts = list(in_parts(pixels, BATCH_SIZE)())
    best = [0.0] * len(engines)
    for _ in range(_TURNS):
        for number, engine in enumerate(engines):
            stop_if_requested()
            engine.compute(parts[0])  # what is in the caches is its own
            with ThreadPoolExecutor(engine.parallel) as pool:
                began = time.perf_counter()
                list(pool.map(engine.compute, parts))
                speed = len(pixels) / (time.perf_counter() - began)
            best[number] = max(best[number], speed)
    return best


def accuracy_by_folds(rows: NDArray[np.float32], images: Images) -> float:
    """Return the accuracy of a logistic head on images that it did not learn from.

    Raises InputError where it cannot be trained.
    """
    numbers = fold_numbers(images, FOLDS)
    folds = [Fold(numbers != n, numbers == n) for n in range(FOLDS)]
    classes, labels = np.unique(images.labels, return_inverse=True)
    head = make_head("logistic", {}, classes=len(classes))
    examples = Examples(MemoryStream(rows), labels, len(classes), folds)
    candidates = [Candidate(head, 0, fold) for fold in range(FOLDS)]
    right = 0
    for fold, trained in zip(folds, find_kind("logistic").train(candidates, examples), strict=True):
        stop_if_requested()
        if isinstance(trained, Failed):
            raise InputError(f"--precision int8 cannot be measured: {trained.reason}")
        predicted = trained.scores(rows[fold.validation]).argmax(axis=1)
        right += int((predicted == labels[fold.validation]).sum())
    return right / len(labels)


class _Both(Engine):
    """Two engines that compute the same batches, so that each image is decoded once."""

    def __init__(self, first: Engine, second: Engine) -> None:
        self._engines = first, second
        self.parallel = max(first.parallel, second.parallel)
        self.feature_shapes = (*first.feature_shapes, *second.feature_shapes)

    def compute(self, pixels: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Return the rows of the first engine, and those of the second."""
        return [row for engine in self._engines for row in engine.compute(pixels)]


def _rows(drawn: Drawn, recipe: Recipe, engine: Engine) -> list[NDArray[np.float32]]:
    """Return an engine's features (n, values) of the images; of a map the mean over its places."""
    found: list[list[NDArray[np.float32]]] = [[] for _ in engine.feature_shapes]
    with drawn.batches(recipe) as batches:
        for batch, computed in feature_batches(batches, engine):
            stop_if_requested()
            check_all_usable(batch)
            for rows, some in zip(computed, found, strict=True):
                places = tuple(range(1, rows.ndim - 1))
                some.append(flat(rows.mean(axis=places) if places else rows))
            advance(len(batch.images))
    return [np.concatenate(some) for some in found]
