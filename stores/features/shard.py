"""A shard: one immutable HDF5 file of features of one recipe, named by its digest."""

import hashlib
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from io import BufferedReader
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from stores.errors import CorruptStore, StoreError, UnfitFeatures, newer_format
from stores.features.recipe import Recipe
from stores.features.row_checksums import (
    contradictory,
    identity_words,
    row_checksums,
    shard_checksum,
)
from stores.features.shard_structure import (
    ALIGNMENT,
    NO_SHARD,
    check_structure,
    little_endian,
    producer_attribute,
    text_attribute,
    version_attribute,
)
from stores.keys import Keys, Rows, Views, identities
from stores.storage.safe_files import open_regular

SHARD_VERSION = 2

Producer = dict[str, Any]  # engine, instruction set, versions, agreement with Keras


@dataclass(frozen=True)
class Shard:
    """What must be known of a shard to read it without HDF5; it is what an index fragment holds."""

    digest: str  # SHA-256 of the file's bytes, and its name
    size: int  # of the file, in bytes
    offset: int  # of `/features`, in bytes
    dtype: str
    shape: tuple[int, ...]  # of one row
    checksum: int  # of all rows at once
    producer: Producer
    keys: Keys
    views: Views
    checksums: NDArray[np.uint64]

    @property
    def identities(self) -> NDArray[np.uint8]:
        """The identity of each row, (n, 34) bytes."""
        return identities(self.keys, self.views)

    @property
    def maker(self) -> Producer:
        """Who made it, without the figures of how well that agreed with another."""
        return {**self.producer, "agreement": None}

    def is_as(self, other: "Shard") -> bool:
        """Return whether another, read elsewhere, says the same of its file."""
        return all(
            np.array_equal(getattr(self, f.name), getattr(other, f.name)) for f in fields(self)
        )

    def map(self, path: Path) -> Rows:
        """Return the features in the shard's file as a read-only memory map, (n, *shape).

        Raises FileNotFoundError, or CorruptStore where the file is too short.
        """
        shape = (len(self.keys), *self.shape)
        try:
            with open_regular(path) as file:
                return np.memmap(file, dtype=self.dtype, mode="r", offset=self.offset, shape=shape)
        except StoreError:
            raise
        except ValueError as error:
            raise CorruptStore(f"shard {self.digest[:12]}…: cannot be mapped: {error}") from error


def fit(recipe: Recipe, rows: Rows, *, count: int, shape: tuple[int, ...] | None) -> Rows:
    """Return rows as they are stored; raises UnfitFeatures where they must not be.

    Expected are `count` rows, at least one, of `shape` where that is known; finite, and within
    the range of the recipe's dtype.
    """
    if rows.shape != (count, *(rows.shape[1:] if shape is None else shape)) or not rows.size:
        raise UnfitFeatures(
            f"recipe {recipe}: expected {count} rows (at least 1) of shape "
            f"{'any' if shape is None else shape}. Received: shape={rows.shape}"
        )
    largest = float(np.finfo(recipe.dtype).max)
    with np.errstate(over="ignore"):
        stored = np.ascontiguousarray(rows, dtype=little_endian(recipe.dtype))
    for values, what, fix in (
        (rows, "are not finite", "check the weights and the preprocessing"),
        (stored, f"exceed {recipe.dtype}'s {largest:.6g}", "use --dtype float32"),
    ):
        bad = ~np.isfinite(values).reshape(count, -1).all(axis=1)
        if bad.any():
            raise UnfitFeatures(
                f"recipe {recipe}: {int(bad.sum())} of {count} rows {what} (the first is row "
                f"{int(np.argmax(bad))}); nothing was stored; {fix}"
            )
    return stored


