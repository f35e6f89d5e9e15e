"""Splits of groups: a group is in one split, and each class is near its share all the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Groups:
    """The number of images of each class in each group: of group g, `counts[g]`.

    `counts` are pairs of a class and a number of images, for the classes that the group has.
    """

    counts: Sequence[Sequence[tuple[int, int]]]

    @classmethod
    def of(cls, groups: NDArray[np.int64], labels: NDArray[np.int64]) -> "Groups":
        """Count images by their groups and labels, both (n,), as numbers from 0."""
        pairs, sizes = np.unique(np.stack([groups, labels], 1), axis=0, return_counts=True)
        counts: list[list[tuple[int, int]]] = [[] for _ in range(int(groups.max(initial=-1)) + 1)]
        for (group, label), size in zip(pairs.tolist(), sizes.tolist(), strict=True):
            counts[group].append((label, size))
        return cls(counts)

    def size(self, group: int) -> int:
        """Return the number of images of a group."""
        return sum(size for _, size in self.counts[group])


def choose_groups(
    groups: Groups,
    order: Sequence[int],
    needed: NDArray[np.floating[Any]],
    spare: NDArray[np.int64],
) -> list[int]:
    """Return groups that together have nearly the needed number of images of each class.

    In this order, a group is taken if the numbers are nearer to those needed with it (the sum of
    squares over the classes), and it exceeds the needed total by half of itself at most. Then more
    are taken, those that fit best, until the total is within half a group. No more images of a
    class are taken than are to spare. So the total is within one group of what is needed, if the
    spare images allow it; and so is each class, if each group has one class.
    """
    left, spare_left = needed.copy(), spare.copy()
    chosen, others = list[int](), list[int]()
    for group in order:
        fits = 2 * left.sum() >= groups.size(group) and _gain(groups, group, left) > 0
        if fits and _take(groups, group, left, spare_left):
            chosen.append(group)
        else:
            others.append(group)
    others.sort(key=lambda group: -_gain(groups, group, left))
    for group in others:
        if 2 * left.sum() > groups.size(group) and _take(groups, group, left, spare_left):
            chosen.append(group)
    return chosen


def _gain(groups: Groups, group: int, left: NDArray[np.floating[Any]]) -> float:
    """Return by how much the sum of squares gets smaller with a group."""
    return sum(size * float(2 * left[label] - size) for label, size in groups.counts[group])


def _take(
    groups: Groups, group: int, left: NDArray[np.floating[Any]], spare: NDArray[np.int64]
) -> bool:
    if any(size > spare[label] for label, size in groups.counts[group]):
        return False
    for label, size in groups.counts[group]:
        left[label] -= size
        spare[label] -= size
    return True
