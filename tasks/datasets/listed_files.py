"""The files of a folder as rows: names, sizes and times. No file is opened.

What is alike for many files is found once, and the rest by columns: of millions of files, most of
the time is the file system's own.
"""

import itertools
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stores.manifest import Split
from stores.manifest_checks import is_sorted
from stores.manifest_rows import SCHEMA, STAMP
from tasks.datasets.class_names import NOT_UTF8, check_locale
from tasks.datasets.folder_layout import Layout
from tasks.datasets.folder_structure import is_folder, is_hidden, is_of_system
from tasks.images.image_files import IMAGE_ENDINGS

HIDDEN = "in a hidden folder, or a folder of another program"

_COLUMNS = pa.schema(
    [
        ("path", pa.string()),  # relative to the data set's folder
        ("label", pa.string()),  # the class folder that it lies in
        ("split", pa.string()),  # of its folder, in a layout with folders of splits
        *(SCHEMA.field(name) for name in STAMP),
        ("trouble", pa.string()),  # why it cannot be opened as a file, or an empty text
        ("is_image", pa.bool_()),  # whether it is read as one, by its ending and folder
    ]
)
_FILES_AT_ONCE = 2**16  # as Python objects


@dataclass(frozen=True)
class Names:
    """Names of files in one folder, and what these files have in common."""

    start: str  # of a file's own path, and of the one below the data set's folder
    relative_start: str
    label: str | None
    split: Split | None
    for_keras: bool  # whether Keras reads its images
    hidden: bool
    names: Iterable[str]
    closed: str = ""  # why the folder cannot be listed: its only name is then empty

    @property
    def trouble(self) -> str:
        """Why none of the files can be opened, or is."""
        return self.closed or (HIDDEN if self.hidden else "")

    @classmethod
    def of(
        cls,
        folder: Path,
        parent: str,
        label: str | None,
        split: Split | None,
        names: Iterable[str],
        closed: str = "",
    ) -> Self:
        """Return names in a folder, which is the data set's or below it."""
        start = os.path.join(parent, "")  # noqa: PTH118
        below = os.path.relpath(parent, folder)
        relative = "" if below == "." else f"{below}/"
        hidden = bool(label) and is_hidden(relative)
        own = (None, None) if hidden else (label, split)
        return cls(start, relative, *own, bool(label), hidden, names, closed)


def names_by_layout(folder: Path, layout: Layout, linked: list[str]) -> Iterator[Names]:
    """Yield the names of all files, except in folders that the layout leaves out.

    Links to folders below a class folder are added to `linked`. As in Keras, they are not followed.
    Files of operating systems are passed over.
    """
    loose: dict[str, Split | None] = {}
    for top in layout.tops:
        while top and (top := os.path.dirname(top)) not in loose:  # noqa: PTH120
            loose[top] = None
    for top, split in (loose | layout.tops).items():
        with os.scandir(folder / top) as inside:
            names = [entry.name for entry in inside if not is_folder(entry)]
        names = [name for name in names if not is_of_system(name)]
        yield Names.of(folder, str(folder / top), None, split, names)
    for top, split in layout.tops.items():
        for name in layout.classes:
            yield from names_below(folder, folder / top / name, name, split, linked)


def names_below(
    folder: Path, top: Path, label: str | None, split: Split | None, linked: list[str]
) -> Iterator[Names]:
    """Yield the names of all files below a folder, as `names_by_layout` does."""
    closed: list[OSError] = []
    for parent, below, files in os.walk(top, onerror=closed.append):
        places = (os.path.join(parent, one) for one in below)  # noqa: PTH118
        linked += [os.path.relpath(p, folder) for p in places if os.path.islink(p)]  # noqa: PTH114
        names = itertools.filterfalse(is_of_system, files)
        yield Names.of(folder, parent, label, split, names)
    for error in closed:
        yield Names.of(folder, error.filename, label, split, ("",), str(error.strerror))


def listed_files(folders: Iterable[Names]) -> pa.Table:
    """Return the rows of files, sorted by path; only some files at once are Python objects.

    The columns are path, label, split, size, mtime_ns, ctime_ns, inode, trouble, is_image.
    """
    parts, some = [_COLUMNS.empty_table()], _Some()
    for each in folders:
        names = iter(each.names)
        while some.add(each, itertools.islice(names, some.room)):
            if not some.room:
                parts.append(some.table())
                some = _Some()
    table = pa.concat_tables([*parts, some.table()]).combine_chunks()
    return table if is_sorted(table["path"]) else table.sort_by("path")


