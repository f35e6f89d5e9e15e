"""Groups of near-duplicates: what is to stay in one split, as names and as a table."""

import csv
import io
from collections.abc import Iterable, Sequence

import numpy as np

from stores.keys import Keys
from stores.printable import cell, path_cell
from tasks.evaluation.near_duplicates import Pair

COLUMNS = ("path", "group")


def near_duplicate_groups(pairs: Iterable[Pair], keys: Keys) -> dict[bytes, str]:
    """Return the group of each image that has a near-duplicate, by its key; the largest is first.

    `keys` are those of the images whose positions the pairs have. Near-duplicates of
    near-duplicates are of one group: its first and its last may differ.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    places = np.array([(pair.first, pair.second) for pair in pairs], np.int64).reshape(-1, 2)
    if not len(places):
        return {}
    size = (len(keys), len(keys))
    links = coo_array((np.ones(len(places), np.bool_), (places[:, 0], places[:, 1])), shape=size)
    _, parts = connected_components(links, directed=False)
    images = np.bincount(parts)
    order = np.argsort(-images, kind="stable")
    number = np.empty_like(order)
    number[order] = np.arange(1, len(order) + 1)
    grouped = np.flatnonzero(images[parts] > 1).tolist()
    return {bytes(keys[n]): f"near-duplicates {number[parts[n]]}" for n in grouped}


def largest_group(groups: dict[bytes, str]) -> int:
    """Return how many images the largest group has; 0 where there is none."""
    return int(np.unique(list(groups.values()), return_counts=True)[1].max()) if groups else 0


def groups_csv(files: Sequence[tuple[str, bytes]], groups: dict[bytes, str]) -> bytes:
    """Return a table of all files, each a (path, key), for `--labels FILE --group group`.

    An image that has no near-duplicate is a group of its own, named as its first file.
    """
    own: dict[bytes, str] = {}
    sink = io.StringIO()
    rows = csv.writer(sink, lineterminator="\n")
    rows.writerow(COLUMNS)
    for path, key in files:
        group = groups.get(key) or own.setdefault(key, path)
        rows.writerow([path_cell(path), cell(group)])
    return sink.getvalue().encode()
