"""OpenVINO, once it agrees with Keras on photographs; else Keras takes its place."""

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
    """OpenVINO where it can be trusted, Keras where it cannot.

    A converted model is compared with Keras on the same photographs whatever the data set, and
    then kept with the figures; a kept one is trusted, and needs no Keras model any more.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._engine, self._doubted = _converted_or_keras(job)
        self._settling = threading.Lock()
        self._compared = 0

    @property
    def name(self) -> EngineName:
        """Which of the two computes."""
        return self._engine.name

    @property
    def producer(self) -> dict[str, Any]:
        """Who computes, with the figures of the agreement."""
        return self._engine.producer

    @property
    def feature_shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shape of one row, for each recipe."""
        return self._engine.feature_shapes

    @property
    def parallel(self) -> int:
        """How many batches are computed at once."""
        return self._engine.parallel

    def compute(self, pixels: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Return each recipe's rows (n, *shape) for pixels (n, height, width, 3), 0 to 255."""
        if self._doubted:
            with self._settling:
                if self._doubted:
                    self._settle(self._doubted)
        return self._engine.compute(pixels)

    def take_checked(self) -> int:
        """Return how many rows were computed only to be compared since this was last asked."""
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
            log.warning("%s; Keras takes over", _disagreement(self._job, worst))
            self._engine = reference
        else:  # Keras would compute another recipe
            raise ExtractionError(f"{_disagreement(self._job, worst)}; use --precision float32")
        self._doubted = None


def _converted_or_keras(job: Job) -> tuple[Engine, OpenVinoEngine | None]:
    """Return the engine that computes, and it again where it has yet to be compared."""
    try:
        engine = OpenVinoEngine(job)
    except InputError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        if job.recipes[0].compute_precision != "float32":
            raise ExtractionError(f"OpenVINO cannot compute {job.recipes[0]}: {reason}") from error
        log.warning("OpenVINO cannot compute %s: %s; Keras takes over", job.recipes[0], reason)
        return KerasEngine(job), None
    return engine, None if engine.agreement else engine


def _keep(candidate: OpenVinoEngine, figures: dict[str, Any]) -> None:
    try:
        candidate.keep(figures)
    except (StoreError, OSError) as error:  # it saves the next process a conversion, no more
        log.warning("the converted model is not kept: %s", error)


def _disagreement(job: Job, result: Agreement) -> str:
    return (
        f"recipe {job.recipes[0]}: OpenVINO differs from Keras on {result.rows} photographs: "
        f"{difference_in_words(asdict(result))}; smallest cosine {result.smallest_cosine:.6f}"
    )
