"""Near-duplicates of near-duplicates are one group, and the table has each file in its group."""

import numpy as np

from stores.keys import ImageKey
from tasks.evaluation.duplicate_groups import groups_csv, largest_group, near_duplicate_groups
from tasks.evaluation.near_duplicates import Pair

KEYS = np.arange(7 * 32, dtype=np.uint8).reshape(7, 32)


def groups(*pairs):
    return near_duplicate_groups([Pair(a, b, 0.99, "pixels") for a, b in pairs], KEYS)


def test_chains_are_one_group_and_the_largest_is_first():
    found = groups((0, 1), (2, 3), (3, 5))
    named = {n: found.get(bytes(KEYS[n])) for n in range(7)}
    assert named[2] == named[3] == named[5] == "near-duplicates 1"
    assert named[0] == named[1] == "near-duplicates 2"
    assert named[4] is named[6] is None
    assert largest_group(found) == 3


def test_without_pairs_there_is_no_group():
    assert groups() == {}
    assert largest_group({}) == 0


def test_the_table_has_all_files_and_a_copy_of_bytes_stays_with_its_original():
    keys = [ImageKey(bytes(key)) for key in KEYS]
    files = [
        ("cat/a.jpg", keys[0]),
        ("cat/b.jpg", keys[1]),
        ("dog/c.jpg", keys[4]),
        ("dog/d.jpg", keys[4]),
        ("=dog/e.jpg", keys[5]),
    ]
    assert groups_csv(files, groups((0, 1))).decode().splitlines() == [
        "path,group",
        "cat/a.jpg,near-duplicates 1",
        "cat/b.jpg,near-duplicates 1",
        "dog/c.jpg,dog/c.jpg",
        "dog/d.jpg,dog/c.jpg",
        "./=dog/e.jpg,'=dog/e.jpg",  # still its path, and no formula
    ]
