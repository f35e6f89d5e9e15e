"""The identity of an image (SHA-256 of its bytes, and whether it is turned) and of a feature."""

import hashlib
from collections.abc import Iterable
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

KEY_BYTES = 32
IDENTITY_BYTES = KEY_BYTES + 2  # the view is a little-endian u2
_DRAWN_AT_ONCE = 2**16
_ODD = np.uint64(0x9E3779B97F4A7C15)  # the golden ratio's 64 bits: neighbours are far apart

Keys = NDArray[np.uint8]  # (n, 32)
Views = NDArray[np.uint16]  # (n,)
Rows = NDArray[Any]  # (n, *shape), float32 or float16


class ImageKey(bytes):
    """SHA-256 of the bytes of an image file: 32 bytes, shown as hexadecimal digits.

    An image that is turned upright has a key of its own, so that its features and those of the
    image as stored lie side by side. Where nothing is turned, there is one key.
    """

    __slots__ = ()

    def __new__(cls, digest: bytes) -> Self:
        """Take 32 raw bytes; raises ValueError on any other length."""
        if len(digest) != KEY_BYTES:
            raise ValueError(f"an image key has {KEY_BYTES} bytes. Received: {len(digest)} bytes")
        return super().__new__(cls, digest)

    @classmethod
    def of(cls, content: bytes) -> Self:
        """Return the key of an image file's content."""
        return cls(hashlib.sha256(content).digest())

    def upright(self) -> Self:
        """Return the key of the image turned upright, from that of an image as stored."""
        return type(self)(hashlib.sha256(b"upright\0" + self).digest())

    def __str__(self) -> str:
        return self.hex()


def as_keys(keys: Keys | Iterable[bytes]) -> Keys:
    """Return keys as an (n, 32) array of bytes; raises ValueError where one is not 32 bytes."""
    if isinstance(keys, np.ndarray):
        if keys.ndim != 2 or keys.shape[1] != KEY_BYTES or keys.dtype != np.uint8:
            raise ValueError(
                f"`keys` must be (n, {KEY_BYTES}) bytes. "
                f"Received: shape={keys.shape}, dtype={keys.dtype}"
            )
        return np.ascontiguousarray(keys)
    joined = b"".join(ImageKey(key) for key in keys)
    return np.frombuffer(joined, np.uint8).reshape(-1, KEY_BYTES)


def as_views(views: int | Views, count: int) -> Views:
    """Return one view number for each of `count` keys; raises ValueError on what is none."""
    array = np.asarray(views)
    if array.ndim > 1 or (array.ndim == 1 and len(array) != count):
        raise ValueError(f"`views` must be one number or {count}. Received: shape={array.shape}")
    whole = array.dtype.kind in "iu"
    if array.size and not (whole and 0 <= array.min() <= array.max() <= np.iinfo(np.uint16).max):
        raise ValueError(f"a view is a whole number from 0 to 65535. Received: {views}")
    return np.broadcast_to(array, (count,)).astype("<u2")


def identities(keys: Keys, views: Views) -> NDArray[np.uint8]:
    """Return the identity of each feature, key followed by view, as (n, 34) bytes."""
    joined = np.empty((len(keys), IDENTITY_BYTES), np.uint8)
    joined[:, :KEY_BYTES] = keys
    joined[:, KEY_BYTES:] = views.astype("<u2").view(np.uint8).reshape(-1, 2)
    return joined


def first_words(keys: Keys) -> NDArray[np.uint64]:
    """Return the first eight bytes of each key as a number in their order, (n,)."""
    return np.ascontiguousarray(keys[:, :8]).view(">u8").ravel().astype(np.uint64)


