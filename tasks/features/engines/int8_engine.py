"""The engine of a quantised backbone: OpenVINO, with the model that the recipe names."""

import io
from dataclasses import asdict
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from stores.features.recipe import Recipe
from stores.quantized import MODEL, PROBE, VALUES, Quantized, damaged_model, named_model
from tasks.errors import ExtractionError
from tasks.execution.quiet_openvino import CORE, ov
from tasks.features.agreement import agreement, difference_in_words
from tasks.features.engines import Job
from tasks.features.engines.openvino_engine import OpenVinoEngine
from tasks.features.engines.probe import probe_pixels

# On two cores with VNNI and no AMX, at 8, 4 and 2: MobileNetV2 at 160 1,381, 1,373, 1,279 images/s;
# EfficientNet-Lite0 at 224 515, 474, 464.
INT8_ROWS_AT_ONCE = 8


class Int8Engine(OpenVinoEngine):
    """A quantised backbone; no Keras model is built.

    It is compared with itself: the rows of the photographs of the probe are kept with the model.
    Raises ExtractionError if this machine computes others, or if a row depends on its place.
    """

    rows_at_once = INT8_ROWS_AT_ONCE

    def __init__(self, job: Job) -> None:
        recipe = job.recipes[0]
        kept = named_model(job.store, recipe)
        graph, expected = kept_graph(kept), _kept_rows(kept)
        try:
            self._serve(graph, recipe)
        except RuntimeError as error:
            raise damaged_model(kept.place / MODEL, " ".join(str(error).split())[:200]) from error
        self.agreement = self._compared(expected, recipe)
        self.producer = {**self.producer, "agreement": self.agreement}

    @classmethod
    def of(cls, model: ov.Model, recipe: Recipe) -> "Int8Engine":
        """Return the engine of a model that is not kept yet, which is compared with nothing."""
        engine = cls.__new__(cls)
        engine._serve(model, recipe)  # noqa: SLF001  its own
        return engine

    def _serve(self, model: ov.Model, recipe: Recipe) -> None:
        model.reshape([self.rows_at_once, *recipe.image_size, 3])
        self.agreement = self.reference = None
        # What is left in floating point: bfloat16 there is no quicker, and other values.
        self._compile(model, "f32")
        self.producer = {
            "engine": self.name,
            "instruction_set": str(CORE.get_property("CPU", "FULL_DEVICE_NAME")),
            "versions": {name: version(name) for name in ("gargalo", "openvino")},
            "agreement": None,
        }

    def _compared(self, expected: NDArray[np.float32], recipe: Recipe) -> dict[str, object]:
        """Return the agreement with the rows that the model gave where it was made."""
        computed = self.probed(recipe)
        self.checked = len(computed)
        if expected.shape != computed.shape:
            raise ExtractionError(
                f"recipe {recipe}: the quantised model computes features of shape "
                f"{computed.shape[1:]}, expected {expected.shape[1:]}; use --precision float32"
            )
        found = agreement(expected, computed, precision="int8")
        if not found.within_tolerance:
            raise ExtractionError(
                f"recipe {recipe}: the quantised model computes other features here than where it "
                f"was made: {difference_in_words(asdict(found))}; use --precision float32"
            )
        return {**asdict(found), "with": "the quantised model as it was kept"}

    def probed(self, recipe: Recipe) -> NDArray[np.float32]:
        """Return the rows of the photographs of the probe.

        Raises ExtractionError where they are others at other places of a batch, or all alike.
        """
        pixels = probe_pixels(recipe.image_size)
        (rows,) = self.compute(pixels)
        (reversed_rows,) = self.compute(pixels[::-1])
        moved = agreement(rows, reversed_rows[::-1])
        if not moved.within_tolerance:
            raise ExtractionError(
                f"recipe {recipe}: the quantised model computes other rows at other places of a "
                f"batch: {difference_in_words(asdict(moved))}; use --precision float32"
            )
        if len(np.unique(rows.reshape(len(rows), -1), axis=0)) < len(rows):
            raise ExtractionError(
                f"recipe {recipe}: the quantised model computes the same features of different "
                "photographs; use --precision float32"
            )
        return rows


def kept_graph(kept: Quantized) -> ov.Model:
    """Return a kept model, from pixels to features, as it was quantised; raises CorruptStore."""
    values = np.frombuffer(kept.read(VALUES), np.uint8)
    try:
        graph = CORE.read_model(kept.read(MODEL), ov.Tensor(values, shared_memory=False))
    except RuntimeError as error:
        raise damaged_model(kept.place / MODEL, " ".join(str(error).split())[:200]) from error
    if (ends := (len(graph.inputs), len(graph.outputs))) != (1, 1):
        raise damaged_model(
            kept.place / MODEL, f"inputs and outputs: expected 1 and 1, found {ends}"
        )
    return graph


def _kept_rows(kept: Quantized) -> NDArray[np.float32]:
    try:
        rows = np.lib.format.read_array(io.BytesIO(kept.read(PROBE)), allow_pickle=False)
        return np.asarray(rows, np.float32)
    except (ValueError, TypeError, EOFError, MemoryError) as error:
        raise damaged_model(kept.place / PROBE, "it has no rows") from error
