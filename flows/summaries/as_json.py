"""Summaries as JSON has them."""

from collections.abc import Mapping
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any


def as_json(value: Any) -> Any:  # noqa: ANN401  whatever a summary holds
    """Return a summary, or a part of one, as plain values.

    An object of a dataclass becomes its fields by name, or what its method `json_fields` returns.
    """
    if is_dataclass(value):
        value = value.json_fields() if hasattr(value, "json_fields") else vars(value)
    if isinstance(value, Mapping):
        return {name: as_json(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(part) for part in value]
    return str(value) if isinstance(value, Path) else value
