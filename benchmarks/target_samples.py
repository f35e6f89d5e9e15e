"""Images of scikit-learn's handwritten digits with several labels, or with a number."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SEPARATOR = "|"
SIDE = 64  # of a digit, in pixels
FARTHEST = 60.0  # degrees, to either side
Made = tuple[Image.Image, object]  # an image, and what is true of it


def write_images(folder: Path, make: Callable[[int], Made], images: int, column: str) -> Path:
    """Write images as PNG, and a table of their paths and what is true of them; return that."""
    folder.mkdir(parents=True)
    table = folder.parent / f"{folder.name}.csv"
    with table.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", column])
        for number in range(images):
            image, truth = make(number)
            image.save(folder / f"{number:05}.png")
            rows.writerow([f"{number:05}.png", truth])
    return table


def pairs(seed: int = 0) -> Callable[[int], Made]:
    """Return what makes pictures of two digits, in two of four places; the labels are the two."""
    digits, labels = _digits()

    def make(number: int) -> Made:
        rng = np.random.default_rng([seed, number])
        chosen, places = rng.integers(0, len(digits), 2), rng.permutation(4)[:2]
        whole = Image.new("L", (2 * SIDE, 2 * SIDE))
        for one, place in zip(chosen, places, strict=True):
            whole.paste(_large(digits[one]), (SIDE * (place % 2), SIDE * (place // 2)))
        return whole, SEPARATOR.join(sorted({str(labels[one]) for one in chosen}))

    return make


def inked() -> Callable[[int], Made]:
    """Return what makes pictures of a digit; the number is the sum of its ink, 0 to 16 a pixel."""
    digits, _ = _digits()
    return lambda number: (_large(digits[number % len(digits)]), digits[number % len(digits)].sum())


def rotated(seed: int = 0) -> Callable[[int], Made]:
    """Return what makes pictures of a digit that is rotated; the number is the angle in degrees."""
    digits, _ = _digits()

    def make(number: int) -> Made:
        angle = np.random.default_rng([seed, number]).uniform(-FARTHEST, FARTHEST)
        image = _large(digits[number % len(digits)])
        return image.rotate(angle, Image.Resampling.BICUBIC), angle

    return make


def _digits() -> tuple[NDArray[np.float64], NDArray[Any]]:
    from sklearn.datasets import load_digits

    found = load_digits()
    return found.images, found.target


def _large(digit: NDArray[np.float64]) -> Image.Image:
    small = Image.fromarray(np.uint8(np.round(digit * 255 / 16)))
    return small.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
