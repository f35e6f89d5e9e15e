"""Search for the images to predict: files, and the images of folders and of data sets."""

import itertools
import os
import stat
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stores.dataset_places import datasets
from stores.keys import ImageKey
from stores.manifest import Manifest
from stores.storage.location import StoreLike
from tasks.datasets.folder_structure import is_hidden, is_of_system
from tasks.errors import InputError
from tasks.execution.user_files import kind_of_file
from tasks.images.image_files import IMAGE_ENDINGS


@dataclass(frozen=True)
class FoundImages:
    """Image files in order, and the number of skipped files and folders by kind."""

    paths: tuple[Path, ...]
    passed_over: dict[str, int]
    known: dict[Path, ImageKey] = field(default_factory=dict)  # of the images of data sets


def find_images(places: Iterable[Path], *, store: StoreLike | None = None) -> FoundImages:
    """Return the given image files, and those with an image's ending below the given folders.

    What is no path may be the name of a data set in the store: its accepted images. Raises
    InputError if a path is not found or is not a regular file, or if there is no image.
    """
    found: dict[Path, None] = {}
    known: dict[Path, ImageKey] = {}
    passed_over: Counter[str] = Counter()
    for place in places:
        if place.is_dir():
            found |= dict.fromkeys(_in_folder(place, passed_over))
        elif place.exists():
            _check_regular(place)
            found[place] = None
        elif images := _in_dataset(str(place), store):
            found |= dict.fromkeys(images)
            known |= images
        else:
            raise InputError(
                f"{place}: not found; give an image file, a folder of images, or the name of a "
                "data set in the store"
            )
    if not found:
        raise InputError("no images given; give image files, or folders of images")
    return FoundImages(tuple(found), dict((+passed_over).most_common()), known)


def _in_dataset(name: str, store: StoreLike | None) -> dict[Path, ImageKey]:
    """Return the keys of a data set's images by their paths; none if there is no such data set."""
    if store is None or name not in datasets(store):
        return {}
    manifest = Manifest.read(store, name)
    accepted, folder = manifest.of_status("accepted"), Path(manifest.folder)
    columns = accepted["path"].to_pylist(), accepted["key"].to_pylist()
    return {folder / path: ImageKey(key) for path, key in zip(*columns, strict=True)}


def _in_folder(folder: Path, passed_over: Counter[str]) -> list[Path]:
    """Return the images below a folder in order, and count what is skipped."""
    images: list[Path] = []
    closed: list[OSError] = []
    others: Counter[str] = Counter()
    for parent, folders, names in os.walk(folder, onerror=closed.append):
        others["linked folder"] += sum(Path(parent, name).is_symlink() for name in folders)
        hidden = is_hidden(os.path.relpath(Path(parent, "x"), folder))
        for name in itertools.filterfalse(is_of_system, names):
            if hidden:  # skipped, as in a data set
                others["in hidden folders"] += name.lower().endswith(IMAGE_ENDINGS)
            elif name.lower().endswith(IMAGE_ENDINGS):
                images.append(Path(parent, name))
            else:
                others[_printable(Path(name).suffix.lower()) or "without extension"] += 1
    others["unreadable folder"] += len(closed)
    if not images:
        there = f"; found {in_words(others)}" if +others else ""
        raise InputError(
            f"{folder}: no image found; expected files that end in {', '.join(IMAGE_ENDINGS)}"
            f"{there}"
        )
    passed_over.update(others)
    return sorted(images)


def in_words(passed_over: Mapping[str, int]) -> str:
    """Return counts as `12 .txt, 1 linked folder`."""
    return ", ".join(f"{count} {what}" for what, count in passed_over.items() if count)


def _check_regular(place: Path) -> None:
    mode = place.stat().st_mode
    if not stat.S_ISREG(mode):
        raise InputError(
            f"{place}: {kind_of_file(mode)}, expected a file or a folder; save the image to a file "
            "first"
        )


def _printable(ending: str) -> str:
    return os.fsencode(ending).decode(errors="backslashreplace")
