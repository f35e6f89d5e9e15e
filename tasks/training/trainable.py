"""Checks before training: whether heads can be trained on a data set, and how far to trust them."""

import numpy as np

from stores.manifest import Manifest
from stores.targets import Target
from tasks.datasets.labelled_files import check_labelled
from tasks.errors import InputError

FEW = 30  # with fewer held-out images, a figure is very uncertain
# Heads compute with 32 bits: the largest number, and the least deviation as a share of it.
_LARGEST, _PRECISION = 1e30, 1e-5
_WORDS: dict[Target, str] = {"classes": "class", "labels": "label", "number": "number"}


def check_trainable(manifest: Manifest, folds: int = 0) -> None:
    """Raise InputError if heads cannot be trained and chosen on a data set's splits."""
    check_labelled(manifest)
    if manifest.target == "classes" and len(manifest.classes) < 2:
        raise InputError(
            f"data set {manifest.name!r}: expected at least 2 classes, found only "
            f"{manifest.classes[0]!r}; add a folder of images of another class"
        )
    if manifest.target == "number":
        _check_numbers(manifest, folds)
    _check_folds(manifest, folds) if folds else _check_splits(manifest)


def _check_numbers(manifest: Manifest, folds: int) -> None:
    learned = manifest.select("train", "validation") if folds else manifest.select("train")
    if len(found := np.unique(learned.labels)) < 2:
        only = f"only {found[0]:g}" if len(found) else "none"
        raise InputError(
            f"data set {manifest.name!r}: expected at least 2 different numbers in train, found "
            f"{only}; add images"
        )
    largest = max(abs(found[0]), abs(found[-1]))
    if largest > _LARGEST or (deviation := learned.labels.std()) < _PRECISION * largest:
        beside = "" if largest > _LARGEST else f" with a deviation of {deviation:g}"
        raise InputError(
            f"data set {manifest.name!r}: numbers up to {largest:g}{beside} are beyond the "
            "precision of heads; subtract a constant, or use another unit"
        )


def _check_folds(manifest: Manifest, folds: int) -> None:
    learned = {name: row["train"] + row["validation"] for name, row in manifest.counts().items()}
    sizes, word = manifest.split_sizes(), _WORDS[manifest.target]
    if few := [name for name, images in learned.items() if images < 2]:
        raise InputError(
            f"data set {manifest.name!r}: cross-validation needs at least 2 train and "
            f"validation images per {word}, {word} {', '.join(few)} has fewer; add images"
        )
    if folds > (images := sizes["train"] + sizes["validation"]):
        raise InputError(
            f"--folds {folds}: expected at most {images}, the number of train and validation images"
        )


def _check_splits(manifest: Manifest) -> None:
    counts = manifest.counts()
    if without := [name for name, row in counts.items() if not row["train"]]:
        having = "in class" if manifest.target == "classes" else "with label"
        raise InputError(
            f"data set {manifest.name!r}: no train image {having} {', '.join(without)}; add "
            "images, or lower --test-split and --validation-split"
        )
    if not manifest.split_sizes()["validation"]:
        raise InputError(
            f"data set {manifest.name!r}: no validation image; add images, or raise "
            "--validation-split"
        )
    if not any(row["validation"] for row in counts.values()):  # of several labels
        raise InputError(
            f"data set {manifest.name!r}: no validation image has a label, so heads cannot be "
            "compared; add images, raise --validation-split, or use --folds"
        )


def remarks(manifest: Manifest, folds: int = 0) -> list[str]:
    """Return remarks on why the figures of a data set's heads are uncertain."""
    counts, sizes = manifest.counts(), manifest.split_sizes()
    held_out = {
        name: row["validation"] + (row["train"] if folds else 0) for name, row in counts.items()
    }
    images, found = sizes["validation"] + (sizes["train"] if folds else 0), list[str]()
    if images < FEW:
        more = "" if folds else "; use --folds to evaluate on the train images too"
        figures = "accuracies" if manifest.target == "classes" else "figures"
        found.append(f"heads are evaluated on only {images} images: {figures} are uncertain{more}")
    if few := [name for name, count in held_out.items() if count < max(1, folds)]:
        named = ", ".join(few[:5]) + (", …" if len(few) > 5 else "")
        word = _WORDS[manifest.target]
        having = "in class" if manifest.target == "classes" else f"with {word}"
        found.append(
            f"fewer images than folds {having} {named}: some folds have no image of it"
            if folds
            else f"no validation image {having} {named}: heads are not evaluated on it"
        )
    return found
