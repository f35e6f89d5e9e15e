"""OpenVINO if it agrees with Keras on photographs, otherwise Keras."""

import logging
from dataclasses import asdict
from typing import Any

from stores.errors import StoreError
from tasks.backbones.files.backbone import is_graph_file
from tasks.errors import ExtractionError, InputError
from tasks.features.agreement import Agreement, agreement, difference_in_words
from tasks.features.engines import Engine, Job
from tasks.features.engines.file_engine import trusted_file_engine
from tasks.features.engines.keras_engine import KerasEngine
from tasks.features.engines.openvino_engine import OpenVinoEngine
from tasks.features.engines.probe import probe_pixels

log = logging.getLogger("gargalo.extract")


def trusted_engine(job: Job) -> Engine:
    """Return OpenVINO if its model is verified, otherwise Keras.

    A converted model is compared with Keras on fixed photographs, and then stored with the figures.
    A stored model is not compared again, and needs no Keras model.
    """
    recipe = job.recipes[0]
    if is_graph_file(recipe):
        return trusted_file_engine(job)
    if recipe.compute_precision == "int8":
        from tasks.features.engines.int8_engine import Int8Engine

        return Int8Engine(job)
    only_openvino = recipe.compute_precision != "float32"  # Keras would compute another recipe
    try:
        engine = OpenVinoEngine(job)
        results = _compared(engine, job)
    except InputError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        if only_openvino:
            raise ExtractionError(f"OpenVINO cannot compute {recipe}: {reason}") from error
        log.warning("OpenVINO cannot compute %s: %s; Keras is used instead", recipe, reason)
        return KerasEngine(job)
    reference = engine.reference
    if not reference:
        return engine
    worst = max(results, key=lambda result: result.excess)
    reference.checked = engine.checked = worst.rows
    if all(result.within_tolerance for result in results):
        _keep(engine, asdict(worst))
        return engine
    disagreement = (
        f"recipe {recipe}: OpenVINO differs from Keras on {worst.rows} photographs: "
        f"{difference_in_words(asdict(worst))}; smallest cosine {worst.smallest_cosine:.6f}"
    )
    if only_openvino:
        raise ExtractionError(f"{disagreement}; use --precision float32")
    log.warning("%s; Keras is used instead", disagreement)
    return reference


def _compared(engine: OpenVinoEngine, job: Job) -> list[Agreement]:
    """Compare an engine that was not verified before with Keras, for each recipe."""
    if not engine.reference:
        return []
    pixels = probe_pixels(job.recipes[0].image_size)
    pairs = zip(engine.reference.compute(pixels), engine.compute(pixels), strict=True)
    precision = job.recipes[0].compute_precision
    return [agreement(*pair, precision=precision) for pair in pairs]


def _keep(engine: OpenVinoEngine, figures: dict[str, Any]) -> None:
    try:
        engine.keep(figures)
    except (StoreError, OSError) as error:  # then the next process converts it again
        log.warning("the converted model cannot be stored: %s", error)
