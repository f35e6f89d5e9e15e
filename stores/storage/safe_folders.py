"""Folders in a store: listed, made, renamed and deleted with no link followed; see safe_files."""

import logging
import os
import shutil
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stores.storage.safe_files import (
    IrregularFile,
    entered,
    irregular_file,
    is_folder,
    is_inside,
    named_errors,
    status,
)

log = logging.getLogger("gargalo.store")
_told: set[str] = set()


def make_one_folder(path: Path) -> bool:
    """Create a folder; tell if there was none. Raises IrregularFile where it is something else."""
    with entered(path.parent) as folder, named_errors(path):
        try:
            os.mkdir(path.name, dir_fd=folder)
        except FileExistsError:
            outside = not is_inside(path)
            about = os.stat(path.name, dir_fd=folder, follow_symlinks=outside)
            if stat.S_ISDIR(about.st_mode):
                return False
            if outside:
                raise
            raise irregular_file(path, about, "a folder") from None
    return True


def make_folders(path: Path) -> None:
    """Create a folder and those above it, where they are not there."""
    if not is_inside(path):
        path.mkdir(parents=True, exist_ok=True)
    elif not is_folder(path):
        make_folders(path.parent)
        make_one_folder(path)


@contextmanager
def opened_folder(path: Path) -> Iterator[int]:
    """Open a folder for reading, as a descriptor; raises IrregularFile or an OSError."""
    with entered(path) as folder, named_errors(path):
        descriptor = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


def rename(source: Path, target: Path) -> None:
    """Rename what is at `source`, a link itself where it is one, to a name in another folder."""
    with entered(source.parent) as old, entered(target.parent) as new, named_errors(source):
        try:
            os.rename(source.name, target.name, src_dir_fd=old, dst_dir_fd=new)
        except (IsADirectoryError, NotADirectoryError) as error:  # neither replaces the other
            about = os.stat(target.name, dir_fd=new, follow_symlinks=False)
            expected = "a file" if isinstance(error, IsADirectoryError) else "a folder"
            raise irregular_file(target, about, expected) from None


def remove(path: Path) -> None:
    """Delete a file, or a folder and all below it; of a link the link alone."""
    with suppress(FileNotFoundError), entered(path.parent) as folder, named_errors(path):
        about = os.stat(path.name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISDIR(about.st_mode):
            try:
                shutil.rmtree(path.name, dir_fd=folder)
            except RecursionError:
                _remove_deep(path.name, folder)
        else:
            os.unlink(path.name, dir_fd=folder)


def _remove_deep(name: str, parent: int) -> None:
    """Delete folders in folders, however deep: the inner ones are moved up, a level at a time."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    top = os.open(name, flags, dir_fd=parent)
    try:
        while inner := os.listdir(top):  # noqa: PTH208  of a descriptor
            for child in inner:
                about = os.stat(child, dir_fd=top, follow_symlinks=False)
                if not stat.S_ISDIR(about.st_mode):
                    os.unlink(child, dir_fd=top)
                    continue
                middle = os.open(child, flags, dir_fd=top)
                try:
                    for below in os.listdir(middle):  # noqa: PTH208
                        up = uuid.uuid4().hex
                        os.rename(below, up, src_dir_fd=middle, dst_dir_fd=top)
                finally:
                    os.close(middle)
                os.rmdir(child, dir_fd=top)
    finally:
        os.close(top)
    os.rmdir(name, dir_fd=parent)


def scan(folder: Path) -> list[tuple[Path, os.stat_result]]:
    """Return what is in a folder, in the order of its names, and what is known of each.

    Raises IrregularFile where the folder itself is a link; one that is not there is empty.
    """
    try:
        with opened_folder(folder) as descriptor:
            found = []
            for name in sorted(os.listdir(descriptor)):  # noqa: PTH208  of a descriptor
                with suppress(FileNotFoundError):  # it went away just now
                    about = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                    found.append((folder / name, about))
            return found
    except (FileNotFoundError, NotADirectoryError):
        return []


def regular_files(folder: Path) -> list[Path]:
    """Return the files in a folder; what is no regular file is logged."""
    return [path for path, about in entries(folder) if _is(path, about, stat.S_IFREG)]


def folders(folder: Path) -> list[Path]:
    """Return the folders in a folder; links to others are logged, and not among them."""
    return [path for path, about in entries(folder) if _is(path, about, stat.S_IFDIR)]


def files_below(folder: Path) -> list[Path]:
    """Return all files below a folder, no link followed.

    Raises IrregularFile where one is no regular file: whatever is made of them all is not whole.
    """
    found = []
    for path, about in walk(folder):
        if not stat.S_ISDIR(about.st_mode):
            if not stat.S_ISREG(about.st_mode):
                raise irregular_file(path, about, "a file")
            found.append(path)
    return found


def walk(folder: Path, *, pass_over: bool = False) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield all that is below a folder and what is known of each; a link is not followed.

    Raises IrregularFile where the folder itself is no folder, or one below is too deep; or it is
    logged, where such are to be passed over.
    """
    for path, about in entries(folder) if pass_over else scan(folder):
        if stat.S_ISDIR(about.st_mode):
            yield from walk(path, pass_over=pass_over)
        yield path, about


def irregular(folder: Path) -> list[str]:
    """Say of each thing below a folder that is neither a file nor a folder what it is."""
    try:
        return [
            str(irregular_file(path, about, "a file or a folder"))
            for path, about in walk(folder)
            if stat.S_IFMT(about.st_mode) not in {stat.S_IFREG, stat.S_IFDIR}
        ]
    except IrregularFile as error:
        return [str(error)]


def entries(folder: Path) -> list[tuple[Path, os.stat_result]]:
    """Return what `scan` does; a folder that is a link is logged, and empty."""
    try:
        return scan(folder)
    except IrregularFile as error:
        _log_once(error)
        return []


def bytes_of(path: Path) -> int:
    """Return the size of a file, or of all files below a folder; of what a link leads to, none."""
    if is_folder(path):
        below = walk(path, pass_over=True)
        return sum(about.st_size for _, about in below if stat.S_ISREG(about.st_mode))
    if (about := status(path)) is None:
        raise FileNotFoundError(path)
    return about.st_size


def _is(path: Path, about: os.stat_result, kind: int) -> bool:
    found = stat.S_IFMT(about.st_mode)
    if found not in {stat.S_IFREG, stat.S_IFDIR}:
        _log_once(irregular_file(path, about, "a file or a folder"))
    return found == kind


def _log_once(error: IrregularFile) -> None:
    if str(error) not in _told:
        log.warning("%s; passed over", error)
    _told.add(str(error))
