"""The folds of a data set: its own validation split, or k folds of train and validation."""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stores.keys import Keys
from stores.manifest import Images, Manifest, Split

Chosen = NDArray[np.bool_]  # (n,): some of the examples


@dataclass(frozen=True)
class Fold:
    """Which examples a head learns from, and which it is only measured on.

    What ends a training must not measure it too: a head with a patience does not learn from
    `stopping`, a part of `train`, and its patience looks at nothing else.
    """

    train: Chosen
    validation: Chosen
    stopping: Chosen | None = None

    def learned(self, *, stops: bool) -> Chosen:
        """Return what a head learns from; `stops`: it has a patience."""
        return self.train & ~self.stopping if stops and self.stopping is not None else self.train


LEARNED_FROM: tuple[Split, ...] = ("train", "validation")


# Of the images that a head learns from, one in so many is set aside where a patience ends it.
_STOPPING = 5


def folds_of(manifest: Manifest, count: int, *, seed: int = 0) -> list[Fold]:
    """Return folds over the images of `manifest.select("train", "validation")`, in that order.

    With a count of 0, the one fold that the splits are. Otherwise so many, stratified, of which
    each image is held out by one; and at the end one of all images without validation, from which
    the head that is kept learns. The seed is that of dealing the images to folds.
    """
    images = manifest.select(*LEARNED_FROM)
    if not count:
        held_out = set(map(bytes, manifest.select("validation").keys))
        validation = np.array([bytes(key) in held_out for key in images.keys], np.bool_)
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
    """Return the number of the fold that holds each image out, (n,).

    Stratified: of each class, and of all images, every fold has as many as any other, or one more.
    Decided by the images' content and the seed alone, so that no file's name or order changes it.
    """
    mark = f"fold {seed}:" if seed else "fold:"
    draws = _draws(mark, keys)
    # Dealt in one go through all classes: their remainders do not all fall to the first fold.
    order = sorted(range(len(draws)), key=lambda n: (labels[n], draws[n]))
    numbers = np.empty(len(order), np.int64)
    numbers[order] = np.arange(len(order)) % count
    return numbers


def stopping_part(
    keys: Keys, labels: NDArray[np.int64], train: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return the images of train that are set aside where a patience ends a training, (n,).

    A fifth, stratified, decided by the images' content alone. A class of one image keeps it to
    learn from; where all have one image nothing is set aside.
    """
    draws = _draws("stop:", keys)
    counts = np.bincount(labels[train], minlength=int(labels.max(initial=0)) + 1)
    several = np.flatnonzero(train & (counts[labels] > 1))
    order = sorted(several.tolist(), key=lambda n: (labels[n], draws[n]))
    part = np.zeros(len(keys), np.bool_)
    part[order[_STOPPING - 1 :: _STOPPING] or order[-1:]] = True
    return part


def _fold(images: Images, train: NDArray[np.bool_], validation: NDArray[np.bool_]) -> Fold:
    return Fold(train, validation, stopping_part(images.keys, images.labels, train))


def _draws(mark: str, keys: Keys) -> list[bytes]:
    return [hashlib.sha256(mark.encode() + bytes(key)).digest() for key in keys]