def numbered(ids: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return a number for each identity (n, 34), (n,): the same only for the same, or a forged one.

    Views of one image have different ones: an odd factor gives each view bits of its own.
    """
    views = np.ascontiguousarray(ids[:, KEY_BYTES:]).view("<u2").ravel().astype(np.uint64)
    return first_words(ids) ^ (views * _ODD)


def in_order(keys: Keys) -> NDArray[np.int64]:
    """Return the stable order that sorts keys (n, 32) by their bytes.

    By their first bits and their places in one number: numbers are sorted in half the time of an
    order, and many times as fast as keys compared whole. Only keys that share these bits are
    compared whole: a few by chance, copies, and what a forger makes.
    """
    bits = np.uint64(max(1, (len(keys) - 1).bit_length()))
    places = np.arange(len(keys), dtype=np.uint64)
    numbers = first_words(keys) >> bits << bits
    numbers |= places
    numbers.sort()
    order = (numbers & ((np.uint64(1) << bits) - np.uint64(1))).astype(np.int64)
    numbers >>= bits
    same = numbers[1:] == numbers[:-1]
    if same.any():
        tied = np.zeros(len(order), np.bool_)
        tied[1:] = same
        tied[:-1] |= same
        some = order[tied]
        words = np.ascontiguousarray(keys[some]).view(">u8").astype(np.uint64)
        order[tied] = some[np.lexsort((some, *words.T[::-1]))]
    return order


def is_repeated(keys: Keys) -> NDArray[np.bool_]:
    """Return which keys (n, 32) are there more than once, (n,)."""
    first = first_words(keys)
    sorted_first = np.sort(first)
    shared = np.unique(sorted_first[1:][np.diff(sorted_first) == 0])
    repeated = np.zeros(len(keys), np.bool_)
    if len(shared):
        found = pc.is_in(pa.array(first), pa.array(shared)).to_numpy(zero_copy_only=False)
        some = np.flatnonzero(found)
        some = some[in_order(keys[some])]
        same = (keys[some[1:]] == keys[some[:-1]]).all(axis=1)
        repeated[some[1:][same]] = repeated[some[:-1][same]] = True
    return repeated


def is_first(keys: Keys) -> NDArray[np.bool_]:
    """Return which keys (n, 32) are not there before, (n,)."""
    some = np.flatnonzero(is_repeated(keys))
    some = some[in_order(keys[some])]
    first = np.ones(len(keys), np.bool_)
    first[some[1:]] = (keys[some[1:]] != keys[some[:-1]]).any(axis=1)
    return first


def draws(mark: bytes, keys: Keys, *, in_hexadecimal: bool = False) -> Keys:
    """Return the SHA-256 of a mark followed by each key (n, 32): numbers drawn by content."""
    width = KEY_BYTES * (2 if in_hexadecimal else 1)
    drawn = np.empty((len(keys), KEY_BYTES), np.uint8)
    for start in range(0, len(keys), _DRAWN_AT_ONCE):
        some = keys[start : start + _DRAWN_AT_ONCE].tobytes()
        text = some.hex().encode() if in_hexadecimal else some
        marked = hashlib.sha256(mark)
        digests = list[bytes]()
        for at in range(0, len(text), width):
            digest = marked.copy()
            digest.update(text[at : at + width])
            digests.append(digest.digest())
        joined = np.frombuffer(b"".join(digests), np.uint8).reshape(-1, KEY_BYTES)
        drawn[start : start + len(joined)] = joined
    return drawn


def as_arrow(rows: NDArray[np.uint8]) -> pa.FixedSizeBinaryArray:
    """Return (n, width) bytes as an Arrow array of n fixed-size values, without a copy."""
    count, width = rows.shape
    buffer = pa.py_buffer(np.ascontiguousarray(rows))
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), count, [None, buffer])


def in_one_piece(column: pa.ChunkedArray) -> pa.Array:
    """Return an Arrow column as one array; without a copy where it is, unlike `combine_chunks`."""
    pieces = [piece for piece in column.chunks if len(piece)]
    return pieces[0] if len(pieces) == 1 else column.combine_chunks()


def from_arrow(column: pa.ChunkedArray | pa.Array, width: int = KEY_BYTES) -> NDArray[np.uint8]:
    """Return an Arrow column of fixed-size values without nulls as (n, width) bytes."""
    array = in_one_piece(column) if isinstance(column, pa.ChunkedArray) else column
    raw = np.frombuffer(array.buffers()[1] or b"", np.uint8)
    return raw[array.offset * width : (array.offset + len(array)) * width].reshape(-1, width)
