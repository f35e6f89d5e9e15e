"""What `--backbone` names: a network by its name, or a file by its ending."""

import os
from pathlib import Path

from tasks.errors import InputError

_KINDS = {".onnx": "onnx", ".xml": "ir", ".keras": "keras"}


def is_backbone_file(name: str) -> bool:
    """Return whether --backbone names a file, by its look; no backbone's name has a dot."""
    return "/" in name or os.sep in name or Path(name).suffix != ""


def kind_of(path: Path) -> str:
    """Return the kind of a backbone's file, by its ending; raises InputError."""
    if path.suffix not in _KINDS:
        raise InputError(
            f"--backbone {path}: expected the name of a backbone, or a file that ends in "
            f"{', '.join(_KINDS)}"
        )
    return _KINDS[path.suffix]


def is_trainable(name: str) -> bool:
    """Return whether a --backbone can be fine-tuned: a named one, or a Keras model in a file."""
    return not is_backbone_file(name) or kind_of(Path(name)) == "keras"
