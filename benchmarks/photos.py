"""The pictures that are measured with: real photographs where there are some, else generated."""

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from tasks.datasets.known_files import CLOCK_TICK_NS

# Beside the project, where somebody put them: 3,000 photographs of the Kaggle "Dogs vs. Cats" set.
PHOTOGRAPHS = Path(__file__).parents[2] / "shared" / "data" / "cats_and_dogs"
CLASSES = ("cats", "dogs")
SIZE = (500, 374)  # the median of those photographs: width, height in pixels

LARGE_SIZE = (4000, 3000)  # 12 megapixels
LARGE_ONES = 40  # different ones: each takes a second to make


def write_photos(folder: Path, count: int) -> str:
    """Fill a folder with two classes of JPEGs, together `count`; return what they are.

    There are 3,000 photographs; from there on they repeat, each time as other bytes.
    """
    sources = sorted(PHOTOGRAPHS.rglob("*.jpg"))
    for name in CLASSES:
        (folder / name).mkdir(parents=True)
    if not sources:
        for number in range(count):
            _generated(number).save(_place(folder, number), quality=80)
        return f"{count} generated JPEGs of {SIZE[0]}×{SIZE[1]}"
    by_class = [[path for path in sources if path.parent.name == name] for name in CLASSES]
    for number in range(count):
        paths = by_class[number % 2]
        turn, which = divmod(number // 2, len(paths))
        _copy(paths[which], _place(folder, number), turn)
    return f"{count} photographs of cats and dogs"


def write_large_photos(folder: Path, count: int) -> None:
    """Fill a folder with JPEGs of 12 megapixels, some 2 MB each, as a telephone writes them.

    Each is one of the photographs scaled up, with the fine detail of another and a sensor's noise:
    so its data takes as long to decode as a photograph's. From the 40th on they repeat, each time
    as other bytes.
    """
    write_photos(folder, count)
    paths = list(image_paths(folder))
    small = [Image.open(path).convert("RGB") for path in paths[:LARGE_ONES]]
    for number, path in enumerate(paths):
        turn, which = divmod(number, LARGE_ONES)
        if not turn:
            _large(small[which], small[which - 1], which).save(path, quality=90)
        else:
            _copy(paths[which], path, turn)


def change(folder: Path, number: int) -> Path:
    """Give one image other bytes, and other pixels; return its path."""
    path = _place(folder, number)
    _generated(number + 10**6).save(path, quality=80)
    return path


def add(folder: Path, first: int, count: int) -> list[Path]:
    """Add new images; return their paths."""
    return [change(folder, number) for number in range(first, first + count)]


def keep_first(folder: Path, count: int) -> None:
    """Remove all images but those of the first names, whatever their class."""
    for path in sorted(folder.glob("*/*"), key=lambda path: path.name)[count:]:
        path.unlink()


def copied(folder: Path, to: Path) -> Path:
    """Return a copy of a folder of images that may be changed."""
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(folder, to)
    time.sleep(2 * CLOCK_TICK_NS / 1e9)  # what is younger is read again, as if it had changed
    return to


def forget_cached(folder: Path) -> None:
    """Have the system forget what it keeps in memory of a folder's images, where it can."""
    if not hasattr(os, "posix_fadvise"):
        return
    os.sync()  # what is not on the disk yet is not forgotten
    for path in image_paths(folder):
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def image_paths(folder: Path) -> Iterator[Path]:
    """Yield all images of a folder, in the order of their paths."""
    yield from sorted(folder.glob("*/*.jpg"))


def _place(folder: Path, number: int) -> Path:
    return folder / CLASSES[number % 2] / f"{number:06}.jpg"


def _copy(source: Path, target: Path, turn: int) -> None:
    content = source.read_bytes()
    target.write_bytes(content + b"\0" * turn)  # what follows a JPEG's end is no pixel of it


def _large(base: Image.Image, other: Image.Image, number: int) -> Image.Image:
    width, height = LARGE_SIZE
    blurred = other.filter(ImageFilter.GaussianBlur(6))
    detail = np.asarray(other, np.int16) - np.asarray(blurred, np.int16)
    across, down = -(-width // other.width), -(-height // other.height)
    tiled = np.tile(detail, (down, across, 1))[:height, :width]
    noise = np.random.default_rng(number).normal(0, 2, (height, width, 1))
    image = np.asarray(base.resize(LARGE_SIZE, Image.Resampling.LANCZOS)) + tiled / 3 + noise
    return Image.fromarray(np.clip(image, 0, 255).astype(np.uint8))


def _generated(number: int) -> Image.Image:
    # Blurred noise: it compresses, and so decodes, about as photographs do.
    noise = np.random.default_rng(number).integers(0, 256, (SIZE[1] // 4, SIZE[0] // 4, 3), "u1")
    large = Image.fromarray(noise).resize(SIZE, Image.Resampling.BICUBIC)
    return large.filter(ImageFilter.GaussianBlur(1.5))
