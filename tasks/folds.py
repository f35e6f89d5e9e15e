"""The folds of a data set: its own validation split, or k folds of train and validation."""

import hashlib
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator

from stores.keys import Keys
from stores.manifest import Manifest, Split
from tasks.heads.examples import Fold

_MOST = 100


def _several(count: int) -> int:
    if count != 0 and not 2 <= count <= _MOST:
        raise ValueError(f"expected 0, or 2 to {_MOST} folds")
    return count


FoldCount = Annotated[int, AfterValidator(_several)]
LEARNED_FROM: tuple[Split, ...] = ("train", "validation")


def folds_of(manifest: Manifest, count: int) -> list[Fold]:
    """Return folds over the images of `manifest.select("train", "validation")`, in that order.

    With a count of 0, the one fold that the splits are. Otherwise so many, stratified, of which
    each image is held out by one; and at the end one of all images without validation, from which
    the head that is kept learns.
    """
    images = manifest.select(*LEARNED_FROM)
    if not count:
        held_out = set(map(bytes, manifest.select("validation").keys))
        validation = np.array([bytes(key) in held_out for key in images.keys], np.bool_)
        return [Fold(~validation, validation)]
    numbers = fold_numbers(images.keys, images.labels, count)
    everything = np.ones(len(numbers), np.bool_)
    return [
        *(Fold(numbers != n, numbers == n) for n in range(count)),
        Fold(everything, ~everything),
    ]


def fold_numbers(keys: Keys, labels: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return the number of the fold that holds each image out, (n,).

    Stratified: of each class, and of all images, every fold has as many as any other, or one more.
    Decided by the images' content alone, so that no file's name or order changes it.
    """
    draws = [hashlib.sha256(b"fold:" + bytes(key)).digest() for key in keys]
    # Dealt in one go through all classes: their remainders do not all fall to the first fold.
    order = sorted(range(len(draws)), key=lambda n: (labels[n], draws[n]))
    numbers = np.empty(len(order), np.int64)
    numbers[order] = np.arange(len(order)) % count
    return numbers
