"""The structure of a shard's file, checked before anything in it is believed.

A digest says that a file is the one that was written, not that it was written by this software.
"""

import json
from typing import Any

import h5py
import numpy as np

from stores.features.recipe import Recipe
from stores.keys import KEY_BYTES
from stores.storage.json_files import parsed

# A page: a memory map begins at one, and so does direct I/O.
ALIGNMENT = 4096
# What HDF5, and who takes a value for another, may raise of a file that is no shard.
NO_SHARD = (KeyError, OSError, RuntimeError, ValueError, TypeError, AttributeError, RecursionError)
_MOST_TEXT = 2**26  # bytes of an attribute that has them in itself


def little_endian(dtype: str) -> "np.dtype[Any]":
    """Return the type of stored numbers."""
    return np.dtype(dtype).newbyteorder("<")


def check_structure(file: h5py.File, recipe: Recipe, *, size: int) -> None:
    """Raise ValueError where a file of `size` bytes has not the parts of a recipe's shard.

    Each is a dataset of its own: contiguous, all of it in this file, without a filter; so what is
    read is never larger than the file. `/features` can be mapped.
    """
    features = _dataset(file, "features", size)
    count = features.shape[0] if features.shape else 0
    if not features.size:
        raise ValueError(f"/features has shape {features.shape}")
    expected = {
        "features": (features.shape, little_endian(recipe.dtype)),
        "key": ((count, KEY_BYTES), np.dtype("u1")),
        "view": ((count,), np.dtype("<u2")),
        "row_checksum": ((count,), np.dtype("<u8")),
    }
    for name, (shape, dtype) in expected.items():
        found = _dataset(file, name, size)
        if (found.shape, found.dtype.str) != (shape, dtype.str):
            raise ValueError(
                f"/{name}: expected {shape} {dtype.str}, found {found.shape} {found.dtype.str}"
            )
    if features.id.get_offset() % ALIGNMENT:
        raise ValueError(
            f"/features begins at byte {features.id.get_offset()}, expected a multiple of "
            f"{ALIGNMENT}"
        )


def text_attribute(file: h5py.File, name: str) -> str:
    """Return an attribute that is a text; raises KeyError or ValueError."""
    attribute = _single(file, name)
    # A number takes its own bytes. A text is elsewhere in the file, and may be there for many.
    if h5py.check_string_dtype(attribute.dtype) is None:
        raise ValueError(f"attribute {name}: expected a text, found {attribute.dtype}")
    value = file.attrs[name]
    if not isinstance(value, str):
        raise ValueError(f"attribute {name}: expected a text, found {type(value).__name__}")  # noqa: TRY004  one family
    return value


def version_attribute(file: h5py.File) -> int:
    """Return the version of a shard's format; raises KeyError or ValueError."""
    if (kind := _single(file, "format_version").dtype).kind not in "iu":
        raise ValueError(f"attribute format_version: expected a version, found {kind}")
    if (value := int(file.attrs["format_version"])) < 1:
        raise ValueError(f"attribute format_version: expected a version, found {value}")
    return value


def _single(file: h5py.File, name: str) -> h5py.h5a.AttrID:
    """Return an attribute of one value, which is not read yet; raises KeyError or ValueError.

    Thousands of values may all be one text in the file, and come to thousands in memory.
    """
    attribute = file.attrs.get_id(name)
    if attribute.get_space().get_simple_extent_type() != h5py.h5s.SCALAR:
        raise ValueError(f"attribute {name}: expected one value, found {attribute.shape}")
    if attribute.dtype.itemsize > _MOST_TEXT:
        raise ValueError(f"attribute {name}: {attribute.dtype.itemsize} bytes")
    return attribute


def producer_attribute(file: h5py.File) -> dict[str, Any]:
    """Return who made a shard; raises KeyError or ValueError."""
    return checked_producer(parsed(text_attribute(file, "producer")))


def checked_producer(value: object) -> dict[str, Any]:
    """Return a producer; raises ValueError where it is none."""
    if not isinstance(value, dict):
        raise ValueError(f"producer: expected an object, found {str(value)[:80]!r}")  # noqa: TRY004
    json.dumps(value, sort_keys=True, allow_nan=False)
    return value


def _dataset(file: h5py.File, name: str, size: int) -> h5py.Dataset:
    # A soft or an external link is not followed: it may lead to another file.
    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
        raise ValueError(f"/{name}: expected a dataset of this file")  # noqa: TRY004
    dataset = file[name]
    if not isinstance(dataset, h5py.Dataset):
        raise ValueError(f"/{name}: expected a dataset, found {type(dataset).__name__}")  # noqa: TRY004
    creation, offset = dataset.id.get_create_plist(), dataset.id.get_offset()
    if (
        creation.get_layout() != h5py.h5d.CONTIGUOUS
        or creation.get_external_count()
        or creation.get_nfilters()
        or offset is None
    ):
        raise ValueError(f"/{name}: expected contiguous bytes, without filters, in this file")
    if dataset.id.get_storage_size() != dataset.nbytes or offset + dataset.nbytes > size:
        raise ValueError(f"/{name}: {dataset.nbytes} bytes are announced, and not all are there")
    return dataset
