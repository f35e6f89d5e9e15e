"""Durable publication: a file or folder appears whole under its name, or not at all.

The order is fixed: write in `tmp/`, fsync, rename, fsync the folder. Before the rename nothing is
seen; when `publish_file` or `publish_folder` has returned, a power cut cannot take it back.
These are the steps on a disk; stores use them through a location (stores/storage/location.py).

In a folder that a group may write to, what appears is the group's too, whatever the umask.
"""

import errno
import fcntl
import os
import stat
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from stores.errors import explained
from stores.storage.rules import NO_RULES, Rules
from stores.storage.safe_files import (
    IrregularFile,
    create,
    is_folder,
    open_lock,
    open_regular,
    status,
)
from stores.storage.safe_folders import (
    files_below,
    make_one_folder,
    opened_folder,
    remove,
    rename,
    walk,
)


def publish_file(content: bytes | memoryview, final: Path, *, tmp: Path) -> None:
    """Make `content` the file `final`; `tmp` is a folder of the same file system.

    Raises StoreReadOnly, StoreFull, or another OSError. Then `final` is as it was before; or, where
    only its folder could not be synced, it is the new file, and not durable: call again.
    """
    with explained(final):
        make_folder(tmp)
        make_folder(final.parent)
        draft = tmp / f"{uuid.uuid4().hex}.draft"
        try:
            with create(draft) as file:
                _lease(file)
                _share(file.fileno(), final.parent)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
                rename(draft, final)
            sync_folder(final.parent)
        except BaseException:
            remove(draft)
            raise


@contextmanager
def publish_folder(
    final: Path,
    *,
    tmp: Path,
    rules: Rules = NO_RULES,
    is_whole: Callable[[], bool] | None = None,
    first: Callable[[Path], bool] | None = None,
) -> Iterator[Path]:
    """Yield an empty folder to fill; at the end of the block it becomes the folder `final`.

    If `final` is there already (somebody published the same thing first), theirs is kept; but where
    `is_whole`, which is called then, tells that it is damaged, these files replace it, all but
    those that the rules keep. `first` is called with the filled folder: it tells whether that is to
    replace what is here. An error means what it means for `publish_file`.
    """
    with explained(final):
        make_folder(tmp)
        make_folder(final.parent)
        draft = tmp / f"{uuid.uuid4().hex}.draft"
        make_one_folder(draft)
        with opened_folder(draft) as descriptor:
            try:
                _lease(descriptor)
                _share(descriptor, final.parent)
                yield draft
                _sync_tree(draft, final.parent)
                if first is not None:
                    if not first(draft):
                        remove(draft)
                        return
                    is_whole = _never
                if is_whole and status(final):
                    _replace_unless_whole(draft, final, is_whole, rules)
                else:
                    _rename_unless_there(draft, final)
                sync_folder(final.parent)
            except BaseException:
                with suppress(OSError):
                    remove(draft)
                raise


def check_writable(folder: Path) -> None:
    """Raise StoreReadOnly where a folder, or the nearest there is above it, cannot be written."""
    nearest = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    with explained(nearest):
        if os.statvfs(nearest).f_flag & os.ST_RDONLY:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        if not os.access(nearest, os.W_OK | os.X_OK):
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))


def make_folder(path: Path) -> None:
    """Create a folder and those above it, each durably."""
    if is_folder(path):
        return
    make_folder(path.parent)
    if make_one_folder(path):
        with opened_folder(path) as descriptor:
            _share(descriptor, path.parent)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    with opened_folder(path) as descriptor:
        os.fsync(descriptor)


def is_leased(draft: Path) -> bool:
    """Return whether a living writer still works on a draft; the kernel ends a dead one's lease."""
    try:
        with _opened(draft) as descriptor:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except (FileNotFoundError, IrregularFile):
        return False
    return False


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the exclusive lock `path` while a read-modify-write goes on; others wait."""
    with explained(path):
        make_folder(path.parent)
        file, created = open_lock(path)
        if created:  # whatever else bears its name keeps its permissions
            _share(file.fileno(), path.parent)
    with file:
        _lease(file)
        yield


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """Open a file or a folder of a store for reading, as a descriptor."""
    if is_folder(path):
        with opened_folder(path) as descriptor:
            yield descriptor
    else:
        with open_regular(path) as file:
            yield file.fileno()


def _lease(opened: IO[bytes] | int) -> None:
    """Lock an open file or folder until it is closed, or until this process dies."""
    fcntl.flock(opened, fcntl.LOCK_EX)


def _rename_unless_there(draft: Path, final: Path) -> None:
    try:
        rename(draft, final)
    except OSError as error:  # only the rename itself can tell: a look before it may be outdated
        if error.errno not in {errno.EEXIST, errno.ENOTEMPTY}:
            raise
        remove(draft)


def _replace_unless_whole(
    draft: Path, final: Path, is_whole: Callable[[], bool], rules: Rules
) -> None:
    """Move the files of a draft over those of a folder, the record last; some are kept."""
    with locked(final.parent / "lock"):
        if not is_whole():
            names = [path.relative_to(draft) for path in files_below(draft)]
            for name in sorted(names, key=lambda name: name.name in rules.records):
                make_folder((final / name).parent)
                rename(draft / name, final / name)
                sync_folder((final / name).parent)
            for path, about in walk(final):
                name = path.relative_to(final)
                stays = name in names or name.parts[0] == rules.kept or stat.S_ISDIR(about.st_mode)
                if not stays:
                    remove(path)
                    sync_folder(path.parent)
    remove(draft)


def _never() -> bool:
    return False


def _share(descriptor: int, folder: Path) -> None:
    """Give what this process created in a group's folder the folder's permissions.

    A folder is a group's if the group may write to it, and it has not, as /tmp, the sticky bit.
    """
    about, own = status(folder), os.fstat(descriptor)
    group = about.st_mode if about else 0
    if not group & stat.S_IWGRP or group & stat.S_ISVTX or own.st_uid != os.geteuid():
        return
    mode = group & (0o2777 if stat.S_ISDIR(own.st_mode) else 0o666)
    if mode != stat.S_IMODE(own.st_mode):
        with suppress(OSError):  # there are file systems without permissions
            os.fchmod(descriptor, mode)


def _sync_tree(folder: Path, parent: Path) -> None:
    """Make a draft durable, with the permissions of the folder that it is going to be in."""
    for path in (*(inner for inner, _ in walk(folder)), folder):
        with _opened(path) as descriptor:
            _share(descriptor, parent)
            os.fsync(descriptor)
