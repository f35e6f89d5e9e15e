"""Train, validation and test splits: by content, stratified, seeded, and kept once assigned."""

import hashlib
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from stores.keys import Keys, as_keys, from_arrow, in_order
from stores.manifest import SPLITS, Manifest
from stores.manifest_rows import first_of_each, group_numbers, only_where, set_column
from tasks.datasets.group_splits import Groups, choose_groups
from tasks.datasets.groups import leave_out_divided
from tasks.datasets.split_file import SplitFile
from tasks.errors import InputError

log = logging.getLogger("gargalo.ingest")

Codes = NDArray[np.int8]  # (n,): positions in SPLITS, or NONE
TRAIN, VALIDATION, TEST = range(3)
NONE = -1

_ROUNDING = 1e-9  # of floating point


@dataclass(frozen=True)
class SplitRule:
    """How images are split: the seed, the fraction of test images, and of validation images.

    None: the value of the data set; a new data set has seed 0 and fractions of 0.2. A split file
    gives each image its split instead.
    """

    seed: int | None = None
    test_split: float | None = None
    validation_split: float | None = None
    file: Path | None = None

    def resolved(self, previous: Manifest | None) -> tuple[int, float, float]:
        """Return seed, test fraction and validation fraction for a data set."""
        known = (0, 0.2, 0.2) if previous is None else _rule_of(previous)
        own = (self.seed, self.test_split, self.validation_split)
        seed, test, validation = (k if o is None else o for k, o in zip(known, own, strict=True))
        return int(seed), float(test), float(validation)

    def agrees_with(self, previous: Manifest) -> bool:
        """Return whether a data set was split by this rule."""
        return self.resolved(previous) == _rule_of(previous)


def split_rows(
    manifest: Manifest,
    rows: pa.Table,
    previous: Manifest | None,
    given_by: SplitFile | None = None,
) -> pa.Table:
    """Return the rows with their splits: those of a split file, of the folders, or random.

    Random splits follow the rule in `manifest`. Files in a folder of a split keep that split.
    Without a validation folder, a part of train becomes validation. With one, but without a test
    folder, a part of validation becomes test, as in TensorFlow's tutorial.
    """
    keyed = first_of_each(rows.filter(pc.is_valid(rows["key"])))
    if given_by:
        had = _codes(_by_key(keyed, previous))
        splits = given_by.codes_of(rows, keyed)
        if moved := np.count_nonzero((had >= 0) & (splits >= 0) & (had != splits)):
            log.warning("%s moves %d images to another split", given_by.file, moved)
        return leave_out_divided(_with_splits(rows, keyed, np.where(splits >= 0, splits, had)))
    remembered = _codes(_remembered(manifest, rows, keyed, previous))
    images = first_of_each(rows.filter(pc.equal(rows["status"], "accepted")))
    there = pc.index_in(images["key"], keyed["key"].combine_chunks()).to_numpy()
    given, known = _codes(images["split"]), remembered[there]
    drawn = Drawn.of(manifest, images)
    if (given >= 0).any() and (given < 0).any():
        bare = images["path"][int(np.argmax(given < 0))].as_py()
        raise InputError(f"no split for {bare!r}; give one in each row of the table, or in none")
    if (given < 0).all():
        splits = drawn.assign(known, manifest.test_split, manifest.validation_split)
    elif (given != VALIDATION).all():
        learned = given == TRAIN
        some = np.where(known == TEST, NONE, known)[learned]
        splits = given.copy()
        splits[learned] = drawn.part(learned).assign(some, 0.0, manifest.validation_split)
    elif (given == TEST).any():
        splits = given
    else:
        held_out = given == VALIDATION
        some = np.where(known == TRAIN, NONE, known)[held_out]
        splits = given.copy()
        splits[held_out] = drawn.part(held_out).assign(some, manifest.test_split, 1.0)
    remembered[there] = np.where(splits >= 0, splits, known)
    return leave_out_divided(_with_splits(rows, keyed, remembered))


def gone(previous: Manifest | None, rows: pa.Table) -> pa.Table:
    """Return the rows of images that were removed, so that their splits are remembered."""
    if previous is None:
        return rows.schema.empty_table()
    had = previous.rows.filter(
        pc.and_(pc.is_valid(previous.rows["key"]), pc.is_valid(previous.rows["split"]))
    )
    lost = had.filter(pc.invert(pc.is_in(had["key"], rows["key"].combine_chunks())))
    lost = first_of_each(lost)
    return set_column(lost, "status", pa.array(["absent"] * len(lost), pa.string()))


