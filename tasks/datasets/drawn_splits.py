"""Splits by chance: by content, stratified, seeded, and kept once assigned."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from stores.keys import Keys, draws, from_arrow, in_order
from stores.manifest import Manifest
from stores.manifest_rows import group_numbers
from stores.target_values import target_values
from tasks.datasets.group_splits import Groups, choose_groups
from tasks.datasets.label_splits import deal
from tasks.datasets.number_strata import number_strata
from tasks.datasets.time_splits import assign_by_time

_ROUNDING = 1e-9  # of floating point
_LONG_AGO = np.iinfo(np.int64).min  # of images that have a split already

Codes = NDArray[np.int8]  # (n,): positions in SPLITS, or NONE
TRAIN, VALIDATION, TEST = range(3)
NONE = -1


@dataclass(frozen=True)
class Drawn:
    """Distinct images that are to be split: keys (n, 32), labels and groups (n,) as numbers.

    Several labels of an image are 0 or 1, (n, labels). A number's label is its stratum. Without
    groups, each image is split on its own; without times, by chance.
    """

    keys: Keys
    labels: NDArray[np.int64]
    seed: int
    groups: NDArray[np.int64] | None = None
    times: NDArray[np.int64] | None = None

    @classmethod
    def of(cls, manifest: Manifest, images: pa.Table) -> Self:
        """Return the images of rows with distinct keys."""
        numbers = _numbered(manifest, images["label"])
        groups = group_numbers(images) if images["group"].null_count < len(images) else None
        times = None
        if manifest.split_by == "time":
            times = pc.fill_null(images["time"], _LONG_AGO).to_numpy()
        return cls(from_arrow(images["key"]), numbers, manifest.split_seed, groups, times)

    def part(self, chosen: NDArray[np.bool_]) -> Self:
        """Return some of the images."""
        groups = self.groups if self.groups is None else self.groups[chosen]
        times = self.times if self.times is None else self.times[chosen]
        keys, labels = self.keys[chosen], self.labels[chosen]
        return replace(self, keys=keys, labels=labels, groups=groups, times=times)

    def assign(self, known: Codes, test_split: float, validation_split: float) -> Codes:
        """Return the split of each image.

        The test split is a fraction of all images, the validation split a fraction of the rest.
        Known splits are always kept. New images are sorted by seed and content. In this order they
        fill up the test split of their class, then its validation split; the rest is train. With
        times, the newest fill up test, then validation, whatever their classes.
        """
        shares = ((TEST, test_split), (VALIDATION, validation_split))
        if self.times is not None:
            alone = np.arange(len(known))
            groups = alone if self.groups is None else self.groups
            return assign_by_time(known, groups, self.times, self._draws(alone), shares)
        if self.labels.ndim > 1:
            return self._assign_labels(known, test_split, validation_split)
        if self.groups is not None:
            return self._assign_groups(self.groups, known, shares)
        splits, count = known.copy(), int(self.labels.max(initial=-1)) + 1
        new = np.flatnonzero(splits < 0)
        drawn = self._draws(new)
        order = in_order(drawn)
        order = order[np.argsort(self.labels[new[order]], kind="stable")]
        new = new[order]
        ends = np.cumsum(np.bincount(self.labels[new], minlength=count))
        starts = np.concatenate([[0], ends[:-1]]) if count else ends
        left = np.ones(len(splits), np.bool_)  # the images that are not in an earlier split
        for split, share in shares:
            images = np.bincount(self.labels[left], minlength=count)
            there = np.bincount(self.labels[left & (splits == split)], minlength=count)
            classes = {
                label: _Class(
                    images=int(images[label]),
                    there=int(there[label]),
                    new=int(ends[label] - starts[label]),
                    draw=drawn[order[starts[label]]].tobytes()
                    if ends[label] > starts[label]
                    else b"",
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
        drawn = numbers[places][in_order(self._draws(places))]
        _, first = np.unique(drawn, return_index=True)
        order = drawn[np.sort(first)].tolist()
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

    def _assign_labels(self, known: Codes, test_split: float, validation_split: float) -> Codes:
        """Return the split of each image, where an image has several labels."""
        rest = 1 - test_split
        shares = {TRAIN: rest * (1 - validation_split), VALIDATION: rest * validation_split}
        shares[TEST] = test_split
        order = in_order(self._draws(np.arange(len(known))))
        found = deal(
            self.labels,
            order,
            [shares[split] for split in (TRAIN, VALIDATION, TEST)],
            known=known,
            groups=self.groups,
            first=TRAIN if shares[TRAIN] else None,
        )
        return found.astype(np.int8)

    def _draws(self, places: NDArray[np.int64]) -> Keys:
        """Return what is drawn for the images at some places, in order."""
        keys = self.keys if len(places) == len(self.keys) else self.keys[places]
        return draws(f"{self.seed}:".encode(), keys, in_hexadecimal=True)


def _numbered(manifest: Manifest, labels: pa.ChunkedArray) -> NDArray[np.int64]:
    """Return labels as `Drawn` has them."""
    if manifest.target == "classes":
        indices = labels.combine_chunks().dictionary_encode().indices
        return np.asarray(indices.to_numpy(), np.int64)
    values = target_values(labels, manifest.classes, manifest.target, manifest.label_separator)
    return values if manifest.target == "labels" else number_strata(values)


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
