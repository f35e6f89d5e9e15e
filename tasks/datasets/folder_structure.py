"""The structure of a folder, by names alone: subfolders, images, and nested folders."""

import os
from collections.abc import Sequence
from contextlib import suppress
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from tasks.datasets.class_names import refuse_unless_utf8
from tasks.datasets.split_names import is_filler
from tasks.errors import InputError
from tasks.images.image_files import IMAGE_ENDINGS

# What keras.utils.image_dataset_from_directory lists, its ALLOWLIST_FORMATS; a test compares them.
KERAS_ENDINGS = (".bmp", ".gif", ".jpeg", ".jpg", ".png")
# Thumbnails of a Synology NAS; metadata that macOS adds to an archive.
OTHER_PROGRAMS = {"@eaDir", "__MACOSX"}
_OF_SYSTEMS = {"thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "icon\r"}
_MOST_SPLITS = 50  # folders that are compared


def is_left_out(name: str) -> bool:
    """Return whether a folder is hidden, or another program's: .ipynb_checkpoints, @eaDir."""
    return name[0] == "." or name in OTHER_PROGRAMS


def is_of_system(name: str) -> bool:
    """Return whether a file is an operating system's: nobody took it for an image.

    `._photo.jpg` is what macOS keeps beside `photo.jpg` on other file systems. Any other name with
    a leading dot is hidden, unless it ends as an image does: Keras reads these.
    """
    if name.startswith("._") or name.lower() in _OF_SYSTEMS:
        return True
    return name.startswith(".") and not name.lower().endswith(IMAGE_ENDINGS)


def is_hidden(path: str) -> bool:
    """Return whether a file is below a folder that is left out; `path` is relative."""
    return any(map(is_left_out, path.split("/")[:-1]))


class Inside(NamedTuple):
    """The content of a folder."""

    folders: tuple[str, ...]
    images: bool  # whether it has images itself, not only in subfolders


def class_folders(folder: Path) -> list[str]:
    """Return all subfolders and links to folders, as Keras does, without those left out."""
    try:
        with os.scandir(folder) as inside:
            names = sorted(entry.name for entry in inside if is_folder(entry))
    except PermissionError as error:
        raise InputError(f"{folder}: {error.strerror}; get permission to list it") from error
    names = [name for name in names if not is_left_out(name)]
    for name in names:
        refuse_unless_utf8(name)
    return names


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Return whether it is a folder, or a link to one; False for a link to itself."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def inside_of(folder: Path) -> Inside:
    """Return the content of a folder; one that cannot be listed counts as empty."""
    folders: list[str] = []
    images = False
    with suppress(OSError), os.scandir(folder) as inside:  # the error is reported by the listing
        for entry in inside:
            if is_folder(entry):
                folders += [] if is_left_out(entry.name) else [entry.name]
            else:
                seen = entry.name.lower().endswith(IMAGE_ENDINGS) and not is_of_system(entry.name)
                images = images or seen
    return Inside(tuple(sorted(folders)), images)


def alike_folders(parent: Path, names: Sequence[str]) -> tuple[str, str] | None:
    """Return two folders whose subfolders have the same names, as splits do, if there are any.

    At least two common names are needed: `cat/images/` and `dog/images/` are classes.
    """
    held = {
        name: set(inside_of(parent / unwrapped(parent, name)).folders)
        for name in names[:_MOST_SPLITS]
    }
    for first, second in combinations(held, 2):
        one, other = held[first], held[second]
        if len(one & other) >= max(2, min(len(one), len(other)) / 2):
            return first, second
    return None


def unwrapped(parent: Path, name: str) -> str:
    """Return the folder that holds the class folders, as in seg_train/seg_train/forest."""
    inside = inside_of(parent / name)
    if len(inside.folders) != 1 or inside.images:
        return name
    (inner,) = inside.folders
    same = inner.lower() == Path(name).name.lower() or is_filler(inner)
    deeper = os.path.join(name, inner)  # noqa: PTH118
    return unwrapped(parent, deeper) if same and inside_of(parent / deeper).folders else name


def is_unlabelled(folder: Path, inside: Inside, classes: set[str]) -> bool:
    """Return whether the images are in the folder itself, or in its only subfolder."""
    if len(inside.folders) != 1 or inside.images:
        return inside.images and not inside.folders
    deeper = folder / inside.folders[0]
    return inside.folders[0] not in classes and is_unlabelled(deeper, inside_of(deeper), classes)
