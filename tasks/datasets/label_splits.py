"""Parts of images with several labels: in each part, each label is near its share.

By iterative stratification (Sechidis, Tsoumakas and Vlahavas 2011, On the stratification of
multi-label data, ECML PKDD): the rarest label is dealt first. Where they give an image to the part
that lacks that label most, here all its labels count, and the part's number of images, each
relative to the part's share. So frequent labels and the sizes of parts are nearer to their shares.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class _Units:
    """What is dealt as one, images or groups, with their labels; to be an image is a label, too.

    Unit u has the labels `labels[starts[u]:starts[u + 1]]`, in as many images as `counts` has at
    the same places. `by_label` has the units with each label that are to be dealt, in the order of
    their draws, and `turns` the place of the first of them in that order.
    """

    labels: list[int]
    counts: list[int]
    starts: list[int]
    by_label: list[list[int]]
    turns: NDArray[np.int64]

    def labels_of(self, unit: int) -> list[tuple[int, int]]:
        """Return each label of a unit, with its number of images."""
        places = slice(self.starts[unit], self.starts[unit + 1])
        return list(zip(self.labels[places], self.counts[places], strict=True))


def deal(
    labels: NDArray[np.int64],
    order: NDArray[np.int64],
    shares: Sequence[float],
    *,
    known: NDArray[np.integer[Any]] | None = None,
    groups: NDArray[np.int64] | None = None,
    first: int | None = None,
) -> NDArray[np.int64]:
    """Return the part of each image, (n,), as its place in `shares`, which sum to 1.

    `labels` are 0 or 1, (n, labels). `order` (n,) has the places of the images in the order of
    their draws, which decides between images that are alike. `known` parts, not -1, are kept.
    Images with the same number in `groups` get the same part; of several known ones the last. The
    part `first` gets an image of each label before the others do.
    """
    count = len(labels)
    known = np.full(count, -1, np.int64) if known is None else known.astype(np.int64)
    unit = np.arange(count) if groups is None else np.unique(groups, return_inverse=True)[1]
    none, image = ~labels.any(axis=1, keepdims=True), np.ones((count, 1), np.int64)
    named = np.concatenate([labels, none, image], axis=1)
    part_of = np.full(int(unit.max(initial=-1)) + 1, -1, np.int64)
    np.maximum.at(part_of, unit, known)
    own = np.where(known < 0, part_of[unit], known)
    had = np.stack([named[own == part].sum(axis=0) for part in range(len(shares))])
    lacking = np.outer(shares, named.sum(axis=0)) - had
    awaits = (had[first] == 0).tolist() if first is not None else [False] * named.shape[1]
    _deal(
        _units(named, unit, order, part_of < 0), part_of, lacking.T.tolist(), shares, first, awaits
    )
    return np.where(known < 0, part_of[unit], known)


def _units(
    named: NDArray[np.int64],
    unit: NDArray[np.int64],
    order: NDArray[np.int64],
    is_open: NDArray[np.bool_],
) -> _Units:
    images, labels = np.nonzero(named)
    width, count = named.shape[1], len(order)
    pairs, counts = np.unique(unit[images] * width + labels, return_counts=True)
    of, labels = pairs // width, pairs % width
    turn = np.full(len(is_open), count)
    np.minimum.at(turn, unit[order], np.arange(count))
    in_turn = np.lexsort((turn[of], labels))
    in_turn = in_turn[is_open[of[in_turn]]]
    ends = np.cumsum(np.bincount(labels[in_turn], minlength=width))
    by_label = np.split(of[in_turn], ends[:-1])
    turns = np.array([turn[some[0]] if len(some) else count for some in by_label])
    starts = np.searchsorted(of, np.arange(len(is_open) + 1)).tolist()
    lists = [some.tolist() for some in by_label]
    return _Units(labels.tolist(), counts.tolist(), starts, lists, turns)


def _deal(
    units: _Units,
    part_of: NDArray[np.int64],
    lacking: list[list[float]],
    shares: Sequence[float],
    first: int | None,
    awaits: list[bool],
) -> None:
    """Set the part of each unit that has none.

    `lacking` are images, by label and part; `awaits` tells of which labels `first` is to get one.
    """
    left = [len(some) for some in units.by_label]
    parts = [part for part, share in enumerate(shares) if share > 0]
    done = (part_of >= 0).tolist()
    while (label := _rarest(left, units.turns)) is not None:
        for unit in units.by_label[label]:
            if done[unit]:
                continue
            done[unit], own = True, units.labels_of(unit)
            rare = [one for one, _ in own if awaits[one] and (one == label or left[one] == 1)]
            if first is not None and rare:
                part = first
            else:
                here = [lacking[one] for one, _ in own]
                lack = [sum([some[p] for some in here]) / shares[p] for p in parts]
                part = parts[lack.index(max(lack))]
            part_of[unit] = part
            for one, images in own:
                lacking[one][part] -= images
                left[one] -= 1
                awaits[one] &= part != first


def _rarest(left: list[int], turns: NDArray[np.int64]) -> int | None:
    """Return the label that the fewest units have; of several, that of the first draw."""
    counts = np.array(left)
    rank = np.where(counts > 0, counts * (1 + turns.max(initial=0)) + turns, np.iinfo(np.int64).max)
    at = int(np.argmin(rank))
    return at if counts[at] else None
