"""What lies in a data set's folder, by names and stamps alone: no file is read, no TensorFlow."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stores.manifest import SPLITS, Split
from tasks.errors import InputError

# keras.utils.image_dataset_from_directory's ALLOWLIST_FORMATS; a test compares them.
KERAS_ENDINGS = (".bmp", ".gif", ".jpeg", ".jpg", ".png")
NOT_UTF8 = "the name is not UTF-8, and Keras reads no other; rename it"
_SPLIT_LIKE = {"train", "training", "val", "valid", "validation", "dev", "test", "testing"}


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
    """A folder's files in the order of their paths, and the class folders of each given split.

    With class folders at the top, `classes` has the one entry None; with `train/` and
    `validation/` [and `test/`] it has one for each of them.
    """

    folder: Path
    files: tuple[ListedFile, ...]
    classes: dict[Split | None, tuple[str, ...]]

    @property
    def is_utf8(self) -> bool:
        """Whether Keras can read all names; one that is not UTF-8 stops it."""
        return not any(file.trouble == NOT_UTF8 for file in self.files)


def list_folder(folder: Path) -> Listing:
    """List a folder of class folders, or of `train/` + `validation/` [+ `test/`] with those.

    Raises InputError where the folder is missing, empty, or neither of the two.
    """
    _refuse_unless_utf8(str(folder))
    if not folder.is_dir():
        what = "is a file, not a folder" if folder.exists() else "there is no such folder"
        raise InputError(f"{folder}: {what}; give a folder with one folder of images a class")
    names = _class_folders(folder)
    given = [split for split in SPLITS if split in names]
    split_like = [name for name in names if name.lower() in _SPLIT_LIKE]
    if {"train", "validation"} <= set(names) and set(names) <= set(SPLITS):
        classes: dict[Split | None, tuple[str, ...]] = {
            split: tuple(_class_folders(folder / split)) for split in given
        }
        _check_same_classes(folder, classes)
    elif len(split_like) > 1 or split_like == names != []:  # one of several may be a class
        raise InputError(
            f"{folder}: expected train/ and validation/ [and test/] and no other folder, or class "
            f"folders. Received: {', '.join(names)}; rename, add or move folders"
        )
    else:
        classes = {None: tuple(names)}
    files = sorted(_files(folder, classes), key=lambda file: file.path)
    if not any(file.is_image for file in files):
        raise InputError(
            f"{folder}: no image in a class folder: expected one folder a class with files ending "
            f"in {', '.join(KERAS_ENDINGS)}; found {len(names)} folders and {len(files)} files"
        )
    return Listing(folder, tuple(files), classes)


def _class_folders(folder: Path) -> list[str]:
    # As Keras: every folder, or link to one, whose name has no dot in front.
    try:
        with os.scandir(folder) as inside:
            names = sorted(e.name for e in inside if os.path.isdir(e) and e.name[0] != ".")  # noqa: PTH112
    except PermissionError as error:
        raise InputError(f"{folder}: {error.strerror}; ask for the right to list it") from error
    for name in names:
        _refuse_unless_utf8(name)
    return names


def _refuse_unless_utf8(name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"{os.fsencode(name)!r}: {NOT_UTF8}") from error


def _check_same_classes(folder: Path, classes: dict[Split | None, tuple[str, ...]]) -> None:
    expected = classes["train"]
    for split, received in classes.items():
        if received != expected:
            raise InputError(
                f"{folder}: train/ and {split}/ must have the same class folders. Expected: "
                f"{', '.join(expected)}. Received: {', '.join(received)}"
            )


def _files(folder: Path, classes: dict[Split | None, tuple[str, ...]]) -> Iterator[ListedFile]:
    for split, names in classes.items():
        top = folder / split if split else folder
        yield from _loose_files(folder, top, split)
        for name in names:
            closed: list[OSError] = []
            for parent, _, files in os.walk(top / name, onerror=closed.append):
                for file in files:
                    yield _listed(folder, os.path.join(parent, file), name, split)  # noqa: PTH118
            for error in closed:
                yield _listed(folder, error.filename, name, split, closed=str(error.strerror))
    if None not in classes:
        yield from _loose_files(folder, folder, None)


def _loose_files(folder: Path, top: Path, split: Split | None) -> Iterator[ListedFile]:
    with os.scandir(top) as inside:
        for entry in inside:
            if not os.path.isdir(entry):  # noqa: PTH112  a link to itself is no folder
                yield _listed(folder, entry.path, None, split)


def _listed(
    folder: Path, path: str, label: str | None, split: Split | None, *, closed: str = ""
) -> ListedFile:
    """Return what is listed of a file, or of a folder that is closed to us, for that reason."""
    relative = os.path.relpath(path, folder) + ("/" if closed else "")
    spelled = os.fsencode(relative).decode(errors="backslashreplace")
    read_by_keras = label and spelled.lower().endswith(KERAS_ENDINGS)
    trouble = closed or (NOT_UTF8 if read_by_keras and spelled != relative else "")
    relative = spelled
    try:
        about = os.stat(path)  # noqa: PTH116  a million of them: Path objects cost
        if not trouble and not stat.S_ISREG(about.st_mode):
            trouble = "not a regular file"
    except OSError as error:
        about = os.lstat(path)
        dangling = stat.S_ISLNK(about.st_mode)
        trouble = f"dangling link to {os.readlink(path)!r}" if dangling else str(error.strerror)  # noqa: PTH115
    return ListedFile(
        relative,
        label,
        split,
        about.st_size,
        about.st_mtime_ns,
        about.st_ctime_ns,
        about.st_ino,
        trouble,
    )
