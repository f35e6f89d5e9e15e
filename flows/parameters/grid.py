"""The values of `--grid`: NAME=VALUE,VALUE, where a value is one of TOML, or a text."""

import tomllib
from typing import Any

from tasks.errors import InputError


def axis_of(text: str) -> tuple[str, list[Any]]:
    """Return the name of a setting and its values; raises InputError."""
    name, equals, values = text.partition("=")
    if not equals or not values:
        raise InputError(f"--grid {text}: expected NAME=VALUE,VALUE")
    name = name.strip().replace("-", "_")
    several = [_value(value.strip()) for value in values.split(",")]
    if name == "hidden_units":
        several = [_layers(text, value) for value in values.split(",")]
    return name, several


def _layers(text: str, value: str) -> list[int]:
    units = value.strip().split("x")
    if not all(unit.isdigit() for unit in units):
        raise InputError(f"--grid {text}: expected layers as 256 or 512x256. Received: {value!r}")
    return [int(unit) for unit in units]


def _value(text: str) -> Any:  # noqa: ANN401  a value of TOML
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
