"""Zip files that hold a model: found to unpack to no more than they are, before they are loaded.

What NumPy and skops write is not packed. Keras's own archives are, in earlier versions, and have
weights in them, a file of HDF5.
"""

import io
import zipfile
from pathlib import Path

import h5py

from tasks.backbones.plain_hdf5 import announced_bytes, plain_arrays

_MOST_RATIO = 10  # weights hardly shrink when they are packed
_SPARE_BYTES = 2**25
_LARGEST_TEXT = 2**25  # of a configuration; of Keras's largest model it has 2 MB


def check_stored(path: Path) -> None:
    """Raise ValueError where parts are packed, or several are the same bytes of the file."""
    size = path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        parts = archive.infolist()
    if packed := [about for about in parts if about.file_size > about.compress_size]:
        raise ValueError(f"{path.name} has packed parts, as {packed[0].filename!r}")
    if (together := sum(about.file_size for about in parts)) > size:
        raise ValueError(f"{path.name} announces {together:,} bytes, and has {size:,}")


def check_keras(path: Path) -> None:
    """Raise ValueError where a `.keras` file takes far more memory than it has bytes."""
    size = path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        parts = archive.infolist()
        together = sum(about.file_size for about in parts)
        if together > _MOST_RATIO * size + _SPARE_BYTES:
            raise ValueError(f"{path.name} unpacks to {together:,} bytes, and has {size:,}")
        for about in parts:
            if about.filename.endswith(".h5"):
                _check_weights(archive.read(about))
            elif about.file_size > _LARGEST_TEXT:
                raise ValueError(f"{about.filename!r} in {path.name} has {about.file_size:,} bytes")


def _check_weights(content: bytes) -> None:
    with h5py.File(io.BytesIO(content), "r") as file:
        announced = sum(map(announced_bytes, plain_arrays(file, content)))
    if announced > len(content):
        raise ValueError(f"the weights announce {announced:,} bytes, and have {len(content):,}")
