"""The engine for CPUs: the Keras model converted to OpenVINO, and stored once it is verified."""

import hashlib
import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stores.storage.publish import publish_folder
from tasks.backbones.files.backbone import library_versions
from tasks.errors import InputError
from tasks.execution.quiet_openvino import CORE, ov
from tasks.features.engines import Engine, Job
from tasks.features.engines.converted_model import has_record, kept_agreement, write_record
from tasks.features.engines.keras_engine import KerasEngine
from tasks.features.engines.probe import PROBE_VERSION

log = logging.getLogger("gargalo.extract")

_DEVICE = "CPU"
# The model is compiled for this batch size, so that activations stay in the CPU's caches. On two
# cores, MobileNetV2 at 160: 519 images/s at 2, 502 at 1, 352 at 32, 314 for a variable size.
ROWS_AT_ONCE = 2
PRECISIONS = {"float32": "f32", "bfloat16": "bf16"}


class OpenVinoEngine(Engine):
    """A backbone run by OpenVINO, several batches at once.

    `agreement` has the figures of its agreement with Keras if it was verified before; otherwise
    `reference` is the Keras engine that it was converted from.
    """

    name = "openvino"
    rows_at_once = ROWS_AT_ONCE

    def __init__(self, job: Job) -> None:
        check_precision(job)
        self._identity = _identity(job)
        self._folder = _folder(job, self._identity)
        self.agreement = kept_agreement(self._folder, self._identity)
        self.reference = None if self.agreement else KerasEngine(job)
        self._model = at_once(self.reference) if self.reference else None
        self._compile(
            self._model or CORE.read_model(self._folder / "model.xml"),
            PRECISIONS[job.recipes[0].compute_precision],
        )
        self.producer = {
            "engine": self.name,
            "instruction_set": self._identity["instruction_set"],
            "versions": self._identity["versions"],
            "agreement": self.agreement,
        }

    def _compile(self, model: ov.Model, precision: str) -> None:
        """Compile a model for `rows_at_once` images, with as many requests as are quickest."""
        self._compiled = CORE.compile_model(
            model,
            _DEVICE,
            {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "THROUGHPUT"},
        )
        self.parallel = int(self._compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        self._requests: SimpleQueue[ov.InferRequest] = SimpleQueue()
        for _ in range(self.parallel):
            self._requests.put(self._compiled.create_infer_request())
        self.feature_shapes = tuple(
            tuple(int(side.get_length()) for side in list(output.partial_shape)[1:])
            for output in self._compiled.outputs
        )

    def compute(self, pixels: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Return each recipe's rows (n, *shape) for pixels (n, height, width, 3), 0 to 255."""
        rows = [np.empty((len(pixels), *shape), np.float32) for shape in self.feature_shapes]
        request = self._requests.get()
        try:
            for start in range(0, len(pixels), self.rows_at_once):
                some = pixels[start : start + self.rows_at_once]
                request.infer({0: _filled_up(some, self.rows_at_once)}, share_inputs=True)
                for array, tensor in zip(rows, request.output_tensors, strict=True):
                    array[start : start + len(some)] = tensor.data[: len(some)]
            return rows
        finally:
            self._requests.put(request)

    def keep(self, agreement: dict[str, Any]) -> None:
        """Store the converted model for other processes, with the figures of its agreement."""
        with publish_folder(self._folder, tmp=self._folder.parent / "tmp") as draft:
            ov.save_model(self._model, draft / "model.xml", compress_to_fp16=False)
            write_record(draft, self._identity, agreement)
        self.agreement, self.reference, self._model = agreement, None, None
        self.producer = {**self.producer, "agreement": agreement}


def is_kept(job: Job) -> bool:
    """Return whether a job's model is stored, converted and verified."""
    identity = _identity(job)
    return has_record(_folder(job, identity), identity)


def _identity(job: Job) -> dict[str, Any]:
    """Return everything that determines a converted model's output, as plain JSON values."""
    first = job.recipes[0]
    return {
        "backbone": first.backbone,
        "backbone_arguments": dict(first.backbone_arguments),
        "weights": first.weights,
        "image_size": list(first.image_size),
        "preprocessing": first.preprocessing,
        "outputs": [[recipe.tap, recipe.pooling] for recipe in job.recipes],
        "precision": first.compute_precision,
        "rows_at_once": ROWS_AT_ONCE,
        "probe": PROBE_VERSION,
        "instruction_set": str(CORE.get_property(_DEVICE, "FULL_DEVICE_NAME")),
        "versions": library_versions(first, "gargalo", "keras", "openvino", "tensorflow"),
    }


def _folder(job: Job, identity: dict[str, Any]) -> Path:
    text = json.dumps(identity, sort_keys=True)
    name = hashlib.sha256(text.encode()).hexdigest()[:16]
    return (job.store / "engines" / "openvino" / name).path


def check_precision(job: Job) -> None:
    """Raise InputError if the CPU does not have a job's precision."""
    known = CORE.get_property(_DEVICE, "OPTIMIZATION_CAPABILITIES")
    if job.recipes[0].compute_precision == "bfloat16" and "BF16" not in known:
        raise InputError(
            f"--precision bfloat16: this CPU ({CORE.get_property(_DEVICE, 'FULL_DEVICE_NAME')}) "
            f"supports only {', '.join(known)}; use --precision float32"
        )


def converted(graph: Any) -> ov.Model:  # noqa: ANN401
    """Return a concrete TensorFlow function as an OpenVINO model."""
    with _logging_as_it_was():
        # Shared weights are Keras's own memory, which the compiled model would read after Keras has
        # given it back.
        return ov.convert_model(graph, share_weights=False)


def at_once(reference: KerasEngine, rows: int = ROWS_AT_ONCE) -> ov.Model:
    """Return a Keras engine as an OpenVINO model of so many images."""
    model = converted(reference.graph)
    # Outputs are in the order of their names: Identity, Identity_1, Identity_10, Identity_2, …; and
    # there may be others, as a number inside of Keras's attention.
    places = {_place(output): output.get_node() for output in model.outputs}
    results = [places[place] for place in sorted(places) if place >= 0]
    model = ov.Model(results, model.get_parameters(), "backbone")
    model.reshape([rows, *reference.image_size, 3])
    return model


def _place(output: Any) -> int:  # noqa: ANN401
    """Return the place of a converted function's output; -1: it is none of those returned."""
    found = [re.fullmatch(r"Identity(?:_(\d+))?:0", name) for name in output.get_names()]
    return next((int(name[1] or 0) for name in found if name), -1)


def _filled_up(pixels: NDArray[np.float32], rows: int) -> NDArray[np.float32]:
    """Return pixels padded to the model's batch size, by repeating the last image."""
    missing = rows - len(pixels)
    return np.concatenate([pixels, *[pixels[-1:]] * missing]) if missing else pixels


@contextmanager
def _logging_as_it_was() -> Iterator[None]:
    # The converter sets the root logger to errors only, and does not restore it if it fails.
    root = logging.getLogger()
    before = root.level, root.filters[:], root.handlers[:]
    try:
        yield
    finally:
        root.setLevel(before[0])
        root.filters, root.handlers = before[1:]
