"""What `--backbone` names: a network by its name, a file by its ending, or a preset's folder."""

import os
from pathlib import Path

from tasks.backbones.registry import BACKBONES
from tasks.errors import InputError

_KINDS = {".onnx": "onnx", ".xml": "ir", ".keras": "keras"}


def is_backbone_file(name: str) -> bool:
    """Return whether --backbone names a file or a folder, by its look, for no name has a dot.

    A folder is also told by being there, unless a backbone has its name.
    """
    if "/" in name or os.sep in name or Path(name).suffix != "":
        return True
    return name not in BACKBONES and Path(name).is_dir()


def kind_of(path: Path) -> str:
    """Return the kind of a backbone's file, by its ending; raises InputError."""
    if os.path.isdir(os.path.expanduser(path)):  # noqa: PTH111, PTH112
        return "kerashub"
    if path.suffix not in _KINDS:
        raise InputError(
            f"--backbone {path}: expected the name of a backbone, a file that ends in "
            f"{', '.join(_KINDS)}, or the folder of a KerasHub preset"
        )
    return _KINDS[path.suffix]


def is_trainable(name: str) -> bool:
    """Return whether a --backbone can be fine-tuned: a named one, or a Keras model in a file."""
    return not is_backbone_file(name) or kind_of(Path(name)) in {"keras", "kerashub"}
