"""Splits by time: the newest images are in test, the next in validation, the rest in train."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from stores.keys import Keys, in_order
from tasks.errors import InputError

_WHOLE_NUMBER = r"^[+-]?[0-9]{1,18}$"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NEVER = np.iinfo(np.int64).min


def times_of(file: str, paths: pa.ChunkedArray, texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return times as numbers: whole numbers as they are, dates in microseconds since 1970.

    A date without a zone is UTC. Raises InputError for what is neither, and for a mixture.
    """
    distinct = texts.combine_chunks().dictionary_encode()
    values = distinct.dictionary
    numbers = pc.match_substring_regex(values, _WHOLE_NUMBER)
    if len(values) and pc.all(numbers).as_py():
        found = pc.replace_substring(values, "+", "").cast(pa.int64())
    else:
        found = pa.array(list(map(_microseconds, values.to_pylist())), pa.int64())
    wrong = values.filter(pc.is_null(found))
    if len(wrong):
        at = pc.index(texts, wrong[0]).as_py()
        raise InputError(
            f"{file}: row {at + 1}: the time of {paths[at].as_py()!r} must be a date such as "
            f"2024-03-31 or 2024-03-31T14:05, or a whole number; in all rows alike. Received: "
            f"{texts[at].as_py()!r}"
        )
    return pa.chunked_array([found.take(distinct.indices)])


def _microseconds(text: str) -> int | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    dated = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (dated - _EPOCH) // timedelta(microseconds=1)


def assign_by_time(
    known: NDArray[np.int8],
    groups: NDArray[np.int64],
    times: NDArray[np.int64],
    draws: Keys,
    shares: Sequence[tuple[int, float]],
) -> NDArray[np.int8]:
    """Return the split of each image, as positions in SPLITS; `known` ones, not -1, are kept.

    Images of one group have the same split; the time of a group is that of its newest image.
    Groups without a split are taken from the newest to the oldest, in the order of the `draws`
    where they are of the same time. They fill up each of the splits that have shares, in order, to
    within half a group; a split that has no image gets one group at least, if another is left.
    """
    _, numbers, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    of_group = np.full(len(sizes), -1, np.int8)
    np.maximum.at(of_group, numbers, known)
    newest = np.full(len(sizes), _NEVER)
    np.maximum.at(newest, numbers, times)
    place = np.empty(len(known), np.int64)
    place[in_order(draws)] = np.arange(len(known))
    first = np.full(len(sizes), len(known))
    np.minimum.at(first, numbers, place)
    oldest_first = np.lexsort((-first, newest))
    order = [group for group in oldest_first[::-1].tolist() if of_group[group] < 0]
    left, at = len(known), 0
    for split, share in shares:
        there = int(sizes[of_group == split].sum())
        needed = share * left - there
        last = len(order) if share == 1 or (of_group == 0).any() else len(order) - 1
        while at < last and 2 * needed >= (sizes[order[at]] if there else 1):
            of_group[order[at]] = split
            needed -= sizes[order[at]]
            there += int(sizes[order[at]])
            at += 1
        left -= there
    of_group[of_group < 0] = 0
    return np.where(known < 0, of_group[numbers], known)
