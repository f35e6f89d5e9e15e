"""What lies in a data set's folder, by names and stamps alone: no file is read, no TensorFlow."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stores.manifest import Split
from tasks.datasets.class_names import NOT_UTF8, check_locale, differing_in_case, refuse_unless_utf8
from tasks.datasets.folder_layout import AUTO, Layout, find_layout
from tasks.datasets.folder_structure import KERAS_ENDINGS, is_folder, is_hidden
from tasks.errors import InputError

HIDDEN = "in a hidden folder, or one of another program"


@dataclass(frozen=True, slots=True)
class ListedFile:
    """One file below a data set's folder."""

    path: str  # relative to the folder
    label: str | None  # the class folder that it lies in
    split: Split | None  # given by the folder, in the layout train/ + validation/
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    trouble: str  # why it cannot be opened as a file, or an empty text

    @property
    def stamp(self) -> tuple[int, int, int, int]:
        """How the file looks on disk."""
        return (self.size, self.mtime_ns, self.ctime_ns, self.inode)

    @property
    def is_image(self) -> bool:
        """Whether Keras would take it for an image, by its ending and place."""
        return self.label is not None and self.path.lower().endswith(KERAS_ENDINGS)


@dataclass(frozen=True)
class Listing:
    """A folder's files in the order of their paths, its layout, and what of it is left out."""

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
        """Whether Keras can read all names; one that is not UTF-8 stops it."""
        return not any(file.trouble == NOT_UTF8 for file in self.files)


def check_folder(folder: Path) -> None:
    """Raise InputError where there is no folder of that name."""
    refuse_unless_utf8(str(folder))
    if not folder.is_dir():
        what = "expected a folder, found a file" if folder.exists() else "folder not found"
        raise InputError(f"{folder}: {what}; give a folder with one folder of images per class")


def list_folder(folder: Path, layout: str = AUTO) -> Listing:
    """List a folder of class folders, or of splits with those; see `tasks.datasets.folder_layout`.

    Raises InputError where the folder is missing or empty, or its layout cannot be told.
    """
    check_folder(folder)
    found = find_layout(folder, layout)
    linked: list[str] = []
    files = sorted(_files(folder, found, linked), key=lambda file: file.path)
    if not any(file.is_image for file in files):
        raise InputError(
            f"{folder}: no image in a class folder: expected one folder a class with files ending "
            f"in {', '.join(KERAS_ENDINGS)}; found {len(found.classes)} folders and {len(files)} "
            "files"
        )
    _check_splits(folder, found, files)
    notes = (*found.notes, *differing_in_case(found.classes), *_left_out(files, linked))
    return Listing(folder, tuple(files), found, notes)


def _check_splits(folder: Path, layout: Layout, files: list[ListedFile]) -> None:
    """Raise InputError where a folder of a split has no image in its class folders."""
    lacking = set(layout.tops)
    for file in files:
        if not lacking:
            return
        if file.is_image:
            lacking -= {top for top in lacking if not top or file.path.startswith(f"{top}/")}
    for top in sorted(lacking):
        raise InputError(
            f"{folder / top}: no image in its class folders, expected files ending in "
            f"{', '.join(KERAS_ENDINGS)}; add some, or remove the folder"
        )


def _left_out(files: list[ListedFile], linked: list[str]) -> Iterator[str]:
    """Yield what a person who looks at the folder may take for a class's images."""
    hidden = [
        f.path for f in files if f.trouble == HIDDEN and f.path.lower().endswith(KERAS_ENDINGS)
    ]
    if hidden:
        place = os.path.dirname(min(hidden))  # noqa: PTH120
        yield f"images in hidden folders are left out: {len(hidden)}, for one in {place}/"
    if linked:
        yield (
            f"links to folders within a class are not followed: {len(linked)}, for one "
            f"{min(linked)}; put the images themselves there"
        )


def _files(folder: Path, layout: Layout, linked: list[str]) -> Iterator[ListedFile]:
    """Yield all files, but for those in folders that the layout leaves out.

    Links to folders below a class folder go to `linked`: like Keras, nobody follows them.
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
                for file in files:
                    yield _listed(folder, os.path.join(parent, file), name, split)  # noqa: PTH118
            for error in closed:
                yield _listed(folder, error.filename, name, split, closed=str(error.strerror))


def _loose_files(folder: Path, top: Path, split: Split | None) -> Iterator[ListedFile]:
    with os.scandir(top) as inside:
        for entry in inside:
            if not is_folder(entry):
                yield _listed(folder, entry.path, None, split)


def _listed(
    folder: Path, path: str, label: str | None, split: Split | None, *, closed: str = ""
) -> ListedFile:
    """Return what is listed of a file, or of a folder that is closed to us, for that reason."""
    relative = os.path.relpath(path, folder) + ("/" if closed else "")
    spelled = os.fsencode(relative).decode(errors="backslashreplace")
    if spelled != relative:
        check_locale(relative)
    read_by_keras = label and spelled.lower().endswith(KERAS_ENDINGS)
    trouble = closed or (NOT_UTF8 if read_by_keras and spelled != relative else "")
    if label and is_hidden(relative):
        label, split, trouble = None, None, trouble or HIDDEN
    try:
        about = os.stat(path)  # noqa: PTH116  a million of them: Path objects cost
        if not trouble and not stat.S_ISREG(about.st_mode):
            trouble = "not a regular file"
        stamp = (about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino)
    except OSError as error:
        stamp, reason = _unfit(path, error)
        trouble = trouble or reason
    return ListedFile(spelled, label, split, *stamp, trouble)


def _unfit(path: str, error: OSError) -> tuple[tuple[int, int, int, int], str]:
    """Return the stamp of what is at a path, if it has one, and why it cannot be opened."""
    try:
        about = os.lstat(path)
    except OSError:  # gone since, or a path of more bytes than the system takes
        return (0, 0, 0, 0), str(error.strerror)
    dangling = stat.S_ISLNK(about.st_mode)
    reason = f"dangling link to {os.readlink(path)!r}" if dangling else str(error.strerror)  # noqa: PTH115
    return (about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino), reason
