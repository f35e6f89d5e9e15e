"""The augmentations by name, as text. Light: `--help` imports it."""

from collections.abc import Sequence

from tasks.errors import InputError, unknown

NO_AUGMENTATION = "none"
_FLIPS = ("horizontal", "vertical", "horizontal_and_vertical")
# What is drawn where a name alone is given: flip and rotation as in TensorFlow's tutorial
# "Transfer learning and fine-tuning", the others mild.
_USUAL: dict[str, str | float] = {
    "flip": "horizontal",
    "rotation": 0.2,  # share of a full turn, either way
    "zoom": 0.2,  # share of the height, nearer or farther
    "translation": 0.1,  # share of the height, and of the width
    "contrast": 0.2,
    "brightness": 0.1,  # share of 255
    "saturation": 0.2,
}


def augmentation_text(asked: Sequence[str]) -> str:
    """Return what is asked for, each as NAME or NAME=VALUE, as a recipe says it.

    Raises InputError for an unknown name, a value that it does not take, or a name said twice.
    """
    parsed = [_parsed(one) for one in asked]
    names = [name for name, _ in parsed]
    if twice := next((name for name in names if names.count(name) > 1), ""):
        raise InputError(f"{twice} is said twice; give each augmentation once")
    return ", ".join(f"{name}={value}" for name, value in parsed) or NO_AUGMENTATION


def _parsed(asked: str) -> tuple[str, str | float]:
    name, _, said = (part.strip() for part in asked.partition("="))
    if name not in _USUAL:
        raise unknown("augmentation", name, _USUAL, fix="as --augment NAME or NAME=VALUE")
    if not said:
        return name, _USUAL[name]
    if name == "flip":
        if said not in _FLIPS:
            raise InputError(f"{name}: expected {', '.join(_FLIPS)}. Received: {said!r}")
        return name, said
    try:
        share = float(said)
    except ValueError:
        share = -1.0
    if not 0 < share <= 1:
        raise InputError(f"{name}: expected a share above 0, up to 1. Received: {said!r}")
    return name, share
