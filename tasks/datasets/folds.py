"""The folds of a data set: its validation split, or k folds of train and validation."""

import hashlib
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from stores.keys import Keys, as_arrow, as_keys, in_order
from stores.manifest import Images, Manifest, Split

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
        return [_fold(images, ~validation, validation)]
    numbers = fold_numbers(images.keys, images.labels, count, seed=seed)
    everything = np.ones(len(numbers), np.bool_)
    return [
        *(_fold(images, numbers != n, numbers == n) for n in range(count)),
        _fold(images, everything, ~everything),
    ]


def fold_numbers(
    keys: Keys, labels: NDArray[np.int64], count: int, *, seed: int = 0
) -> NDArray[np.int64]:
    """Return the number of the fold that holds out each image, (n,).

    Stratified: the sizes of folds differ by one at most, for each class and in total. The result
    depends on the images' content and the seed, and not on the names or the order of files.
    """
    mark = f"fold {seed}:" if seed else "fold:"
    draws = _draws(mark, keys)
    # One pass through all classes, so that the remainders do not all go to the first fold.
    order = _by_label_and_draw(labels, draws)
    numbers = np.empty(len(order), np.int64)
    numbers[order] = np.arange(len(order)) % count
    return numbers


def stopping_part(
    keys: Keys, labels: NDArray[np.int64], train: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return the train images that are held out for early stopping, (n,).

    This is a stratified fifth, decided by the images' content. A class with one image is not
    held out.
    """
    draws = _draws("stop:", keys)
    counts = np.bincount(labels[train], minlength=int(labels.max(initial=0)) + 1)
    several = np.flatnonzero(train & (counts[labels] > 1))
    order = several[_by_label_and_draw(labels[several], draws[several])]
    part = np.zeros(len(keys), np.bool_)
    part[order[_STOPPING - 1 :: _STOPPING] if len(order) >= _STOPPING else order[-1:]] = True
    return part


def _by_label_and_draw(labels: NDArray[np.int64], draws: Keys) -> NDArray[np.int64]:
    order = in_order(draws)
    return order[np.argsort(labels[order], kind="stable")]


def _fold(images: Images, train: NDArray[np.bool_], validation: NDArray[np.bool_]) -> Fold:
    return Fold(train, validation, stopping_part(images.keys, images.labels, train))


def _draws(mark: str, keys: Keys) -> Keys:
    return as_keys(hashlib.sha256(mark.encode() + key.tobytes()).digest() for key in keys)
