"""Sets of classes that hold the true one with a given probability: split conformal prediction.

V. Vovk et al., Algorithmic Learning in a Random World, Springer 2005. All that is assumed is that
new images come as the held-out ones did; the head and its probabilities may be wrong.
"""

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from tasks.errors import InputError
from tasks.evaluation.group_effect import Groups
from tasks.evaluation.set_names import CoverageBy, SetKind

Values = NDArray[np.float64]
_ROUNDING = 1e-5  # relative: votes of neighbors are the same number, and float32 tells them apart


@dataclass(frozen=True)
class HeldOut:
    """How strange the true class of each held-out image is, by each kind of sets."""

    labels: NDArray[np.int64]  # (n,)
    lac: Values  # (n,)
    aps: Values  # (n,)
    groups: Groups | None = None  # (n,)


@dataclass(frozen=True)
class SetRule:
    """Which classes are in an image's set: those that are at most as strange as a limit."""

    coverage: float
    kind: SetKind
    by: CoverageBy | None
    limits: Values  # (classes,)
    images: int  # by which the limits were found

    def sets(self, probabilities: Values) -> NDArray[np.bool_]:
        """Return whether each class is in the set of each image, (n, classes)."""
        limits = self.limits * (1 + _ROUNDING)
        return np.asarray(strangeness(probabilities, self.kind) <= limits)


def strangeness(probabilities: Values, kind: SetKind) -> Values:
    """Return how strange each class would be as the true one, (n, classes); 0 is not at all."""
    if kind == "lac":
        return 1 - probabilities
    order = np.argsort(-probabilities, axis=1, kind="stable")
    highest_first = np.take_along_axis(probabilities, order, axis=1)
    before = np.cumsum(highest_first, axis=1) - highest_first
    # Classes that are as probable are as strange.
    new = np.ones(before.shape, np.bool_)
    new[:, 1:] = highest_first[:, 1:] < highest_first[:, :-1]
    first = np.maximum.accumulate(np.where(new, np.arange(before.shape[1]), 0), axis=1)
    found = np.empty_like(before)
    np.put_along_axis(found, order, np.take_along_axis(before, first, axis=1), axis=1)
    return found


def held_out(
    probabilities: Values, labels: NDArray[np.int64], groups: Groups | None = None
) -> HeldOut:
    """Return how strange the true classes of held-out images are."""
    own = probabilities[np.arange(len(labels)), labels][:, np.newaxis]
    before = probabilities.sum(axis=1, where=probabilities > own)
    return HeldOut(labels, 1 - own[:, 0], before, groups)


def set_rule(
    found: HeldOut,
    classes: tuple[str, ...],
    coverage: float,
    *,
    kind: SetKind = "lac",
    by: CoverageBy | None = None,
) -> SetRule:
    """Return the rule by which sets hold the true class of a share `coverage` of new images.

    By class, that holds for the images of each class (Vovk's Mondrian taxonomy). Where there are
    groups it holds for an image of a new group: each group counts the same, whatever its size (Y.
    Lee et al., Distribution-free Inference with Hierarchical Data, JRSSB 2025). Raises InputError
    for a coverage that the held-out images do not allow.
    """
    check_coverage(coverage, by, found.groups)
    if by is None and found.groups is not None:
        by = "group"
    values = found.lac if kind == "lac" else found.aps
    if by != "class":
        limit = limit_of(values, found.groups, coverage)
        return SetRule(coverage, kind, by, np.full(len(classes), limit), len(values))
    limits = []
    for number, name in enumerate(classes):
        mine = found.labels == number
        groups = None if found.groups is None else found.groups[mine]
        limits.append(limit_of(values[mine], groups, coverage, f" of class {name!r}"))
    return SetRule(coverage, kind, by, np.array(limits), len(values))


def check_coverage(coverage: float, by: CoverageBy | None, groups: Groups | None) -> None:
    """Raise InputError for a coverage that is no share, or is by groups where there are none."""
    if not 0 < coverage < 1:
        raise InputError(f"--coverage {coverage:g}: expected a share between 0 and 1, as 0.9")
    if by == "group" and groups is None:
        raise InputError(
            "--coverage-by group: the run's predictions have no groups; ingest with --group "
            "COLUMN and train again, or leave it out"
        )


def needed(coverage: float) -> int:
    """Return how many images, or groups, a coverage needs: of n one more is left out of n + 1."""
    share = Fraction(repr(coverage))  # in floats, 0.9 / (1 - 0.9) is more than 9
    return math.ceil(share / (1 - share))


def limit_of(values: Values, groups: Groups | None, coverage: float, where: str = "") -> float:
    """Return the value that a share `coverage` of new images does not exceed.

    `values` (n,) are those of held-out images, `groups` (n,) each count the same. Without groups
    that is the value at place ⌈(n + 1) · coverage⌉. `where` is for the message of the InputError
    that is raised where there are too few.
    """
    if groups is None:
        groups = np.arange(len(values))
    _, which, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    count, least = len(sizes), needed(coverage)
    if count < least:
        what = "images" if count == len(values) else "groups of images"
        remedy = "train with more validation images, or with --folds"
        if count:
            lower = math.floor(1000 * count / (count + 1)) / 1000
            remedy = f"give at most --coverage {lower:g}, or {remedy}"
        raise InputError(
            f"--coverage {coverage:g} needs {least:,} held-out {what}{where}, found {count:,}; "
            f"{remedy}"
        )
    order = np.argsort(values, kind="stable")
    # The new image's group is one more, whose strangeness nobody knows.
    shares = np.cumsum(1 / sizes[which[order]]) / (count + 1)
    place = int(np.searchsorted(shares, coverage - 1e-12))
    return float(values[order[min(place, len(values) - 1)]])