def pack(
    recipe: Recipe, keys: Keys, views: Views, rows: Rows, producer: Producer
) -> tuple[Shard, memoryview]:
    """Return a shard and the bytes of its file; the same input gives the same bytes.

    Raises UnfitFeatures where an image has two rows that are not the same.
    """
    ids = identities(keys, views)
    words = identity_words(recipe.fingerprint, ids)
    sums = row_checksums(words, rows)
    if (twice := contradictory(ids, sums)).any():
        raise UnfitFeatures(
            f"recipe {recipe}: {int(twice.sum())} of {len(ids)} rows contradict another row of the "
            "same image; nothing was stored; give each image once"
        )
    buffer = io.BytesIO()
    with _new_file(buffer, threshold=min(64, rows.nbytes)) as file:
        file.attrs["format_version"] = SHARD_VERSION
        file.attrs["recipe"] = recipe.to_json()
        file.attrs["dtype"] = recipe.dtype
        file.attrs["producer"] = json.dumps(producer, sort_keys=True)
        file.create_dataset("key", data=keys)
        file.create_dataset("view", data=views.astype("<u2"))
        file.create_dataset("row_checksum", data=sums.astype("<u8"))
        offset = file.create_dataset("features", data=rows).id.get_offset()
    content = buffer.getbuffer()
    shard = Shard(
        digest=hashlib.sha256(content).hexdigest(),
        size=len(content),
        offset=offset,
        dtype=rows.dtype.str,
        shape=rows.shape[1:],
        checksum=shard_checksum(words, rows),
        producer=producer,
        keys=keys,
        views=views,
        checksums=sums,
    )
    return shard, content


def _new_file(buffer: io.BytesIO, *, threshold: int) -> h5py.File:
    creation = h5py.h5p.create(h5py.h5p.FILE_CREATE)
    # h5py.File cannot say this, and would put the time into the file: the same rows, other bytes.
    creation.set_obj_track_times(False)
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    access.set_fclose_degree(h5py.h5f.CLOSE_STRONG)
    # HDF5 1.8's metadata carries checksums, and any HDF5 since 2008 reads it.
    access.set_libver_bounds(h5py.h5f.LIBVER_V18, h5py.h5f.LIBVER_V18)
    # This aligns every object from the threshold on, /features among them, however small it is.
    access.set_alignment(threshold, ALIGNMENT)
    access.set_fileobj_driver(h5py.h5fd.fileobj_driver, buffer)
    return h5py.File(h5py.h5f.create(b"shard", h5py.h5f.ACC_TRUNC, creation, access))


def unpack(path: Path, recipe: Recipe) -> Shard:
    """Read back from the file itself what `pack` returned, all of it checked.

    HDF5 sees the bytes only after their digest was found right, so that no damage can crash it.
    Raises CorruptStore, NewerFormat, or OSError.
    """
    with _opened(path) as file:
        if text_attribute(file, "recipe") != recipe.to_json():
            raise CorruptStore(f"{path}: the shard belongs to another recipe than its folder")
        size = file.id.get_filesize()
        check_structure(file, recipe, size=size)
        features, keys, views = file["features"], file["key"][:], file["view"][:]
        rows = features[:]
        ids = identities(keys, views)
        words = identity_words(recipe.fingerprint, ids)
        sums = row_checksums(words, rows)
        if contradictory(ids, sums).any():
            raise ValueError("/features has two rows of one image that are not the same")
        # Format 1 had checksums of another kind. The file's digest was right, and so are its rows.
        if version_attribute(file) > 1 and not np.array_equal(sums, file["row_checksum"][:]):
            raise ValueError("/row_checksum has not the checksums of its rows")
        if not np.isfinite(rows).all():
            raise ValueError("/features has rows that are not finite")
        return Shard(
            digest=path.stem,
            size=size,
            offset=features.id.get_offset(),
            dtype=features.dtype.str,
            shape=features.shape[1:],
            checksum=shard_checksum(words, rows),
            producer=producer_attribute(file),
            keys=keys,
            views=views,
            checksums=sums,
        )


def recipe_in(path: Path) -> Recipe:
    """Return the recipe that a shard says it is of; raises what `unpack` does."""
    with _opened(path) as file:
        return Recipe.from_json(text_attribute(file, "recipe"))


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    with open_regular(path) as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
        if digest != path.stem:
            raise CorruptStore(f"shard {path.stem[:12]}…: the file's digest is {digest[:12]}…")
        with _as_hdf5(path, content) as file:
            yield file


@contextmanager
def _as_hdf5(path: Path, content: BufferedReader) -> Iterator[h5py.File]:
    try:
        with h5py.File(content, "r") as file:
            version = version_attribute(file)
            if version > SHARD_VERSION:
                raise newer_format(f"{path}: shard", version, SHARD_VERSION)
            yield file
    except StoreError:
        raise
    except NO_SHARD as error:
        if getattr(error, "errno", None):
            raise  # the system's fault, not the file's
        raise CorruptStore(f"{path}: not a shard, though its digest is right: {error}") from error
