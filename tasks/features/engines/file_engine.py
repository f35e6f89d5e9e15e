"""The engine of a backbone from a file: OpenVINO reads it as it is, nothing is converted.

Before its features are used, the file is tried on the photographs of the probe. A second executor
has to agree, a row may not depend on the other images of a batch, and images have to differ.
"""

import json
import logging
from contextlib import suppress
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stores.storage.json_files import ABSURD, as_record
from stores.storage.remembered import Question, recall, remember
from tasks.backbones.files.backbone import of_recipe
from tasks.backbones.files.digest import file_digest
from tasks.backbones.files.network import features_model
from tasks.errors import ExtractionError, WeightsError
from tasks.execution.quiet_openvino import CORE
from tasks.features.agreement import Agreement, agreement, difference_in_words
from tasks.features.engines import Job
from tasks.features.engines.openvino_engine import (
    PRECISIONS,
    ROWS_AT_ONCE,
    OpenVinoEngine,
    check_precision,
)
from tasks.features.engines.probe import PROBE_VERSION, probe_pixels
from tasks.features.engines.second_executor import second_executor

log = logging.getLogger("gargalo.extract")

_MOVED = 4  # photographs that are computed again, beside others and alone

Outputs = list[NDArray[np.float32]]


class FileEngine(OpenVinoEngine):
    """A network from a file, with one output for each recipe's tap; nothing is compared yet."""

    def __init__(self, job: Job) -> None:
        recipe, path = job.recipes[0], Path(job.weights.path)
        check_precision(job)
        model = features_model(
            path,
            of_recipe(recipe),
            [(one.tap, one.pooling) for one in job.recipes],
            image_size=recipe.image_size,
            rows=ROWS_AT_ONCE,
        )
        try:
            self._compile(model, PRECISIONS[recipe.compute_precision])
        except RuntimeError as error:
            reason = " ".join(str(error).split())[-200:]
            raise ExtractionError(f"{path}: OpenVINO cannot compute it: {reason}") from error
        if file_digest(path) != job.weights.digest:
            raise WeightsError(f"{path}: the file changed while it was read; run the command again")
        self.agreement = self.reference = None
        self.producer = {
            "engine": self.name,
            "instruction_set": str(CORE.get_property("CPU", "FULL_DEVICE_NAME")),
            "versions": {name: version(name) for name in ("gargalo", "openvino")},
            "agreement": None,
        }


def trusted_file_engine(job: Job) -> FileEngine:
    """Return the engine of a job whose file has been tried, here or by an earlier process.

    Raises ExtractionError, with figures, for a file whose features cannot be trusted.
    """
    engine = FileEngine(job)
    question = _question(job, engine)
    figures = _remembered(job, question)
    if figures is None:
        figures = _tried(engine, job)
        engine.checked = int(figures["rows"])
        remember(job.store, question, json.dumps(figures))
    engine.producer = {**engine.producer, "agreement": figures}
    return engine


def _question(job: Job, engine: FileEngine) -> Question:
    """Return all that the figures depend on."""
    about = {
        "recipes": [recipe.fingerprint for recipe in job.recipes],
        "rows_at_once": ROWS_AT_ONCE,
        "probe": PROBE_VERSION,
        **engine.producer,
    }
    return {"what": "agreement of a backbone from a file", "of": json.dumps(about, sort_keys=True)}


def _remembered(job: Job, question: Question) -> dict[str, Any] | None:
    with suppress(*ABSURD):
        figures = dict(json.loads(recall(job.store, question) or ""))
        other = str(figures.pop("with"))
        found = as_record(Agreement, figures)
        return {**asdict(found), "with": other} if found.within_tolerance else None
    return None


def _tried(engine: FileEngine, job: Job) -> dict[str, Any]:
    """Return the agreement with the second executor, the worst of the recipes', and its name.

    Raises ExtractionError if a recipe's features are not what they have to be.
    """
    pixels = probe_pixels(job.recipes[0].image_size)
    computed = engine.compute(pixels)
    for recipe, rows in zip(job.recipes, computed, strict=True):
        if why := senseless(rows):
            raise ExtractionError(f"recipe {recipe}: {why}; check preprocessing and --tap")
    # By twos, an image has another neighbour and place there; alone, it has none.
    few, expected = pixels[:_MOVED], [rows[:_MOVED] for rows in computed]
    elsewhere = [np.roll(rows, -1, axis=0) for rows in engine.compute(np.roll(few, 1, axis=0))]
    _check(expected, elsewhere, job, "computes other features of an image beside another")
    each = [engine.compute(few[n : n + 1]) for n in range(len(few))]
    alone = [np.concatenate(rows) for rows in zip(*each, strict=True)]
    _check(expected, alone, job, "computes other features of an image alone")
    other, name = second_executor(job)
    worst = _check(other(pixels), computed, job, f"in OpenVINO differs from that in {name}")
    log.info("%s agrees with %s: %s", job.recipes[0], name, difference_in_words(asdict(worst)))
    return {**asdict(worst), "with": name}


def senseless(rows: NDArray[np.float32]) -> str:
    """Return why rows of different photographs (n, *shape) cannot be features, "" if they can."""
    own = rows.reshape(len(rows), -1)
    if not np.isfinite(own).all():
        return "the network returns NaN or infinity for photographs"
    if own.shape[1] > 1 and (constant := int((np.ptp(own, axis=1) == 0).sum())):
        return f"all numbers of a feature are the same, on {constant} of {len(own)} photographs"
    if (different := len(np.unique(own, axis=0))) < len(own):
        return f"{len(own)} different photographs have only {different} different features"
    return ""


def _check(expected: Outputs, received: Outputs, job: Job, what: str) -> Agreement:
    """Return the worst agreement of the recipes; raises ExtractionError if one is too bad."""
    precision = job.recipes[0].compute_precision
    found = [
        agreement(rows, others, precision=precision)
        for rows, others in zip(expected, received, strict=True)
    ]
    worst = max(found, key=lambda one: one.excess)
    if not all(one.within_tolerance for one in found):
        raise ExtractionError(
            f"recipe {job.recipes[found.index(worst)]}: the network {what}: "
            f"{difference_in_words(asdict(worst))}; smallest cosine {worst.smallest_cosine:.6f}; "
            "export it again, for inference and in float32"
        )
    return worst
