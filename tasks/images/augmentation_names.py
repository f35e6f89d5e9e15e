"""The augmentations by name, as text. Light: `--help` imports it."""

from collections.abc import Sequence

from tasks.errors import InputError, unknown

NO_AUGMENTATION = "none"
_FLIPS = ("horizontal", "vertical", "horizontal_and_vertical")
# The defaults: flip and rotation as in TensorFlow's tutorial "Transfer learning and fine-tuning",
# the others mild.
_DEFAULTS: dict[str, str | float] = {
    "flip": "horizontal",
    "rotation": 0.2,  # fraction of a full turn, in both directions
    "zoom": 0.2,  # fraction of the height, in and out
    "translation": 0.1,  # fraction of the height and of the width
    "contrast": 0.2,
    "brightness": 0.1,  # fraction of 255
    "saturation": 0.2,
}


def augmentation_text(augmentations: Sequence[str]) -> str:
    """Return augmentations, each given as NAME or NAME=VALUE, in the form of a recipe.

    Raises InputError for an unknown name, an invalid value, or a repeated name.
    """
    parsed = [_parsed(one) for one in augmentations]
    names = [name for name, _ in parsed]
    if repeated := next((name for name in names if names.count(name) > 1), ""):
        raise InputError(f"{repeated} is repeated; give each augmentation once")
    return ", ".join(f"{name}={value}" for name, value in parsed) or NO_AUGMENTATION


def _parsed(augmentation: str) -> tuple[str, str | float]:
    name, _, value = (part.strip() for part in augmentation.partition("="))
    if name not in _DEFAULTS:
        raise unknown("augmentation", name, _DEFAULTS, fix="as --augment NAME or NAME=VALUE")
    if not value:
        return name, _DEFAULTS[name]
    if name == "flip":
        if value not in _FLIPS:
            raise InputError(f"{name}: expected {', '.join(_FLIPS)}. Received: {value!r}")
        return name, value
    try:
        fraction = float(value)
    except ValueError:
        fraction = -1.0
    if not 0 < fraction <= 1:
        raise InputError(f"{name}: expected a number above 0, up to 1. Received: {value!r}")
    return name, fraction
