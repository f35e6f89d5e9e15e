"""What a KerasHub preset's folder says of its network, read without Keras.

Such a folder is what `save_to_preset` writes, and what KerasHub downloads: the configuration of a
backbone in `config.json`, and its weights, in one file or, of a large one, in several.
"""

import json
import re
from pathlib import Path
from typing import Any

from stores.storage.json_files import ABSURD, parsed
from tasks.backbones.files.keras_config import check_classes
from tasks.errors import InputError
from tasks.execution.user_files import read_whole

CONFIG, WEIGHTS, INDEX = "config.json", "model.weights.h5", "model.weights.json"
_FIRST_PART = "model_00000.weights.h5"  # which Keras opens whatever the index says
_LARGEST = 2**24  # bytes of a configuration or an index
# KerasHub registers its classes under its earlier name, too, which older presets have.
_BACKBONE = re.compile(r"keras_(hub|nlp)>(\w+)")
_SHAPES = ("image_shape", "input_shape")  # EfficientNet's is the second
_OF_OTHERS = {"model_type": "Hugging Face Transformers", "architecture": "timm"}


def preset_files(folder: Path) -> list[Path]:
    """Return the files that a preset's network is of; raises InputError where one is missing."""
    config, whole, index = (folder / name for name in (CONFIG, WEIGHTS, INDEX))
    if not config.is_file():
        raise InputError(
            f"--backbone {folder}: a folder without {CONFIG}; expected the name of a backbone, a "
            "file (.onnx, .xml, .keras), or the folder of a KerasHub preset"
        )
    if whole.is_file():
        return [config, whole]
    if not index.is_file():
        raise InputError(f"{whole}: file not found; it has the network's weights: copy it there")
    return [config, index, *weight_parts(index)]


def weight_parts(weights: Path) -> list[Path]:
    """Return the files that weights are in: those of an index, or the file itself."""
    if weights.suffix != ".json":
        return [weights]
    try:
        named = list(_read(weights)["weight_map"].values())
        names = {
            str(name) for some in named for name in (some if isinstance(some, list) else [some])
        }
    except ABSURD as error:
        raise InputError(f"{weights}: no index of weights; copy or save it again") from error
    for name in sorted(names | {_FIRST_PART}):
        if Path(name).name != name or not name.endswith(".weights.h5"):
            raise InputError(f"{weights}: weights in {name!r}, outside its folder; refused")
        if not (weights.parent / name).is_file():
            raise InputError(
                f"{weights.parent / name}: file not found; it has a part of the network's weights: "
                "copy it there"
            )
    return [weights.parent / name for name in sorted(names | {_FIRST_PART})]


def preset_config(folder: Path) -> dict[str, Any]:
    """Return the configuration of a preset's backbone; raises InputError for what is not loaded.

    Its class, and those of all its parts, are Keras's or KerasHub's own.
    """
    path = folder / CONFIG
    config = _read(path)
    for key, library in _OF_OTHERS.items():
        if key in config and "registered_name" not in config:
            raise InputError(
                f"{path}: a model of {library}, expected a preset of KerasHub; load it with "
                "keras_hub.models.Backbone.from_preset, and save it with save_to_preset"
            )
    settings = config.get("config")
    if not isinstance(settings, dict) or "class_name" not in config:
        raise InputError(
            f"{path}: not the configuration of a KerasHub backbone; save it again, with "
            "save_to_preset"
        )
    try:
        check_classes(config, path, hub=True)
    except RecursionError:
        raise InputError(f"{path}: too many lists in lists; copy or save it again") from None
    name = str(config.get("registered_name"))
    if not _BACKBONE.fullmatch(name):
        raise InputError(
            f"{path}: {name} is not one of KerasHub's own classes, and is not loaded; give a "
            "preset of one of keras_hub.models, as ViTBackbone"
        )
    if isinstance(dtype := settings.get("dtype"), str) and dtype != "float32":
        raise InputError(f"{path}: it computes in {dtype}; save it again, with dtype='float32'")
    return config


def shape_key(config: dict[str, Any]) -> str | None:
    """Return the name of the setting with the shape of a backbone's images; None: it has none."""
    return next((key for key in _SHAPES if key in config["config"]), None)


def preset_input(folder: Path) -> tuple[int, ...]:
    """Return the shape of a preset's images, with -1 for what varies; raises InputError."""
    config = preset_config(folder)
    key, name = shape_key(config), config["class_name"]
    if key is None:
        text = ", but text" if "vocabulary_size" in config["config"] else ""
        raise InputError(
            f"{folder}: {name} takes no images{text}; give a preset of a network of images, as "
            "ViTBackbone or ResNetBackbone"
        )
    sides = config["config"][key]
    shape = [-1 if side is None else side for side in sides] if isinstance(sides, list) else []
    if len(shape) != 3 or not all(type(side) is int for side in shape) or shape[2] != 3:
        raise InputError(
            f"{folder / CONFIG}: {key} {sides!r}, expected [height, width, 3]; save the preset of "
            "a network of RGB images, channels last"
        )
    return (-1, *shape)


def _read(path: Path) -> dict[str, Any]:
    try:
        found = parsed(read_whole(path, most=_LARGEST).decode())
        if isinstance(found, dict):
            return found
        reason = "it is no object"
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except (json.JSONDecodeError, *ABSURD) as error:
        reason = " ".join(str(error).split())[:100]
    raise InputError(f"{path}: not JSON of a preset, or damaged: {reason}; copy it again")


def read_optional(path: Path) -> dict[str, Any] | None:
    """Return the object in a preset's file, None where it has no such file; raises InputError."""
    return _read(path) if path.is_file() else None