@dataclass(frozen=True)
class Drawn:
    """Distinct images that are split by chance: keys (n, 32), labels and groups (n,) as numbers.

    Without groups, each image is split on its own.
    """

    keys: Keys
    labels: NDArray[np.int64]
    seed: int
    groups: NDArray[np.int64] | None = None

    @classmethod
    def of(cls, manifest: Manifest, images: pa.Table) -> Self:
        """Return the images of rows with distinct keys."""
        labels = images["label"].combine_chunks().dictionary_encode()
        numbers = labels.indices.to_numpy().astype(np.int64)
        groups = group_numbers(images) if images["group"].null_count < len(images) else None
        return cls(from_arrow(images["key"]), numbers, manifest.split_seed, groups)

    def part(self, chosen: NDArray[np.bool_]) -> Self:
        """Return some of the images."""
        groups = self.groups if self.groups is None else self.groups[chosen]
        return replace(self, keys=self.keys[chosen], labels=self.labels[chosen], groups=groups)

    def assign(self, known: Codes, test_split: float, validation_split: float) -> Codes:
        """Return the split of each image.

        The test split is a fraction of all images, the validation split a fraction of the rest.
        Known splits are always kept. New images are sorted by seed and content. In this order they
        fill up the test split of their class, then its validation split; the rest is train.
        """
        if self.groups is not None:
            shares = ((TEST, test_split), (VALIDATION, validation_split))
            return self._assign_groups(self.groups, known, shares)
        splits, count = known.copy(), int(self.labels.max(initial=-1)) + 1
        new = np.flatnonzero(splits < 0)
        draws = self._draws(new)
        order = in_order(draws)
        new, draws = new[order], draws[order]
        by_label = np.argsort(self.labels[new], kind="stable")
        new, draws = new[by_label], draws[by_label]
        ends = np.cumsum(np.bincount(self.labels[new], minlength=count))
        starts = np.concatenate([[0], ends[:-1]]) if count else ends
        left = np.ones(len(splits), np.bool_)  # the images that are not in an earlier split
        for split, share in ((TEST, test_split), (VALIDATION, validation_split)):
            images = np.bincount(self.labels[left], minlength=count)
            there = np.bincount(self.labels[left & (splits == split)], minlength=count)
            classes = {
                label: _Class(
                    images=int(images[label]),
                    there=int(there[label]),
                    new=int(ends[label] - starts[label]),
                    draw=draws[starts[label]].tobytes() if ends[label] > starts[label] else b"",
                )
                for label in range(count)
            }
            for label, dealt in _dealt(classes, share).items():
                missing = dealt - classes[label].there
                splits[new[starts[label] : starts[label] + missing]] = split
                starts[label] += missing
            left &= splits != split
        splits[splits < 0] = TRAIN
        return splits

    def _assign_groups(
        self, groups: NDArray[np.int64], known: Codes, shares: Sequence[tuple[int, float]]
    ) -> Codes:
        """Return the split of each image, where images of one group have the same.

        A group that has a split keeps it. Others are taken in the order of their first draw.
        """
        _, numbers = np.unique(groups, return_inverse=True)
        sizes, count = Groups.of(numbers, self.labels), int(self.labels.max(initial=-1)) + 1
        of_group = np.full(len(sizes.counts), NONE, np.int8)
        np.maximum.at(of_group, numbers, known)  # of a divided group the split nearest to test
        places = np.flatnonzero(of_group[numbers] == NONE)
        draws = in_order(self._draws(places))
        _, first = np.unique(numbers[places][draws], return_index=True)
        order = numbers[places][draws][np.sort(first)].tolist()
        left = np.ones(len(known), np.bool_)
        for split, share in shares:
            there = of_group[numbers] == split
            images = np.bincount(self.labels[left], minlength=count)
            needed = share * images - np.bincount(self.labels[there], minlength=count)
            open_images = self.labels[of_group[numbers] == NONE]
            kept = 0 if share == 1 else 1  # an image of each class is left over
            train = np.bincount(self.labels[of_group[numbers] == TRAIN], minlength=count)
            spare = np.bincount(open_images, minlength=count) - (train < kept)
            chosen = choose_groups(sizes, order, needed, spare)
            of_group[chosen] = split
            order = [group for group in order if of_group[group] == NONE]
            left &= of_group[numbers] != split
        of_group[of_group == NONE] = TRAIN
        return np.where(known == NONE, of_group[numbers], known)

    def _draws(self, places: NDArray[np.int64]) -> Keys:
        start = f"{self.seed}:".encode()
        digests = (
            hashlib.sha256(start + self.keys[n].tobytes().hex().encode()).digest() for n in places
        )
        return as_keys(digests)


def majority_baseline(counts: Mapping[str, Mapping[str, int]]) -> tuple[str, float]:
    """Return the majority class of train, and the accuracy of this baseline on test.

    Without test images, it is the accuracy on all images. `counts` are images by class and split.
    """
    largest = max(counts, key=lambda name: counts[name]["train"])
    tested = {name: row["test"] for name, row in counts.items()}
    if not any(tested.values()):
        tested = {name: sum(row.values()) for name, row in counts.items()}
    return largest, tested[largest] / max(1, sum(tested.values()))


