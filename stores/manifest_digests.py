"""The digests of a data set: of its images, labels and splits, and of its groups."""

import binascii
import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from stores.keys import Keys, from_arrow, in_order

_LINES_AT_ONCE = 2**16  # of 80 bytes: memory that is given back and taken again costs nothing


def digest_of(rows: pa.Table) -> str:
    """Return the SHA-256 over the sorted lines `key, split, label` of rows, each line once.

    A split or label that is null is an empty text.
    """
    keys = from_arrow(rows["key"])
    order = in_order(keys)
    # Splits and labels are few: a row is the number of its pair, which is quicker to sort.
    columns = (pc.fill_null(rows[name].combine_chunks(), "") for name in ("split", "label"))
    splits, labels = (column.dictionary_encode() for column in columns)
    count = max(1, len(labels.dictionary))
    numbers = splits.indices.to_numpy().astype(np.int64) * count + labels.indices.to_numpy()
    pairs = np.arange(len(splits.dictionary) * len(labels.dictionary))
    texts = pc.binary_join_element_wise(
        "",
        splits.dictionary.take(pa.array(pairs // count)),
        pc.binary_join_element_wise(labels.dictionary.take(pa.array(pairs % count)), "\n", ""),
        "\t",
    )
    digest, start = hashlib.sha256(), 0
    while start < len(order):
        end = min(start + _LINES_AT_ONCE, len(order))
        while end < len(order) and (keys[order[end]] == keys[order[end - 1]]).all():
            end += 1  # the lines of one key are sorted together
        chosen = order[start:end]
        lines = _lines(keys[chosen], texts.take(pa.array(numbers[chosen])))
        digest.update(lines if end < len(order) else lines[:-1])  # no newline at the end
        start = end
    return digest.hexdigest()


def _lines(keys: Keys, texts: pa.StringArray) -> memoryview:
    """Return the sorted lines, each once, of rows that are sorted by their keys."""
    hexadecimal = binascii.hexlify(keys.data)
    places = np.arange(len(keys) + 1, dtype=np.int32) * 64
    names = pa.StringArray.from_buffers(len(keys), pa.py_buffer(places), pa.py_buffer(hexadecimal))
    lines = pc.binary_join_element_wise(names, texts, "")
    if (keys[1:] == keys[:-1]).all(axis=1).any():
        lines = lines.unique()
        bare = pc.binary_slice(lines.cast(pa.binary()), 0, -1)  # a label may have a tab
        lines = lines.take(pc.sort_indices(bare))
    _, _, content = lines.buffers()
    return memoryview(content)[: pc.sum(pc.binary_length(lines)).as_py()]


def grouping_digest(keys: Keys, groups: NDArray[np.int64] | None) -> str:
    """Return SHA-256 over (key, first key of its group) of images that share one; '' for none.

    Neither the names of groups nor the order of images matter.
    """
    if groups is None:
        return ""
    order = in_order(keys)
    _, first, which, counts = np.unique(
        groups[order], return_index=True, return_inverse=True, return_counts=True
    )
    shared = counts[which] > 1
    pairs = np.concatenate([keys[order[shared]], keys[order[first[which[shared]]]]], axis=1)
    return hashlib.sha256(pairs.tobytes()).hexdigest() if shared.any() else ""
