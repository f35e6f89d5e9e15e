"""A check of `.keras` files, so that they do not unpack to gigabytes when loaded.

Earlier versions of Keras write compressed ones, with the weights in an HDF5 file.
"""

import io
import zipfile
from pathlib import Path

import h5py

from tasks.backbones.plain_hdf5 import announced_bytes, plain_arrays

_MOST_RATIO = 10  # compression hardly reduces the size of weights
_SPARE_BYTES = 2**25
_LARGEST_TEXT = 2**25  # of a configuration; that of Keras's largest model has 2 MB


def check_keras(path: Path) -> None:
    """Raise ValueError if a `.keras` file unpacks to far more than its size."""
    size = path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        parts = archive.infolist()
        total = sum(about.file_size for about in parts)
        if total > _MOST_RATIO * size + _SPARE_BYTES:
            raise ValueError(f"{path.name} has {size:,} bytes, but unpacks to {total:,}")
        for about in parts:
            if about.filename.endswith(".h5"):
                _check_weights(archive.read(about))
            elif about.file_size > _LARGEST_TEXT:
                raise ValueError(f"{about.filename!r} in {path.name} has {about.file_size:,} bytes")


def _check_weights(content: bytes) -> None:
    with h5py.File(io.BytesIO(content), "r") as file:
        announced = sum(map(announced_bytes, plain_arrays(file, content)))
    if announced > len(content):
        raise ValueError(f"the weights declare {announced:,} bytes, but have {len(content):,}")