def have_endings(paths: pa.ChunkedArray | pa.StringArray) -> pa.ChunkedArray | pa.BooleanArray:
    """Return which paths end as images do."""
    endings = "|".join(ending.removeprefix(".") for ending in IMAGE_ENDINGS)
    return pc.match_substring_regex(paths, rf"(?i)\.(?:{endings})\z")


@dataclass(frozen=True)
class _Some:
    """Some of the files, by columns."""

    paths: list[str] = field(default_factory=list)
    stamps: tuple[list[int], ...] = field(default_factory=lambda: tuple([] for _ in STAMP))
    troubles: dict[int, str] = field(default_factory=dict)  # by row
    folders: list[tuple[Names, int]] = field(default_factory=list)  # with the number of their rows

    @property
    def room(self) -> int:
        return _FILES_AT_ONCE - len(self.paths)

    def add(self, folder: Names, names: Iterable[str]) -> int:
        """Add files of a folder; return how many there were."""
        before, start, relative_start = len(self.paths), folder.start, folder.relative_start
        paths, (sizes, modified, changed, inodes) = self.paths, self.stamps
        for name in names:
            relative, trouble = relative_start + name, ""
            if not relative.isascii():
                relative, trouble = _spelled(folder, name)
            try:
                about = os.stat(start + name)  # noqa: PTH116  Path objects are slow for a million
                if not stat.S_ISREG(about.st_mode):
                    trouble = trouble or folder.trouble or "not a regular file"
                stamp = (about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino)
            except OSError as error:
                stamp, reason = _unfit(start + name, error)
                trouble = trouble or folder.trouble or reason
            if trouble:
                self.troubles[len(paths)] = trouble
            paths.append(relative or "./")
            sizes.append(stamp[0])
            modified.append(stamp[1])
            changed.append(stamp[2])
            inodes.append(stamp[3])
        added = len(paths) - before
        self.folders.append((folder, added))
        return added

    def table(self) -> pa.Table:
        """Return the rows so far, in the order in which they came."""
        folders = [folder for folder, _ in self.folders]
        rows = [count for _, count in self.folders]
        of_folder = pa.array(np.repeat(np.arange(len(rows)), rows))

        def repeated(values: Iterable[str | None]) -> pa.StringArray:
            return pa.array(values, pa.string()).take(of_folder)

        paths, labels = pa.array(self.paths, pa.string()), repeated(each.label for each in folders)
        troubles = repeated(each.trouble for each in folders)
        if self.troubles:
            own = pa.array([self.troubles.get(row) for row in range(len(paths))], pa.string())
            troubles = pc.coalesce(own, troubles)
        columns = {
            "path": paths,
            "label": labels,
            "split": repeated(each.split for each in folders),
            **dict(zip(STAMP, self.stamps, strict=True)),
            "trouble": troubles,
            "is_image": pc.and_(pc.is_valid(labels), have_endings(paths)),
        }
        return pa.table(columns).select(_COLUMNS.names).cast(_COLUMNS)


def _spelled(folder: Names, name: str) -> tuple[str, str]:
    """Return a path as it is shown, and why Keras cannot read it; raises InputError by locale."""
    relative = folder.relative_start + name
    spelled = os.fsencode(relative).decode(errors="backslashreplace")
    if spelled == relative:
        return spelled, ""
    check_locale(relative)
    is_of_keras = folder.for_keras and name.lower().endswith(IMAGE_ENDINGS)
    return spelled, folder.closed or (NOT_UTF8 if is_of_keras else "")


def _unfit(path: str, error: OSError) -> tuple[tuple[int, int, int, int], str]:
    """Return the stamp of a path, or zeros, and the reason why it cannot be opened."""
    try:
        about = os.lstat(path)
    except OSError:  # deleted since, or a path that is too long
        return (0, 0, 0, 0), str(error.strerror)
    dangling = stat.S_ISLNK(about.st_mode)
    reason = f"dangling link to {os.readlink(path)!r}" if dangling else str(error.strerror)  # noqa: PTH115
    return (about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino), reason
