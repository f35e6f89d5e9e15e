"""OpenVINO if it agrees with Keras on photographs, otherwise Keras."""

import logging
import threading
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stores.errors import StoreError
from tasks.errors import ExtractionError, InputError
from tasks.features.agreement import Agreement, agreement, difference_in_words
from tasks.features.engines import Engine, Job
from tasks.features.engines.keras_engine import KerasEngine
from tasks.features.engines.openvino_engine import OpenVinoEngine
from tasks.features.engines.probe import probe_pixels
from tasks.features.request import EngineName

log = logging.getLogger("gargalo.extract")


class TrustedEngine:
    """OpenVINO if its model is verified, otherwise Keras.

    A converted model is compared with Keras on fixed photographs, and then stored with the figures.
    A stored model is not compared again, and needs no Keras model.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._engine, self._doubted = _converted_or_keras(job)
        self._settling = threading.Lock()
        self._compared = 0

    @property
    def name(self) -> EngineName:
        """The engine that is used."""
        return self._engine.name

    @property
    def producer(self) -> dict[str, Any]:
        """The hardware and software, with the figures of the agreement."""
        return self._engine.producer

    @property
    def feature_shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shape of one row, for each recipe."""
        return self._engine.feature_shapes

    @property
    def parallel(self) -> int:
        """The number of batches that are computed at once."""
        return self._engine.parallel

    def compute(self, pixels: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Return each recipe's rows (n, *shape) for pixels (n, height, width, 3), 0 to 255."""
        if self._doubted:
            with self._settling:
                if self._doubted:
                    self._settle(self._doubted)
        return self._engine.compute(pixels)

    def take_checked(self) -> int:
        """Return the number of rows computed only for a comparison since the last call."""
        with self._settling:
            compared, self._compared = self._compared, 0
        return compared

    def _settle(self, candidate: OpenVinoEngine) -> None:
        pixels = probe_pixels(self._job.recipes[0].image_size)
        reference = candidate.reference or KerasEngine(self._job)
        pairs = zip(reference.compute(pixels), candidate.compute(pixels), strict=True)
        precision = self._job.recipes[0].compute_precision
        results = [agreement(*pair, precision=precision) for pair in pairs]
        self._compared += len(pixels)
        worst = max(results, key=lambda result: result.excess)
        if all(result.within_tolerance for result in results):
            _keep(candidate, asdict(worst))
        elif precision == "float32":
            log.warning("%s; Keras is used instead", _disagreement(self._job, worst))
            self._engine = reference
        else:  # Keras would compute another recipe
            raise ExtractionError(f"{_disagreement(self._job, worst)}; use --precision float32")
        self._doubted = None


def _converted_or_keras(job: Job) -> tuple[Engine, OpenVinoEngine | None]:
    """Return the engine, and the same again if it has not been verified yet."""
    try:
        engine = OpenVinoEngine(job)
    except InputError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        if job.recipes[0].compute_precision != "float32":
            raise ExtractionError(f"OpenVINO cannot compute {job.recipes[0]}: {reason}") from error
        log.warning("OpenVINO cannot compute %s: %s; Keras is used instead", job.recipes[0], reason)
        return KerasEngine(job), None
    return engine, None if engine.agreement else engine


def _keep(candidate: OpenVinoEngine, figures: dict[str, Any]) -> None:
    try:
        candidate.keep(figures)
    except (StoreError, OSError) as error:  # then the next process converts it again
        log.warning("the converted model cannot be stored: %s", error)


def _disagreement(job: Job, result: Agreement) -> str:
    return (
        f"recipe {job.recipes[0]}: OpenVINO differs from Keras on {result.rows} photographs: "
        f"{difference_in_words(asdict(result))}; smallest cosine {result.smallest_cosine:.6f}"
    )
