"""Keras's weights files: loaded where they are a backbone's, and no others.

Keras itself passes over what a file lacks, or has too much.
"""

import hashlib
import math
import re
import warnings
from collections import Counter
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import h5py
import numpy as np

from tasks.backbones.plain_hdf5 import NotPlain, announced_bytes, arrays_of, plain_arrays
from tasks.errors import WeightsError

_ENDING = ".weights.h5"  # by which Keras tells its newer format
_MOST_BYTES_A_VALUE = 3 * 8  # weights and Adam's two moments, in float64
_SPARE_BYTES = 2**20  # for counters and seeds
_MOST_BYTES = 9 * 2**30  # 350 million weights of ConvNeXtXLarge, with Adam's moments, in float64
_MOST_BYTES_OF_OTHERS = 2**30  # of PyTorch's files, EfficientNet-Lite2's has 25 MB
_BESIDE_BYTES = 2**26  # that a file has beside its arrays


def most_bytes(path: Path) -> int:
    """Return how long a file of weights may be by what it says is in it; none of that is read.

    What a file says may be a lie; it is bounded by the largest backbone.
    """
    try:
        with h5py.File(path, "r", locking=False) as file:
            announced = sum(int(a.nbytes) for a in arrays_of(file))
    except (OSError, RuntimeError, ValueError):
        return _MOST_BYTES_OF_OTHERS  # no HDF5, or damaged: for whoever loads it to say
    return min(_MOST_BYTES, 2 * announced + _BESIDE_BYTES)


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
        _check_announced(path, model, backbone)
        with warnings.catch_warnings():
            # Keras warns of containers without weights; what was not set is found below.
            warnings.simplefilter("ignore")
            model.load_weights(path)
        own = Counter(_name(variable.numpy()) for variable in model.weights)
        _check_same(path, backbone, _stored_arrays(path), own)
    except WeightsError:
        raise
    except (ValueError, KeyError, OSError, TypeError, RuntimeError, BadZipFile) as error:
        raise _other_architecture(path, backbone, _first_sentence(error)) from error


def _check_announced(path: Path, model: Any, backbone: str) -> None:  # noqa: ANN401
    """Raise WeightsError where a file announces other arrays than the backbone's; none is read.

    A few bytes can announce gigabytes. Beside the weights there may be an optimiser's state,
    of which Adam's takes twice as much. Links could lead to other files, and Keras writes none.
    """
    own = Counter(tuple(variable.shape) for variable in model.weights)
    largest = _MOST_BYTES_A_VALUE * sum(math.prod(shape) * n for shape, n in own.items())
    with (
        h5py.File(path, "r", locking=False) as file,
        path.open("rb") as raw,
        mmap(raw.fileno(), 0, access=ACCESS_READ) as content,
    ):
        try:
            arrays = plain_arrays(file, content)
        except NotPlain as error:
            raise WeightsError(f"{path}: {error}") from None
        announced = sum(map(announced_bytes, arrays))
        stored = Counter(a.shape for a in arrays if not _is_left_out(a.name))
    if announced > largest + _SPARE_BYTES:
        raise _other_architecture(
            path, backbone, f"it announces {announced} bytes, expected at most {largest}"
        )
    _check_same(path, backbone, stored, own)


def _is_left_out(name: str) -> bool:
    """Tell whether an array is an optimiser's, or a random state."""
    return name.lstrip("/").startswith("optimizer") or "seed_generator" in name


def _is_legacy(path: Path) -> bool:
    """Tell whether a file is of Keras 2's format, of weights alone or of a whole model."""
    try:
        with h5py.File(path, "r", locking=False) as file:
            return "layer_names" in file.attrs or "model_weights" in file
    except OSError:
        return True  # damaged: for whoever loads it to say


def _stored_arrays(path: Path) -> Counter[tuple[Any, ...]]:
    """Count the arrays of a weights file, leaving out an optimiser's and random states."""
    with h5py.File(path, "r", locking=False) as file:
        arrays = [array for array in arrays_of(file) if not _is_left_out(array.name)]
        return Counter(_name(np.asarray(array[()])) for array in arrays)


def _name(array: np.ndarray[Any, Any]) -> tuple[Any, ...]:
    values = np.ascontiguousarray(array, np.float32)
    return (*values.shape, hashlib.sha256(values.data).digest())


def _check_same(path: Path, backbone: str, stored: Counter[Any], own: Counter[Any]) -> None:
    """Raise WeightsError where a file has other arrays than the backbone."""
    foreign, unset = stored - own, own - stored
    if foreign or unset:
        raise _other_architecture(
            path,
            backbone,
            f"{foreign.total()} arrays of the file belong to no layer, {unset.total()} of the "
            "backbone's are not in the file",
        )


def _first_sentence(error: Exception) -> str:
    return re.split(r"(?<=[.:;]) ", " ".join(str(error).split()))[0].rstrip(".:;")


def _other_architecture(path: Path, backbone: str, what: str) -> WeightsError:
    return WeightsError(
        f"{path}: these are not weights of {backbone} without its classifier: {what}; give "
        "the file that fits, or the --backbone that it was saved from"
    )
