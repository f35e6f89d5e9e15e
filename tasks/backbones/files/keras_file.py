"""A saved Keras model as a backbone, or a preset: loaded in Keras's safe mode, of known classes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stores.features.recipe import Recipe
from tasks.backbones.files.backbone import FileBackbone, is_keras_file, of_recipe
from tasks.backbones.files.digest import file_digest
from tasks.backbones.files.keras_config import keras_config
from tasks.backbones.files.keras_preset import keras_reason, loaded_preset
from tasks.backbones.registry import Backbone, find_backbone
from tasks.errors import InputError, WeightsError
from tasks.execution.keras_backend import check_backend, use_float32


@dataclass(frozen=True)
class KerasFile(Backbone):
    """A Keras model in a file, or a preset in a folder; its weights are there, too."""

    file: FileBackbone | None = None
    path: str = ""
    has_weights = True

    def build(self, image_size: tuple[int, int], *, imagenet: bool = False) -> Any:  # noqa: ANN401, ARG002
        """Return the model for images of a size; raises InputError if it does not take them."""
        check_backend()
        use_float32()
        path, about = Path(self.path), self.file
        assert about is not None
        if about.kind == "kerashub":
            return loaded_preset(path, about.digest, image_size)
        return sized(loaded(path, about.digest), image_size, path)

    def preprocess(self, pixels: Any) -> Any:  # noqa: ANN401
        """Return RGB pixels (n, height, width, 3) from 0 to 255 as this backbone expects them."""
        from tasks.execution.checked_keras import tf

        about = self.file
        assert about is not None
        ordered = pixels[..., ::-1] if about.channels == "bgr" else pixels
        mean, std = (tf.constant(three, tf.float32) for three in (about.mean, about.std))
        return (tf.cast(ordered, tf.float32) * about.scale - mean) / std


def backbone_of(recipe: Recipe, path: str = "") -> Backbone:
    """Return the Keras backbone of a recipe; `path` is the file, if the backbone is one.

    Without a path, its layers are not known, and only images can be preprocessed.
    """
    if not is_keras_file(recipe):
        return find_backbone(recipe.backbone)
    about = of_recipe(recipe)
    return KerasFile(
        name=recipe.backbone,
        builder="",
        preprocessor="",
        preprocessing=recipe.preprocessing,
        native_size=max(recipe.image_size),
        arguments=recipe.backbone_arguments,
        file=about,
        path=path,
    )


def loaded(path: Path, digest: str) -> Any:  # noqa: ANN401  a Keras model
    """Return the model in a file of this digest; raises InputError, or WeightsError for another."""
    from tasks.execution.checked_keras import keras

    keras_config(path)  # refuses what is not to be loaded
    try:
        model = keras.saving.load_model(path, safe_mode=True, compile=False)
        outputs = list(model.outputs)
        flat = keras.Model(model.inputs[0], outputs[0])
    except Exception as error:  # whatever Keras raises for a damaged file
        reason = keras_reason(error)
        raise InputError(f"{path}: Keras cannot load it: {reason}; save it again") from error
    if len(outputs) != 1:
        raise InputError(
            f"{path}: {len(outputs)} outputs ({', '.join(model.output_names[:6])}), expected one; "
            "save the model with one of them, and give others with --tap LAYER"
        )
    if file_digest(path) != digest:
        raise WeightsError(f"{path}: the file changed while it was read; run the command again")
    return flat


def sized(model: Any, image_size: tuple[int, int], path: Path) -> Any:  # noqa: ANN401
    """Return a model for images of a size, with the same layers and weights; raises InputError."""
    from tasks.execution.checked_keras import keras

    if tuple(model.input_shape[1:3]) == image_size:
        return model
    height, width = image_size
    try:
        other = keras.models.clone_model(model, input_tensors=keras.Input((*image_size, 3)))
        other.set_weights(model.get_weights())
    except (ValueError, TypeError) as error:
        reason = keras_reason(error)
        raise InputError(
            f"{path}: the network does not take images of {height}×{width} pixels: {reason}; use "
            f"its own size, {_shown(model.input_shape[1:3])}"
        ) from error
    return other


def _shown(sides: Sequence[int | None]) -> str:
    return "×".join(str(side or "any") for side in sides)