def _with_splits(rows: pa.Table, keyed: pa.Table, codes: Codes) -> pa.Table:
    """Return rows with the splits of distinct images; a file without a key keeps its own."""
    names = pa.array(SPLITS, pa.string()).take(pa.array(codes, mask=codes < 0))
    place = pc.index_in(rows["key"], keyed["key"].combine_chunks())
    place = only_where(pc.is_valid(rows["key"]), place)
    own = only_where(pc.is_null(rows["key"]), rows["split"])
    return set_column(rows, "split", pc.coalesce(names.take(place), own))


def _remembered(
    manifest: Manifest, rows: pa.Table, keyed: pa.Table, previous: Manifest | None
) -> pa.ChunkedArray:
    """Return the split that each distinct image had, by content, or by path if it was edited."""
    if previous is None:
        return pa.chunked_array([pa.nulls(len(keyed), pa.string())])
    if _rule_of(previous) != _rule_of(manifest):
        log.warning("data set %r is split again: the seed or a fraction changed", manifest.name)
        return pa.chunked_array([pa.nulls(len(keyed), pa.string())])
    there = previous.rows.filter(pc.not_equal(previous.rows["status"], "absent"))
    own = _looked_up(rows["path"], there["path"], there["split"])
    edited = rows.append_column("had", own)
    edited = edited.filter(pc.and_(pc.is_valid(own), pc.is_valid(rows["key"])))
    by_path = _looked_up(keyed["key"], edited["key"], edited["had"])
    return pc.coalesce(_by_key(keyed, previous), by_path)


def _by_key(keyed: pa.Table, previous: Manifest | None) -> pa.ChunkedArray:
    """Return the split that each image had by its content."""
    if previous is None:
        return pa.chunked_array([pa.nulls(len(keyed), pa.string())])
    had = previous.rows.filter(pc.is_valid(previous.rows["split"]))
    return _looked_up(keyed["key"], had["key"], had["split"])


def _looked_up(
    wanted: pa.ChunkedArray, names: pa.ChunkedArray, values: pa.ChunkedArray
) -> pa.ChunkedArray:
    """Return the value of each wanted name, or null."""
    place = pc.index_in(wanted, names.combine_chunks(), skip_nulls=True)
    return values.take(place)


def _codes(splits: pa.ChunkedArray) -> Codes:
    """Return splits as their positions in SPLITS; NONE where there is none."""
    found = pc.index_in(splits, pa.array(SPLITS, pa.string()), skip_nulls=True)
    return np.array(pc.fill_null(found, NONE).to_numpy(), np.int8)


def _rule_of(manifest: Manifest) -> tuple[int, float, float]:
    return manifest.split_seed, manifest.test_split, manifest.validation_split


@dataclass(frozen=True)
class _Class:
    """The images of a class that one split can have."""

    images: int
    there: int  # images that are in the split already
    new: int  # images that can be added
    draw: bytes  # breaks ties, by content

    def count(self, share: float) -> int:
        """Return the possible number of images that is nearest to the fraction."""
        return min(max(_rounded(self.images * share), self.there), self.most(share))

    def most(self, share: float) -> int:
        """Return the maximum number of images: one is left over, unless the fraction is 1."""
        left = 0 if share == 1 else 1
        return max(self.there, min(self.there + self.new, self.images - left))


def _dealt(classes: Mapping[int, _Class], share: float) -> dict[int, int]:
    """Return the number of images of each class in a split.

    Each class has the nearest whole number to its fraction. If the total differs from the fraction
    of all images by more than one, because many small classes are rounded the same way, the classes
    with the largest rounding errors get one image more, or less.
    """
    counts = {label: about.count(share) for label, about in classes.items()}
    over = sum(counts.values()) - share * sum(about.images for about in classes.values())
    if abs(over) <= 1 + _ROUNDING:
        return counts
    step = -1 if over > 0 else 1
    excess = {label: counts[label] - share * classes[label].images for label in classes}
    able = [
        label
        for label, about in classes.items()
        if step * excess[label] <= _ROUNDING
        and about.there <= counts[label] + step <= about.most(share)
    ]
    # Rounded, so that floating point errors do not decide between equal classes.
    able.sort(key=lambda label: (round(step * excess[label], 9), classes[label].draw))
    return counts | {label: counts[label] + step for label in able[: _rounded(abs(over))]}


def _rounded(number: float) -> int:
    # round() rounds a half to the even neighbour; here a half is always rounded up.
    return math.floor(number + 0.5)
