"""The reference engine: the Keras model itself, on CPU or GPU."""

import platform
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stores.features.recipe import Pooling
from tasks.backbones.registry import find_backbone
from tasks.backbones.weights import build_backbone
from tasks.errors import InputError, unknown
from tasks.execution.checked_keras import keras, tf
from tasks.features.engines import Engine, Job
from tasks.features.request import DEFAULT_TAP


class KerasEngine(Engine):
    """A backbone with one output for each recipe's tap, pooled as in the recipe."""

    name = "keras"
    parallel = 1  # TensorFlow spreads one batch over all cores

    def __init__(self, job: Job) -> None:
        first = job.recipes[0]
        backbone = find_backbone(first.backbone)
        base = build_backbone(backbone, job.weights, first.image_size)
        outputs = [pooled(tap_output(base, r.tap), r.pooling, r.tap) for r in job.recipes]
        model = keras.Model(base.input, outputs)
        self.image_size = first.image_size
        self.feature_shapes = tuple(tuple(output.shape[1:]) for output in outputs)
        self.producer = {
            "engine": self.name,
            "instruction_set": instruction_set(),
            "versions": {name: version(name) for name in ("gargalo", "keras", "tensorflow")},
        }
        # One graph for all batch sizes: the last batch of a shard is not padded.
        self._forward = tf.function(
            lambda pixels: model(backbone.preprocess(pixels), training=False),
            input_signature=[tf.TensorSpec([None, *first.image_size, 3], tf.float32)],
            autograph=False,
        )

    @property
    def graph(self) -> Any:  # noqa: ANN401
        """The concrete TensorFlow function from pixels to the list of outputs."""
        return self._forward.get_concrete_function()

    def compute(self, pixels: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Return each recipe's rows (n, *shape) for pixels (n, height, width, 3), 0 to 255."""
        rows = self._forward(tf.constant(pixels))
        return [np.asarray(row) for row in (rows if isinstance(rows, list | tuple) else [rows])]


def tap_output(base: Any, tap: str) -> Any:  # noqa: ANN401
    """Return the output of a layer by name, or of the model; raises InputError."""
    if tap == DEFAULT_TAP:
        return base.output
    names = [layer.name for layer in base.layers]
    if tap not in names:
        raise unknown("layer", tap, names, fix=f"or {DEFAULT_TAP!r}, the backbone's output")
    return base.get_layer(tap).output


def instruction_set() -> str:
    """Return the GPU, or the CPU's architecture with the widest instruction set of NumPy."""
    if gpus := tf.config.get_visible_devices("GPU"):
        return str(tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU"))
    found = np.show_config(mode="dicts")["SIMD Extensions"].get("found") or ["baseline"]
    return f"{platform.machine()} {found[-1]}"


def pooled(output: Any, pooling: Pooling, tap: str) -> Any:  # noqa: ANN401
    """Return a tap's pooled output; raises InputError if it is not a feature map."""
    if pooling == "none":
        return output
    if len(output.shape) != 4 or pooling not in {"avg", "max"}:
        of = "pooling" if pooling in {"avg", "max"} else f"--pooling {pooling}, which is of tokens"
        raise InputError(
            f"tap {tap!r} has shape {tuple(output.shape[1:])}, expected (height, width, channels) "
            f"for {of}; use --pooling none"
        )
    layer = {"avg": keras.layers.GlobalAveragePooling2D, "max": keras.layers.GlobalMaxPooling2D}
    return layer[pooling]()(output)
