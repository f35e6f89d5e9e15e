"""Checksums of rows: a damaged row, or one read for another image or recipe, is found out."""

from collections.abc import Callable

import numpy as np
import xxhash
from numpy.typing import NDArray

from stores.keys import KEY_BYTES, Rows

Words = NDArray[np.uint64]  # (n,): each stands for a recipe, a key and a view


Checksums = NDArray[np.uint64]  # (n,): xxh3 of a row's bytes ⊕ its word


_WORD = 8  # bytes


def identity_words(fingerprint: str, ids: NDArray[np.uint8]) -> Words:
    """Return the first 8 bytes of the fingerprint ⊕ those of the key ⊕ the view, of n identities.

    Fingerprint and key are SHA-256 themselves: some of their bytes are as good as a hash of all.
    """
    keys = np.ascontiguousarray(ids[:, :_WORD]).view("<u8").ravel()
    views = np.ascontiguousarray(ids[:, KEY_BYTES:]).view("<u2").ravel()
    recipe = np.frombuffer(bytes.fromhex(fingerprint)[:_WORD], "<u8")
    return np.asarray(keys ^ views ^ recipe, np.uint64)


def row_checksums(words: Words, rows: Rows) -> Checksums:
    """Return the checksum of each row: what is stored, if the rows are those of these words."""
    content = np.ascontiguousarray(rows).reshape(len(rows), -1 if rows.size else 0).view(np.uint8)
    checksum: Callable[..., int] = xxhash.xxh3_64_intdigest  # typed before arrays were Buffers
    sums = np.fromiter(map(checksum, content), np.uint64, len(rows))
    return np.bitwise_xor(sums, words, out=sums)


def shard_checksum(words: Words, rows: Rows) -> int:
    """Return one checksum of all rows of a shard, and of what they are of: xxh3(words ‖ rows)."""
    state = xxhash.xxh3_64(_bytes_of(words))
    state.update(_bytes_of(rows))
    return state.intdigest()


def contradictory(ids: NDArray[np.uint8], sums: Checksums) -> NDArray[np.bool_]:
    """Tell which of n rows have an (n, 34) identity that another row has with another content."""
    heads = np.ascontiguousarray(ids[:, :_WORD]).view("<u8").ravel()
    if len(np.unique(heads)) == len(heads):  # next to always, and quickly seen
        return np.zeros(len(heads), bool)
    distinct, numbers = np.unique(ids, axis=0, return_inverse=True)
    numbers = numbers.reshape(-1)
    first = np.zeros(len(distinct), np.uint64)
    first[numbers] = sums
    differs = np.zeros(len(distinct), bool)
    np.logical_or.at(differs, numbers, sums != first[numbers])
    return differs[numbers]


def _bytes_of(array: NDArray[np.generic]) -> memoryview:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
