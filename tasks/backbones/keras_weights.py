"""Loading of Keras weights files into a backbone, with a check that all arrays match.

Keras itself ignores missing and additional arrays.
"""

import hashlib
import math
import re
import warnings
from collections import Counter
from collections.abc import Collection, Sequence
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import h5py
import numpy as np

from tasks.backbones.plain_hdf5 import NotPlain, announced_bytes, arrays_of, plain_arrays
from tasks.errors import WeightsError

_ENDING = ".weights.h5"  # of Keras 3's format
_MOST_BYTES_A_VALUE = 3 * 8  # weights and Adam's two moments, in float64
_SPARE_BYTES = 2**20  # for counters and seeds
_MOST_BYTES = 9 * 2**30  # 350 million weights of ConvNeXtXLarge, with Adam's moments, in float64
_MOST_BYTES_OF_OTHERS = 2**30  # of PyTorch's files, EfficientNet-Lite2's has 25 MB
_BESIDE_BYTES = 2**26  # that a file has beside its arrays


def most_bytes(path: Path) -> int:
    """Return the maximum size of a weights file, by the arrays that it declares.

    No array is read. The result is limited by the largest backbone.
    """
    try:
        with h5py.File(path, "r", locking=False) as file:
            announced = sum(int(a.nbytes) for a in arrays_of(file))
    except (OSError, RuntimeError, ValueError):
        return _MOST_BYTES_OF_OTHERS  # not HDF5, or damaged: reported when it is loaded
    return min(_MOST_BYTES, 2 * announced + _BESIDE_BYTES)


def load_keras_weights(
    model: Any,  # noqa: ANN401  a Keras model
    path: Path,
    backbone: str,
    *,
    parts: Sequence[Path] = (),
    computed: Collection[str] = (),
) -> None:
    """Load a file into a backbone, all of it and nothing else; raises WeightsError.

    With `parts`, the file is an index of these, in which the weights are. Variables with names in
    `computed` are made of others, whatever the file has of them.
    """
    files = parts or [path]
    for file in files:
        if not h5py.is_hdf5(file):
            raise _other_architecture(
                file, backbone, "not a Keras weights file (HDF5, .weights.h5 or .h5), or damaged"
            )
        if not file.name.endswith(_ENDING) and not _is_legacy(file):
            raise _other_architecture(
                file, backbone, f"a file of this format has to be named *{_ENDING}; rename it"
            )
    try:
        weights = [weight for weight in model.weights if weight.name not in computed]
        spare = len(model.weights) - len(weights)
        _check_announced(path, files, weights, backbone, spare)
        with warnings.catch_warnings():
            # Keras warns of layers without weights; missing weights are found below.
            warnings.simplefilter("ignore")
            model.load_weights(path)
        own = Counter(_name(variable.numpy()) for variable in weights)
        _check_same(path, backbone, sum(map(_stored_arrays, files), Counter()), own, spare)
    except WeightsError:
        raise
    except (OSError, RuntimeError) as error:  # h5py's, of what it cannot read
        raise WeightsError(
            f"{path}: the file is damaged or cut off: {_first_sentence(error)}; copy it again"
        ) from error
    except (ValueError, KeyError, TypeError, BadZipFile) as error:
        raise _other_architecture(path, backbone, _first_sentence(error)) from error


def _check_announced(
    path: Path, files: Sequence[Path], weights: Sequence[Any], backbone: str, spare: int
) -> None:
    """Raise WeightsError if files declare other arrays than the backbone's; none is read.

    A small file can declare gigabytes. The file may have an optimizer's state, which for Adam is
    twice the size of the weights. Links could lead to other files, and Keras writes none.
    """
    own = Counter(tuple(variable.shape) for variable in weights)
    largest = _MOST_BYTES_A_VALUE * sum(math.prod(shape) * n for shape, n in own.items())
    announced, stored = 0, Counter[Any]()
    for file in files:
        size, arrays = _announced(file)
        announced += size
        stored += arrays
    if announced > largest + _SPARE_BYTES:
        raise _other_architecture(
            path, backbone, f"arrays of {announced} bytes, expected at most {largest}"
        )
    _check_same(path, backbone, stored, own, spare)


def _announced(path: Path) -> tuple[int, Counter[Any]]:
    """Return the bytes that a file declares, and the shapes of its weights; raises WeightsError."""
    with (
        h5py.File(path, "r", locking=False) as file,
        path.open("rb") as raw,
        mmap(raw.fileno(), 0, access=ACCESS_READ) as content,
    ):
        try:
            arrays = plain_arrays(file, content)
        except NotPlain as error:
            raise WeightsError(f"{path}: {error}") from None
        stored = Counter(a.shape for a in arrays if not _is_left_out(a.name))
        return sum(map(announced_bytes, arrays)), stored


def _is_left_out(name: str) -> bool:
    """Return whether an array belongs to an optimizer or a random state."""
    return name.lstrip("/").startswith("optimizer") or "seed_generator" in name


def _is_legacy(path: Path) -> bool:
    """Return whether a file has Keras 2's format, for weights or for a whole model."""
    try:
        with h5py.File(path, "r", locking=False) as file:
            return "layer_names" in file.attrs or "model_weights" in file
    except OSError:
        return True  # damaged: reported when it is loaded


def _stored_arrays(path: Path) -> Counter[tuple[Any, ...]]:
    """Count the arrays of a weights file, without optimizer and random states."""
    with h5py.File(path, "r", locking=False) as file:
        arrays = [array for array in arrays_of(file) if not _is_left_out(array.name)]
        return Counter(_name(np.asarray(array[()])) for array in arrays)


def _name(array: np.ndarray[Any, Any]) -> tuple[Any, ...]:
    values = np.ascontiguousarray(array, np.float32)
    return (*values.shape, hashlib.sha256(values.data).digest())


def _check_same(
    path: Path, backbone: str, stored: Counter[Any], own: Counter[Any], spare: int
) -> None:
    """Raise WeightsError if a file has other arrays than the backbone, beside `spare` ones."""
    foreign, unset = stored - own, own - stored
    if foreign.total() > spare or unset:
        raise _other_architecture(
            path,
            backbone,
            f"{foreign.total()} arrays of the file belong to no layer, and {unset.total()} arrays "
            "of the backbone are missing in the file",
        )


def _first_sentence(error: Exception) -> str:
    first = re.split(r"(?<=[.:;]) ", " ".join(str(error).split()))[0].rstrip(".:;")
    return first + ")" * (first.count("(") - first.count(")"))  # one that the rest would close


def _other_architecture(path: Path, backbone: str, what: str) -> WeightsError:
    return WeightsError(
        f"{path}: not weights of {backbone} without its classifier: {what}; give another "
        "file, or the --backbone that it was saved from"
    )
