"""Durable publication: a file or folder appears whole under its name, or not at all.

The order is fixed: write in `tmp/`, fsync, rename, fsync the folder. When `publish_file` or
`publish_folder` has returned, a power cut cannot take it back; when it has not, nothing is seen.
"""

import errno
import fcntl
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from stores.errors import explained


def publish_file(content: bytes | memoryview, final: Path, *, tmp: Path) -> None:
    """Make `content` the file `final`; `tmp` is a folder of the same file system.

    Raises StoreReadOnly, StoreFull, or another OSError; then `final` is as it was before.
    """
    with explained(final):
        make_folder(tmp)
        make_folder(final.parent)
        draft = tmp / f"{uuid.uuid4().hex}.draft"
        try:
            with draft.open("xb") as file:
                _lease(file)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
                os.rename(draft, final)  # noqa: PTH104  the system call itself: tests record it
            sync_folder(final.parent)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise


@contextmanager
def publish_folder(final: Path, *, tmp: Path) -> Iterator[Path]:
    """Yield an empty folder to fill; at the end of the block it becomes the folder `final`.

    If `final` is there already (somebody published the same thing first), theirs is kept.
    """
    with explained(final):
        make_folder(tmp)
        make_folder(final.parent)
        draft = tmp / f"{uuid.uuid4().hex}.draft"
        draft.mkdir()
        try:
            with (draft / ".lease").open("xb") as lease:
                _lease(lease)
                yield draft
                (draft / ".lease").unlink()
                _sync_tree(draft)
                _rename_unless_there(draft, final)
            sync_folder(final.parent)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise


def make_folder(path: Path) -> None:
    """Create a folder and those above it, each durably."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(exist_ok=True)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_leased(draft: Path) -> bool:
    """Tell whether a living writer still works on a draft; the kernel ends a dead one's lease."""
    file = draft / ".lease" if draft.is_dir() else draft
    try:
        with file.open("rb") as opened:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the exclusive lock `path` while a read-modify-write goes on; others wait."""
    with explained(path):
        make_folder(path.parent)
        file = path.open("ab")
    with file:
        _lease(file)
        yield


def _lease(file: IO[bytes]) -> None:
    """Lock an open file until it is closed, or until this process dies."""
    fcntl.flock(file, fcntl.LOCK_EX)


def _rename_unless_there(draft: Path, final: Path) -> None:
    try:
        os.rename(draft, final)  # noqa: PTH104
    except OSError as error:  # only the rename itself can tell: a look before it may be outdated
        if error.errno not in {errno.EEXIST, errno.ENOTEMPTY}:
            raise
        shutil.rmtree(draft)


def _sync_tree(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_dir():
            sync_folder(path)
        else:
            with path.open("rb") as file:
                os.fsync(file.fileno())
    sync_folder(folder)
