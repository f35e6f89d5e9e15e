"""A KerasHub preset as a backbone: its own classes only, and its weights checked as any others."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.backbones.files.digest import file_digest
from tasks.backbones.files.preset_folder import (
    CONFIG,
    INDEX,
    WEIGHTS,
    preset_config,
    preset_input,
    shape_key,
    weight_parts,
)
from tasks.backbones.keras_weights import load_keras_weights
from tasks.errors import InputError, WeightsError

# DINOv2's position embeddings, and what its layer computes of them when it loads its weights.
_POSITIONS, _RESIZED = "position_embeddings", "interpolated_position_embeddings"
_OF_POSITIONS = "position_embedding_shape"


@dataclass(frozen=True)
class Preset:
    """A loaded preset; a model made of it is a part of its graph, and has its weights."""

    backbone: Any  # of KerasHub
    config: dict[str, Any]

    def save(self, folder: Path) -> None:
        """Write it into a new folder, as `save_to_preset` does."""
        saved = self._of_its_size() if _OF_POSITIONS in self.config["config"] else self
        folder.mkdir()
        (folder / CONFIG).write_text(json.dumps(saved.config, indent=4))
        saved.backbone.save_weights(folder / WEIGHTS)

    def _of_its_size(self) -> "Preset":
        """Return the same preset, whose position embeddings are of the size of its images.

        KerasHub resizes others at each load, and a save would lose what was trained of them.
        """
        settings = self.config["config"]
        sized = {**settings, _OF_POSITIONS: settings["image_shape"]}
        config = {**self.config, "config": sized}
        backbone = _made(config)
        values = {weight.name: weight for weight in self.backbone.weights}
        for own, weight in zip(backbone.weights, self.backbone.weights, strict=True):
            own.assign(values[_RESIZED] if own.name == _POSITIONS else weight)
        return Preset(backbone, config)


def loaded_preset(folder: Path, digest: str, image_size: tuple[int, int]) -> Any:  # noqa: ANN401
    """Return the model in a preset's folder of this digest, for images of a size.

    Its `preset` is the Preset. Raises InputError, or WeightsError for another digest.
    """
    from tasks.execution.checked_keras import keras

    config, own = preset_config(folder), preset_input(folder)[1:3]
    hub = _keras_hub(folder)
    kind = keras.saving.get_registered_object(config["registered_name"])
    if not isinstance(kind, type) or not issubclass(kind, hub.models.Backbone):
        raise InputError(
            f"{folder / CONFIG}: KerasHub {hub.__version__} has no backbone "
            f"{config['class_name']}; give a preset of one, or install the version it is of"
        )
    key = shape_key(config)
    sized = {**config, "config": {**config["config"], key: [*image_size, 3]}}
    fits = all(side in {-1, asked} for side, asked in zip(own, image_size, strict=True))
    try:
        backbone = _made(sized)
        _load(backbone, folder)
    except Exception as error:  # whatever a constructor of KerasHub raises
        if isinstance(error, InputError) and fits:
            raise
        raise _refused(folder, image_size, own, error) from error
    flat = _of_images(keras, backbone, folder)
    if file_digest(folder) != digest:
        raise WeightsError(f"{folder}: a file changed while it was read; run the command again")
    flat.preset = Preset(backbone, sized)
    return flat


def keras_reason(error: Exception) -> str:
    """Return Keras's reason on one line, without the colours that it has for terminals."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    return " ".join(plain.partition("Arguments received by")[0].split())[:200].rstrip(". ")


def _keras_hub(folder: Path) -> Any:  # noqa: ANN401  the module
    """Return KerasHub, which registers its classes with Keras; raises InputError without it."""
    try:
        import keras_hub
    except ImportError as error:
        raise InputError(
            f"{folder}: a preset of KerasHub, which is not installed ({error}); run "
            "pip install 'gargalo[keras-hub]'"
        ) from error
    return keras_hub


def _made(config: dict[str, Any]) -> Any:  # noqa: ANN401
    from tasks.execution.checked_keras import keras

    return keras.saving.deserialize_keras_object(config, safe_mode=True)


def _load(backbone: Any, folder: Path) -> None:  # noqa: ANN401
    whole = folder / WEIGHTS
    path = whole if whole.is_file() else folder / INDEX
    load_keras_weights(
        backbone, path, type(backbone).__name__, parts=weight_parts(path), computed={_RESIZED}
    )


def _of_images(keras: Any, backbone: Any, folder: Path) -> Any:  # noqa: ANN401
    """Return the model from a tensor of images to one output; raises InputError."""
    inputs, outputs = list(backbone.inputs), list(backbone.outputs)
    for what, some in (("inputs", inputs), ("outputs", outputs)):
        if len(some) != 1:
            names = ", ".join(str(one.name) for one in some[:6])
            raise InputError(
                f"{folder}: {len(some)} {what} ({names}), expected one; give a preset of a network "
                "from images to features"
            )
    return keras.Model(inputs[0], outputs[0])


def _refused(
    folder: Path, image_size: tuple[int, int], own: tuple[int, ...], error: Exception
) -> InputError:
    """Return the error for a preset that is not loaded, by the size of images if it is another."""
    (height, width), reason = image_size, keras_reason(error)
    if -1 in own or image_size == own:
        return InputError(
            f"{folder}: KerasHub cannot load it for images of {height}×{width} pixels: {reason}; "
            "use another --image-size, or download the preset again"
        )
    if isinstance(error, WeightsError):
        reason = "its weights are of another size"
    return InputError(
        f"{folder}: the network does not take images of {height}×{width} pixels: {reason}; use its "
        f"own size, {own[0]}×{own[1]}"
    )
