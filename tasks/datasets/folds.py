"""The folds of a data set: its validation split, or k folds of train and validation."""

import warnings
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from stores.keys import Keys, as_arrow, draws, in_order
from stores.manifest import Images, Manifest, Split
from tasks.datasets.group_splits import Groups, choose_groups
from tasks.datasets.label_splits import deal
from tasks.datasets.number_strata import number_strata
from tasks.errors import InputError

Chosen = NDArray[np.bool_]  # (n,): some of the examples


@dataclass(frozen=True)
class Fold:
    """The examples that a head is trained on, and those that it is evaluated on.

    Early stopping uses neither: a head with a patience monitors the loss on `stopping`, a part of
    `train` that it is not trained on.
    """

    train: Chosen
    validation: Chosen
    stopping: Chosen | None = None

    def learned(self, *, stops: bool) -> Chosen:
        """Return the examples that a head is trained on; `stops`: it has a patience."""
        return self.train & ~self.stopping if stops and self.stopping is not None else self.train


LEARNED_FROM: tuple[Split, ...] = ("train", "validation")


# One of 5 train images is held out for early stopping.
_STOPPING = 5


def folds_of(manifest: Manifest, count: int, *, seed: int = 0) -> list[Fold]:
    """Return folds over the images of `manifest.select("train", "validation")`, in that order.

    With a count of 0, this is one fold: the splits themselves. Otherwise it is `count` stratified
    folds, and a last one without validation images, on which the final head is trained. The seed
    is that of the assignment of images to folds.
    """
    images = manifest.select(*LEARNED_FROM)
    if not count:
        held_out = manifest.select("validation").keys
        validation = pc.is_in(as_arrow(images.keys), as_arrow(held_out)).to_numpy(
            zero_copy_only=False
        )
        return [Fold(~validation, validation, stopping_part(images, ~validation))]
    numbers = fold_numbers(images, count, seed=seed)
    drawn = _stopping_draws(images)
    parts = [numbers == n for n in [*range(count), -1]]  # the last learns from all
    return [Fold(~some, some, stopping_part(images, ~some, drawn)) for some in parts]


def fold_numbers(images: Images, count: int, *, seed: int = 0) -> NDArray[np.int64]:
    """Return the number of the fold that holds out each image, (n,).

    Stratified: the sizes of folds differ by one at most, for each class and in total; with groups
    as well as these allow, by scikit-learn's StratifiedGroupKFold. Several labels are stratified by
    `label_splits.deal`, numbers by their strata. The result depends on the
    images' content and the seed, and not on the names or the order of files. Raises InputError for
    fewer groups than folds.
    """
    mark = f"fold {seed}:" if seed else "fold:"
    drawn, labels = draws(mark.encode(), images.keys), _stratified(images)
    if images.groups is not None:
        _check_groups(images.groups, count)
    if labels.ndim > 1:
        return deal(labels, in_order(drawn), [1 / count] * count, groups=images.groups)
    if images.groups is not None:
        return _group_folds(drawn, labels, images.groups, count)
    # One pass through all classes, so that the remainders do not all go to the first fold.
    order = _by_label_and_draw(labels, drawn)
    numbers = np.empty(len(order), np.int64)
    numbers[order] = np.arange(len(order)) % count
    return numbers


def stopping_part(
    images: Images, train: NDArray[np.bool_], drawn: Keys | None = None
) -> NDArray[np.bool_]:
    """Return the train images that are held out for early stopping, (n,).

    This is a stratified fifth, decided by the images' content. A class with one image, or one
    group, is not held out. `drawn` are the images' draws, where they are known.
    """
    labels = _stratified(images)
    drawn = _stopping_draws(images) if drawn is None else drawn
    if labels.ndim > 1:
        return _stopping_labels(drawn, labels, images.groups, train)
    if images.groups is not None:
        return _stopping_groups(drawn, labels, images.groups, train)
    counts = np.bincount(labels[train], minlength=int(labels.max(initial=0)) + 1)
    several = np.flatnonzero(train & (counts[labels] > 1))
    order = several[_by_label_and_draw(labels[several], drawn[several])]
    part = np.zeros(len(labels), np.bool_)
    part[order[_STOPPING - 1 :: _STOPPING] if len(order) >= _STOPPING else order[-1:]] = True
    return part


def _stratified(images: Images) -> NDArray[np.int64]:
    """Return what images are stratified by: their class or stratum (n,), or labels (n, labels)."""
    values = images.labels
    return number_strata(values) if values.dtype == np.float64 else values


def _check_groups(groups: NDArray[np.int64], count: int) -> None:
    """Raise InputError for fewer groups than folds."""
    if (there := len(np.unique(groups))) < count:
        raise InputError(
            f"{there} groups of images for {count} folds; give --folds {there} at most, or 0"
        )


def _group_folds(
    drawn: Keys, labels: NDArray[np.int64], groups: NDArray[np.int64], count: int
) -> NDArray[np.int64]:
    from sklearn.model_selection import StratifiedGroupKFold

    # In the order of the draws, and groups numbered in that order, so that neither the names of
    # groups nor the order of files decides.
    order = in_order(drawn)
    _, first, which = np.unique(groups[order], return_index=True, return_inverse=True)
    numbers = np.argsort(np.argsort(first))[which]
    folds = np.empty(len(labels), np.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # on a class with fewer images than folds
        parts = StratifiedGroupKFold(count).split(order, labels[order], numbers)
        for fold, (_, held_out) in enumerate(parts):
            folds[order[held_out]] = fold
    return folds


def _stopping_groups(
    drawn: Keys, labels: NDArray[np.int64], groups: NDArray[np.int64], train: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return the train images of a fifth of the groups; each class keeps some."""
    places = np.flatnonzero(train)
    _, numbers = np.unique(groups[places], return_inverse=True)
    counts = np.bincount(labels[places], minlength=int(labels.max(initial=0)) + 1)
    in_turn = numbers[in_order(drawn[places])]
    _, first = np.unique(in_turn, return_index=True)
    chosen = choose_groups(
        Groups.of(numbers, labels[places]),
        in_turn[np.sort(first)].tolist(),
        counts / _STOPPING,
        np.maximum(counts - 1, 0),
    )
    part = np.zeros(len(labels), np.bool_)
    part[places[np.isin(numbers, chosen)]] = True
    return part


def _stopping_labels(
    drawn: Keys,
    labels: NDArray[np.int64],
    groups: NDArray[np.int64] | None,
    train: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Return the train images of a fifth, where an image has several labels; each keeps some."""
    places = np.flatnonzero(train)
    shares = (1 - 1 / _STOPPING, 1 / _STOPPING)
    own = None if groups is None else groups[places]
    dealt = deal(labels[places], in_order(drawn[places]), shares, groups=own, first=0)
    part = np.zeros(len(labels), np.bool_)
    part[places[dealt == 1]] = True
    return part


def _by_label_and_draw(labels: NDArray[np.int64], drawn: Keys) -> NDArray[np.int64]:
    order = in_order(drawn)
    return order[np.argsort(labels[order], kind="stable")]


def _stopping_draws(images: Images) -> Keys:
    return draws(b"stop:", images.keys)
