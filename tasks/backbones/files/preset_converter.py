"""How a KerasHub preset prepares its images, as the keys of a description."""

import logging
import math
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from stores.storage.json_files import ABSURD
from tasks.backbones.files.description import described, description_path
from tasks.backbones.files.preset_folder import preset_config, read_optional
from tasks.errors import InputError

log = logging.getLogger("gargalo.extract")
_CONVERTER = "image_converter.json"
_PLAIN = {
    *("image_size", "scale", "offset", "interpolation", "antialias", "data_format"),
    *("crop_to_aspect_ratio", "pad_to_aspect_ratio", "bounding_box_format"),
    *("height", "width", "mean", "variance"),  # of earlier versions
    *("name", "trainable", "dtype"),
}
# Beside the setting that some backbones have: the class token, and others that are no places.
_TOKENS = {"DeiTBackbone": (True, 1), "SwinTransformerBackbone": (False, 0)}


def preset_tokens(folder: Path) -> dict[str, Any]:
    """Return which of a preset's tokens are not of places; raises InputError."""
    config = preset_config(folder)
    settings = config["config"]
    class_token, registers = _TOKENS.get(str(config["class_name"]), (True, 0))
    return {
        "class_token": settings.get("use_class_token", class_token),
        "register_tokens": settings.get("num_register_tokens", registers),
    }


def preset_preparation(folder: Path, said: Collection[str] = ()) -> dict[str, Any]:
    """Return how a preset's image converter prepares images, {} without one; raises InputError.

    What is `said` beside the folder is not asked of the converter.
    """
    place = folder / _CONVERTER
    converter = read_optional(place)
    if converter is None:
        return {}
    keys = {key: value for key, value in _converted(converter, place).items() if key not in said}
    try:
        described(keys, str(place))
    except InputError as error:
        raise InputError(f"{error}; {_fix(place)}") from None
    if converter["config"].get("antialias"):
        _tell(place)
    return keys


@cache
def _tell(place: Path) -> None:
    log.warning("%s: resizes with antialiasing; images are resized without it here", place)


def _converted(converter: Mapping[str, Any], place: Path) -> dict[str, Any]:
    """Return the keys that do what an image converter does: resize, × scale, + offset."""
    settings = converter.get("config")
    fix = _fix(place)
    if not isinstance(settings, dict):
        raise InputError(
            f"{place}: not an image converter of KerasHub: it has no settings in config; copy it "
            f"again, or {fix}"
        )
    if unknown := sorted(settings.keys() - _PLAIN):
        raise InputError(f"{place}: {', '.join(unknown)}: not known here; {fix}")
    try:
        scale, offset = _three(settings.get("scale"), 1), _three(settings.get("offset"), 0)
        if "mean" in settings and "variance" in settings:  # as KerasHub itself reads them
            stds = [math.sqrt(value) for value in settings["variance"]]
            offset = [-mean / std for mean, std in zip(settings["mean"], stds, strict=True)]
            scale = [value / std for value, std in zip(scale, stds, strict=True)]
        keys = _pixels(scale, offset)
        size = settings.get("image_size")
        if "height" in settings and "width" in settings:
            size = [settings["height"], settings["width"]]
        crop = settings.get("crop_to_aspect_ratio", True)
        pad = settings.get("pad_to_aspect_ratio", False)
    except (*ABSURD, ZeroDivisionError) as error:
        reason = " ".join(str(error).split())[:100]
        raise InputError(f"{place}: not an image converter of KerasHub: {reason}; {fix}") from error
    keys["aspect_ratio"] = "pad" if pad else "crop" if crop else "stretch"
    keys["resize"] = settings.get("interpolation", "bilinear")
    return keys | ({"image_size": size} if size else {})


def _fix(place: Path) -> str:
    return f"write preset and what else differs into {description_path(place.parent)}"


def _three(value: Any, otherwise: float) -> list[float]:  # noqa: ANN401  from JSON
    """Return the number of each channel; raises TypeError or ValueError."""
    values = otherwise if value is None else value
    three = [float(one) for one in (values if isinstance(values, list) else [values] * 3)]
    if len(three) != 3:
        raise ValueError(f"expected three numbers, one a channel, received {value!r}")
    return three


def _pixels(scale: list[float], offset: list[float]) -> dict[str, Any]:
    """Return scale, mean and std for pixels × `scale` + `offset`; raises ZeroDivisionError."""
    if len(set(scale)) == 1:  # no division, which would round
        return {"scale": scale[0], "mean": [0.0 - value for value in offset], "std": [1.0] * 3}
    pairs = list(zip(scale, offset, strict=True))
    return {
        "scale": 1.0,
        "mean": [0.0 - added / factor for factor, added in pairs],
        "std": [1 / factor for factor, _ in pairs],
    }
