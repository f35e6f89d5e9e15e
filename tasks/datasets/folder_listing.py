"""The listing of a data set's folder: names, sizes and times. No file is opened."""

import itertools
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stores.manifest import Split
from tasks.datasets.class_names import NOT_UTF8, check_locale, differing_in_case, refuse_unless_utf8
from tasks.datasets.folder_layout import AUTO, Layout, find_layout
from tasks.datasets.folder_structure import is_folder, is_hidden, is_of_system
from tasks.errors import InputError
from tasks.images.image_files import IMAGE_ENDINGS

HIDDEN = "in a hidden folder, or a folder of another program"


@dataclass(frozen=True, slots=True)
class ListedFile:
    """One file below a data set's folder."""

    path: str  # relative to the folder
    label: str | None  # the class folder that it lies in
    split: Split | None  # of its folder, in a layout with folders of splits
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    trouble: str  # why it cannot be opened as a file, or an empty text

    @property
    def stamp(self) -> tuple[int, int, int, int]:
        """What changes when the file is changed."""
        return (self.size, self.mtime_ns, self.ctime_ns, self.inode)

    @property
    def is_image(self) -> bool:
        """Whether it is read as an image, by its ending and folder."""
        return self.label is not None and self.path.lower().endswith(IMAGE_ENDINGS)


@dataclass(frozen=True)
class Listing:
    """A folder's files, sorted by path, its layout, and remarks on what is left out."""

    folder: Path
    files: tuple[ListedFile, ...]
    layout: Layout
    notes: tuple[str, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the class folders."""
        return self.layout.classes

    @property
    def is_utf8(self) -> bool:
        """Whether all names are UTF-8; Keras fails on any other."""
        return not any(file.trouble == NOT_UTF8 for file in self.files)


def check_folder(folder: Path) -> None:
    """Raise InputError where there is no folder of that name."""
    refuse_unless_utf8(str(folder))
    if not folder.is_dir():
        what = "expected a folder, found a file" if folder.exists() else "folder not found"
        raise InputError(f"{folder}: {what}; give a folder with one folder of images per class")


def list_folder(folder: Path, layout: str = AUTO) -> Listing:
    """List a folder of class folders, or of splits with class folders.

    Raises InputError if the folder is missing or empty, or if its layout is ambiguous; see
    `tasks.datasets.folder_layout`.
    """
    check_folder(folder)
    found = find_layout(folder, layout)
    linked: list[str] = []
    files = sorted(_files(folder, found, linked), key=lambda file: file.path)
    if not any(file.is_image for file in files):
        raise InputError(
            f"{folder}: no image in a class folder; expected one folder per class, with files that "
            f"end in {', '.join(IMAGE_ENDINGS)}; found {len(found.classes)} folders and "
            f"{len(files)} files"
        )
    _check_splits(folder, found, files)
    notes = (*found.notes, *differing_in_case(found.classes), *_left_out(files, linked))
    return Listing(folder, tuple(files), found, notes)


def _check_splits(folder: Path, layout: Layout, files: list[ListedFile]) -> None:
    """Raise InputError if the folder of a split has no images in its class folders."""
    empty = set(layout.tops)
    for file in files:
        if not empty:
            return
        if file.is_image:
            empty -= {top for top in empty if not top or file.path.startswith(f"{top}/")}
    for top in sorted(empty):
        raise InputError(
            f"{folder / top}: no image in its class folders; expected files that end in "
            f"{', '.join(IMAGE_ENDINGS)}; add images, or remove the folder"
        )


def _left_out(files: list[ListedFile], linked: list[str]) -> Iterator[str]:
    """Yield remarks on images that are left out, though a user may expect them in a class."""
    hidden = [
        f.path for f in files if f.trouble == HIDDEN and f.path.lower().endswith(IMAGE_ENDINGS)
    ]
    if hidden:
        place = os.path.dirname(min(hidden))  # noqa: PTH120
        yield f"{len(hidden)} images in hidden folders are left out, for example in {place}/"
    if linked:
        yield (
            f"{len(linked)} links to folders within a class are not followed, for example "
            f"{min(linked)}; copy the images into the class folder"
        )


def _files(folder: Path, layout: Layout, linked: list[str]) -> Iterator[ListedFile]:
    """Yield all files, except in folders that the layout leaves out.

    Links to folders below a class folder are added to `linked`. As in Keras, they are not followed.
    Files of operating systems are passed over.
    """
    loose: dict[str, Split | None] = {}
    for top in layout.tops:
        while top and (top := os.path.dirname(top)) not in loose:  # noqa: PTH120
            loose[top] = None
    for top, split in (loose | layout.tops).items():
        yield from _loose_files(folder, folder / top, split)
    for top, split in layout.tops.items():
        for name in layout.classes:
            closed: list[OSError] = []
            for parent, below, files in os.walk(folder / top / name, onerror=closed.append):
                places = (os.path.join(parent, one) for one in below)  # noqa: PTH118
                linked += [os.path.relpath(p, folder) for p in places if os.path.islink(p)]  # noqa: PTH114
                for file in itertools.filterfalse(is_of_system, files):
                    yield _listed(folder, os.path.join(parent, file), name, split)  # noqa: PTH118
            for error in closed:
                yield _listed(folder, error.filename, name, split, closed=str(error.strerror))


def _loose_files(folder: Path, top: Path, split: Split | None) -> Iterator[ListedFile]:
    with os.scandir(top) as inside:
        for entry in inside:
            if not is_folder(entry) and not is_of_system(entry.name):
                yield _listed(folder, entry.path, None, split)


def _listed(
    folder: Path, path: str, label: str | None, split: Split | None, *, closed: str = ""
) -> ListedFile:
    """Return the record of a file, or of a folder that cannot be listed, with the reason."""
    relative = os.path.relpath(path, folder) + ("/" if closed else "")
    spelled = os.fsencode(relative).decode(errors="backslashreplace")
    if spelled != relative:
        check_locale(relative)
    is_image = label and spelled.lower().endswith(IMAGE_ENDINGS)
    trouble = closed or (NOT_UTF8 if is_image and spelled != relative else "")
    if label and is_hidden(relative):
        label, split, trouble = None, None, trouble or HIDDEN
    try:
        about = os.stat(path)  # noqa: PTH116  Path objects are slow for a million files
        if not trouble and not stat.S_ISREG(about.st_mode):
            trouble = "not a regular file"
        stamp = (about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino)
    except OSError as error:
        stamp, reason = _unfit(path, error)
        trouble = trouble or reason
    return ListedFile(spelled, label, split, *stamp, trouble)


def _unfit(path: str, error: OSError) -> tuple[tuple[int, int, int, int], str]:
    """Return the stamp of a path, or zeros, and the reason why it cannot be opened."""
    try:
        about = os.lstat(path)
    except OSError:  # deleted since, or a path that is too long
        return (0, 0, 0, 0), str(error.strerror)
    dangling = stat.S_ISLNK(about.st_mode)
    reason = f"dangling link to {os.readlink(path)!r}" if dangling else str(error.strerror)  # noqa: PTH115
    return (about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino), reason
