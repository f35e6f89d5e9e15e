"""The reference engine: the Keras model itself, on CPU or GPU."""

import platform
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stores.features.recipe import Pooling, Recipe
from tasks.backbones.files.backbone import is_from_file, library_versions, special_tokens
from tasks.backbones.files.description import named_by
from tasks.backbones.files.keras_file import backbone_of
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
        backbone = backbone_of(first, job.weights.path)
        base = build_backbone(backbone, job.weights, first.image_size)
        path = Path(job.weights.path) if is_from_file(first) else None
        outputs = [recipe_output(base, recipe, path) for recipe in job.recipes]
        model = keras.Model(base.input, outputs)
        self.image_size = first.image_size
        self.feature_shapes = tuple(tuple(output.shape[1:]) for output in outputs)
        self.producer = {
            "engine": self.name,
            "instruction_set": instruction_set(),
            "versions": library_versions(first, "gargalo", "keras", "tensorflow"),
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


def tap_output(base: Any, tap: str, path: Path | None = None) -> Any:  # noqa: ANN401
    """Return the output of a layer by name, or of the model; raises InputError.

    That names the description of the backbone's file, if there is a `path`, and it has the name.
    """
    if tap == DEFAULT_TAP and len(base.outputs) == 1:
        return base.output
    if tap == DEFAULT_TAP:
        raise InputError(
            f"{len(base.outputs)} outputs ({', '.join(base.output_names)}): name one of them, or "
            "another layer, with --tap, or as tap in the TOML file beside the backbone"
        )
    names = [layer.name for layer in base.layers]
    if tap not in names:
        error = unknown("layer", tap, names, fix=f"or {DEFAULT_TAP!r}, the backbone's output")
        raise named_by(path, tap, error) if path else error
    return base.get_layer(tap).output


def instruction_set() -> str:
    """Return the GPU, or the CPU's architecture with the widest instruction set of NumPy."""
    if gpus := tf.config.get_visible_devices("GPU"):
        return str(tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU"))
    found = np.show_config(mode="dicts")["SIMD Extensions"].get("found") or ["baseline"]
    return f"{platform.machine()} {found[-1]}"


def recipe_output(base: Any, recipe: Recipe, path: Path | None = None) -> Any:  # noqa: ANN401
    """Return what a recipe stores of a backbone: its tap, pooled; raises InputError."""
    output = tap_output(base, recipe.tap, path)
    return pooled(output, recipe.pooling, recipe.tap, special_tokens(recipe))


def pooled(output: Any, pooling: Pooling, tap: str, special: int | None = None) -> Any:  # noqa: ANN401
    """Return a tap's pooled output; raises InputError if it cannot be pooled so.

    `special` is the number of a file's tokens that are not of places; None: no file's.
    """
    if pooling == "none":
        return output
    rank = len(output.shape)
    if special is not None and rank == 2 and pooling in {"avg", "max"}:
        return output  # it has no places to pool
    if special is not None and rank == 3 and pooling in {"cls", "mean-tokens", "cls+mean"}:
        return _of_tokens(output, pooling, special)
    if rank != 4 or pooling not in {"avg", "max"}:
        of = "pooling" if pooling in {"avg", "max"} else f"--pooling {pooling}, which is of tokens"
        tokens = "cls, mean-tokens, cls+mean or " if special is not None and rank == 3 else ""
        raise InputError(
            f"tap {tap!r} has shape {tuple(output.shape[1:])}, expected (height, width, channels) "
            f"for {of}; use --pooling {tokens}none"
        )
    layer = {"avg": keras.layers.GlobalAveragePooling2D, "max": keras.layers.GlobalMaxPooling2D}
    return layer[pooling]()(output)


def _of_tokens(output: Any, pooling: Pooling, special: int) -> Any:  # noqa: ANN401
    layers, count = keras.layers, int(output.shape[1])
    if special >= count:
        raise InputError(
            f"{count} tokens, of which {special} are a class token and registers; correct "
            "class_token and register_tokens in the TOML file of the backbone"
        )
    first = layers.Flatten()(layers.Cropping1D((0, count - 1))(output))
    if pooling == "cls":
        return first
    mean = layers.GlobalAveragePooling1D()(layers.Cropping1D((special, 0))(output))
    return mean if pooling == "mean-tokens" else layers.Concatenate()([first, mean])
