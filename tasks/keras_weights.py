"""Keras's weights files: loaded where they are a backbone's, and no others.

Keras itself passes over what a file lacks, or has too much.
"""

import hashlib
import re
import warnings
from collections import Counter
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import h5py
import numpy as np

from tasks.errors import WeightsError

_ENDING = ".weights.h5"  # by which Keras tells its newer format


def load_keras_weights(model: Any, path: Path, backbone: str) -> None:  # noqa: ANN401
    """Load a file into a backbone, all of it and nothing else; raises WeightsError."""
    if not h5py.is_hdf5(path):
        raise _other_architecture(
            path, backbone, "it is no Keras weights file (HDF5, .weights.h5 or .h5), or damaged"
        )
    if not path.name.endswith(_ENDING) and not _is_legacy(path):
        raise _other_architecture(
            path, backbone, f"its format is that of files whose names end in {_ENDING}; rename it"
        )
    try:
        with warnings.catch_warnings():
            # Keras warns of containers without weights; what was not set is found below.
            warnings.simplefilter("ignore")
            model.load_weights(path)
        stored, own = _stored_arrays(path), Counter(_name(v.numpy()) for v in model.weights)
        foreign, unset = stored - own, own - stored
    except (ValueError, KeyError, OSError, TypeError, BadZipFile) as error:
        raise _other_architecture(path, backbone, _first_sentence(error)) from error
    if foreign or unset:
        raise _other_architecture(
            path,
            backbone,
            f"{foreign.total()} arrays of the file belong to no layer, "
            f"{unset.total()} of the backbone's are not in the file",
        )


def _is_legacy(path: Path) -> bool:
    """Tell whether a file is of Keras 2's format, of weights alone or of a whole model."""
    try:
        with h5py.File(path, "r", locking=False) as file:
            return "layer_names" in file.attrs or "model_weights" in file
    except OSError:
        return True  # damaged: for whoever loads it to say


def _stored_arrays(path: Path) -> Counter[tuple[Any, ...]]:
    """Count the arrays of a weights file, leaving out an optimiser's and random states."""
    arrays: list[Any] = []

    def visit(name: str, item: object) -> None:
        left_out = name.startswith("optimizer") or "seed_generator" in name
        if isinstance(item, h5py.Dataset) and not left_out:
            arrays.append(item[()])

    with h5py.File(path, "r", locking=False) as file:
        file.visititems(visit)
    return Counter(_name(np.asarray(array)) for array in arrays)


def _name(array: np.ndarray[Any, Any]) -> tuple[Any, ...]:
    values = np.ascontiguousarray(array, np.float32)
    return (*values.shape, hashlib.sha256(values.data).digest())


def _first_sentence(error: Exception) -> str:
    return re.split(r"(?<=[.:;]) ", " ".join(str(error).split()))[0].rstrip(".:;")


def _other_architecture(path: Path, backbone: str, what: str) -> WeightsError:
    return WeightsError(
        f"{path}: these are not weights of {backbone} without its classifier: {what}; give "
        "the file that fits, or the --backbone that it was saved from"
    )
