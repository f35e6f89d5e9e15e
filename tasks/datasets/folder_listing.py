"""The listing of a data set's folder: names, sizes and times. No file is opened."""

import itertools
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

import pyarrow as pa
import pyarrow.compute as pc

from stores.manifest import Split
from stores.manifest_checks import is_sorted
from stores.manifest_rows import SCHEMA, STAMP
from tasks.datasets.class_names import NOT_UTF8, check_locale, differing_in_case, refuse_unless_utf8
from tasks.datasets.folder_layout import AUTO, UNLABELLED, Layout, find_layout
from tasks.datasets.folder_structure import is_folder, is_hidden, is_of_system
from tasks.errors import InputError
from tasks.images.image_files import IMAGE_ENDINGS

HIDDEN = "in a hidden folder, or a folder of another program"
OTHER_ENDING = "not an image's ending; if it is an image, save it as JPEG or PNG"

_COLUMNS = pa.schema(
    [
        ("path", pa.string()),  # relative to the folder
        ("label", pa.string()),  # the class folder that it lies in
        ("split", pa.string()),  # of its folder, in a layout with folders of splits
        *(SCHEMA.field(name) for name in STAMP),
        ("trouble", pa.string()),  # why it cannot be opened as a file, or an empty text
        ("is_image", pa.bool_()),  # whether it is read as one, by its ending and folder
    ]
)
_FILES_AT_ONCE = 2**16


class _File(NamedTuple):
    """One file below a data set's folder: a row of `Listing.files`."""

    path: str
    label: str | None
    split: Split | None
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    trouble: str
    is_image: bool


@dataclass(frozen=True)
class Listing:
    """A folder's files, sorted by path, its layout, and remarks on what is left out.

    `files` has the columns path, label, split, size, mtime_ns, ctime_ns, inode, trouble, is_image.
    """

    folder: Path
    files: pa.Table
    layout: Layout
    notes: tuple[str, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the class folders."""
        return self.layout.classes

    @property
    def unlabelled(self) -> str:
        """Why a file without a label is ignored."""
        if self.layout.tops:
            return "not in a class folder"
        return "not in the table of labels" if self.classes else OTHER_ENDING

    @property
    def is_utf8(self) -> bool:
        """Whether all names are UTF-8; Keras fails on any other."""
        return not pc.any(pc.equal(self.files["trouble"], NOT_UTF8)).as_py()


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
    files = _table(_files(folder, found, linked))
    if not pc.any(files["is_image"]).as_py():
        some = pc.any(_have_endings(files["path"])).as_py()
        hint = f"; for features without classes, run flows.extract --layout {UNLABELLED}"
        raise InputError(
            f"{folder}: no image in a class folder; expected one folder per class, with files that "
            f"end in {', '.join(IMAGE_ENDINGS)}; found {len(found.classes)} folders and "
            f"{len(files)} files{hint if some else ''}"
        )
    _check_splits(folder, found, files)
    notes = (*found.notes, *differing_in_case(found.classes), *_left_out(files, linked))
    return Listing(folder, files, found, notes)


def list_tree(folder: Path, *, all_images: bool = False) -> Listing:
    """List all files below a folder, without labels.

    A table says later which are images of which class; or all are, by their endings. Raises
    InputError if the folder is missing. Links to folders are not followed.
    """
    check_folder(folder)
    linked: list[str] = []
    # Without a label, a file is no image.
    files = _table(_below(folder, folder, "any" if all_images else None, None, linked))
    place, none = files.schema.get_field_index("label"), pa.nulls(len(files), pa.string())
    notes = _left_out(files, linked, where="below the folder") if all_images else ()
    return Listing(folder, files.set_column(place, "label", none), Layout({}, ()), tuple(notes))


def _table(files: Iterable[_File]) -> pa.Table:
    """Return the rows of files, sorted by path; only some files at once are Python objects."""
    rows, parts = iter(files), [_COLUMNS.empty_table()]
    while some := list(itertools.islice(rows, _FILES_AT_ONCE)):
        columns = zip(*some, strict=True)
        parts.append(pa.table([pa.array(c) for c in columns], _COLUMNS.names).cast(_COLUMNS))
    table = pa.concat_tables(parts).combine_chunks()
    return table if is_sorted(table["path"]) else table.sort_by("path")


def _check_splits(folder: Path, layout: Layout, files: pa.Table) -> None:
    """Raise InputError if the folder of a split has no images in its class folders."""
    images = files["path"].filter(files["is_image"])
    inside = {top: pc.any(pc.starts_with(images, f"{top}/")).as_py() for top in layout.tops if top}
    for top in sorted(top for top, some in inside.items() if not some):
        raise InputError(
            f"{folder / top}: no image in its class folders; expected files that end in "
            f"{', '.join(IMAGE_ENDINGS)}; add images, or remove the folder"
        )


def _left_out(
    files: pa.Table, linked: list[str], *, where: str = "within a class"
) -> Iterator[str]:
    """Yield remarks on images that are left out, though a user may expect them in a class."""
    hidden = files["path"].filter(pc.equal(files["trouble"], HIDDEN))
    hidden = hidden.filter(_have_endings(hidden))
    if len(hidden):
        place = os.path.dirname(pc.min(hidden).as_py())  # noqa: PTH120
        yield f"{len(hidden)} images in hidden folders are left out, for example in {place}/"
    if linked:
        yield (
            f"{len(linked)} links to folders {where} are not followed, for example "
            f"{min(linked)}; copy the images into the folder"
        )


def _have_endings(paths: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return which paths end as images do."""
    endings = "|".join(ending.removeprefix(".") for ending in IMAGE_ENDINGS)
    return pc.match_substring_regex(paths, rf"(?i)\.(?:{endings})\z")


def _files(folder: Path, layout: Layout, linked: list[str]) -> Iterator[_File]:
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
            yield from _below(folder, folder / top / name, name, split, linked)


def _below(
    folder: Path, top: Path, label: str | None, split: Split | None, linked: list[str]
) -> Iterator[_File]:
    closed: list[OSError] = []
    for parent, below, files in os.walk(top, onerror=closed.append):
        places = (os.path.join(parent, one) for one in below)  # noqa: PTH118
        linked += [os.path.relpath(p, folder) for p in places if os.path.islink(p)]  # noqa: PTH114
        lister = _Lister.of(folder, parent, label, split)
        yield from map(lister.listed, itertools.filterfalse(is_of_system, files))
    for error in closed:
        yield _Lister.of(folder, error.filename, label, split).listed("", str(error.strerror))


def _loose_files(folder: Path, top: Path, split: Split | None) -> Iterator[_File]:
    lister = _Lister.of(folder, str(top), None, split)
    with os.scandir(top) as inside:
        for entry in inside:
            if not is_folder(entry) and not is_of_system(entry.name):
                yield lister.listed(entry.name)


@dataclass(frozen=True)
class _Lister:
    """Lists the files of one folder: what they have in common is found once."""

    start: str  # of a file's own path, and of the one below the data set's folder
    relative_start: str
    label: str | None
    split: Split | None
    for_keras: bool  # whether Keras reads its images
    is_hidden: bool
    is_ascii: bool  # the folder's own path

    @classmethod
    def of(cls, folder: Path, parent: str, label: str | None, split: Split | None) -> Self:
        """Return what lists the files of a folder, which is the data set's or below it."""
        start = os.path.join(parent, "")  # noqa: PTH118
        below = os.path.relpath(parent, folder)
        relative = "" if below == "." else f"{below}/"
        hidden = bool(label) and is_hidden(relative)
        own = (None, None) if hidden else (label, split)
        return cls(start, relative, *own, bool(label), hidden, relative.isascii())

    def listed(self, name: str, closed: str = "") -> _File:
        """Return the record of a file; or of the folder, where it is `closed` for a reason."""
        relative = spelled = self.relative_start + name or "./"
        has_ending = name.lower().endswith(IMAGE_ENDINGS)
        trouble = closed
        if not (self.is_ascii and name.isascii()):
            spelled = os.fsencode(relative).decode(errors="backslashreplace")
            if spelled != relative:
                check_locale(relative)
                trouble = closed or (NOT_UTF8 if self.for_keras and has_ending else "")
        if self.is_hidden:
            trouble = trouble or HIDDEN
        path = self.start + name
        try:
            about = os.stat(path)  # noqa: PTH116  Path objects are slow for a million files
            if not trouble and not stat.S_ISREG(about.st_mode):
                trouble = "not a regular file"
            stamp = (about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino)
        except OSError as error:
            stamp, reason = _unfit(path, error)
            trouble = trouble or reason
        is_image = self.label is not None and has_ending
        return _File(spelled, self.label, self.split, *stamp, trouble, is_image)


def _unfit(path: str, error: OSError) -> tuple[tuple[int, int, int, int], str]:
    """Return the stamp of a path, or zeros, and the reason why it cannot be opened."""
    try:
        about = os.lstat(path)
    except OSError:  # deleted since, or a path that is too long
        return (0, 0, 0, 0), str(error.strerror)
    dangling = stat.S_ISLNK(about.st_mode)
    reason = f"dangling link to {os.readlink(path)!r}" if dangling else str(error.strerror)  # noqa: PTH115
    return (about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino), reason
