"""The one door to files in a store: no link is followed there, and only regular files are opened.

A store may come from somebody else. So below its root, which `note_root` notes, each folder of a
path is opened from the one above it, and none of them through a link; the root itself may be one.
What is a link, a FIFO, a device, a socket, or a folder in the place of a file is never opened: it
is damage, and raises IrregularFile, which says what it is. A name that stands in a listing, an
index, a record or a manifest becomes a path by `within`, and by nothing else.
"""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from io import BufferedRandom, BufferedReader
from pathlib import Path

from stores.errors import CorruptStore
from stores.storage.sizes import is_sparse, most_in_memory

# Of a record, a recipe or another file of JSON: what this software writes has some kB.
RECORD_BYTES = 2**26

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_LOCK = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
# On the way, the right to enter a folder is enough where the system knows O_PATH.
_ENTER = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
_KINDS = {
    stat.S_IFREG: "a file",
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a link",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
# A part that is empty, a dot or two, or what no file system takes.
LEADS_OUT = r"(?:^|/)\.{0,2}(?:/|\z)|\x00"  # as RE2 spells it
_LEADS_OUT = re.compile(LEADS_OUT.replace(r"\z", r"\Z"))
_UNSAFE = re.compile(r"[\x00-\x1f\x7f\\]|^[A-Za-z]:")
_DEEPEST = 64  # folders below a store's root: no part of one is so deep
_roots: set[str] = set()


class IrregularFile(CorruptStore):
    """A link, FIFO, device, socket, folder or file where a store has something else."""


class SparseFile(IrregularFile):
    """A file that is large by its size alone: next to all of it is holes, which nobody wrote."""


class UnsafeName(CorruptStore):
    """A name, as of a listing, that is no path below the root it belongs to."""


def note_root(root: Path) -> Path:
    """Note that a folder is a store's root, below which no link is followed; return it."""
    if str(root.absolute()) not in _roots:
        _roots.add(str(root.absolute()))
        _split.cache_clear()
    return root


def within(root: Path, name: str) -> Path:
    """Return the path of a name below a root; raises UnsafeName where it is no plain one.

    Refused are absolute names, `..`, `.` and empty parts, backslashes, drives, control characters,
    and parts of more than 255 bytes. Names are data: whoever made the store may have chosen them.
    """
    parts = name.split("/")
    too_long = any(len(os.fsencode(part)) > 255 for part in parts)
    if too_long or leads_out(name) or _UNSAFE.search(name):
        raise UnsafeName(f"{root}: {name!r} is no name of a file in a store; it is not used")
    return root.joinpath(*parts)


def leads_out(name: str) -> bool:
    """Return whether a name, as one that a user gave a file, is no path below the folder it is of.

    So is one that is absolute, or has a part that is `..`, `.` or empty.
    """
    return _LEADS_OUT.search(name) is not None


def open_regular(path: Path) -> BufferedReader:
    """Open a file for reading; raises IrregularFile, FileNotFoundError, or another OSError."""
    with entered(path.parent) as folder:
        return os.fdopen(_checked(path, folder, _READ), "rb")


def read_bytes(path: Path, *, max_bytes: int | None = None) -> bytes:
    """Return a file's bytes; raises CorruptStore, before it reads, where there are too many.

    That is also where they are more than this machine's memory should hold of one file.
    """
    most = most_in_memory() if max_bytes is None else max_bytes
    with open_regular(path) as file:
        if (size := os.fstat(file.fileno()).st_size) > most:
            raise CorruptStore(f"{path}: {size} bytes; expected at most {most}")
        try:
            return file.read()
        except MemoryError as error:
            raise CorruptStore(f"{path}: no memory for its {size} bytes; free some") from error


def read_text(path: Path) -> str:
    """Return the text of a record, a file of JSON; raises ValueError where it is no UTF-8."""
    return read_bytes(path, max_bytes=RECORD_BYTES).decode()


def create(path: Path) -> BufferedRandom:
    """Create a file and open it for writing; raises FileExistsError where there is anything."""
    with entered(path.parent) as folder, named_errors(path):
        descriptor = os.open(path.name, _CREATE, 0o666, dir_fd=folder)
    return os.fdopen(descriptor, "w+b")


def write_new(path: Path, content: bytes) -> None:
    """Create a file with this content, as in a draft; raises FileExistsError."""
    with create(path) as file:
        file.write(content)


def open_lock(path: Path) -> tuple[BufferedRandom, bool]:
    """Open a file that is there to be locked, or create it; tell also if it was created."""
    with suppress(FileExistsError):
        return create(path), True
    with entered(path.parent) as folder:
        return os.fdopen(_checked(path, folder, _LOCK), "r+b"), False


def status(path: Path) -> os.stat_result | None:
    """Return what is known of a file, in a store of a link itself; None where there is nothing."""
    try:
        with entered(path.parent) as folder, named_errors(path):
            return os.stat(path.name, dir_fd=folder, follow_symlinks=not is_inside(path))
    except (FileNotFoundError, NotADirectoryError):
        return None


def is_file(path: Path) -> bool:
    """Return whether there is a file; in a store a link, or what is no regular file, is none."""
    with suppress(IrregularFile):
        return (about := status(path)) is not None and stat.S_ISREG(about.st_mode)
    return False


def is_folder(path: Path) -> bool:
    """Return whether there is a folder; a link to one counts only as a store's root or above."""
    if not is_inside(path):
        return path.is_dir()
    with suppress(IrregularFile):
        return (about := status(path)) is not None and stat.S_ISDIR(about.st_mode)
    return False


def irregular_file(path: Path, about: os.stat_result, expected: str) -> IrregularFile:
    """Return the error that says what is found where something else is expected."""
    kind = _KINDS.get(stat.S_IFMT(about.st_mode), "something else")
    fix = "move it out of the store"
    if stat.S_ISLNK(about.st_mode):
        fix = "no link in a store is followed: mount what it leads to, or put it there"
    return IrregularFile(f"{path}: expected {expected}, found {kind}; {fix}")


def _checked(path: Path, folder: int, flags: int) -> int:
    """Open what is a regular file before it is opened, and after; return its descriptor."""
    with named_errors(path):
        about = os.stat(path.name, dir_fd=folder, follow_symlinks=False)
        if not stat.S_ISREG(about.st_mode):  # to open a device may do something
            raise irregular_file(path, about, "a file")
        descriptor = os.open(path.name, flags, dir_fd=folder)
    if not stat.S_ISREG((about := os.fstat(descriptor)).st_mode):  # it was replaced just now
        os.close(descriptor)
        raise irregular_file(path, about, "a file")
    if flags == _READ and is_sparse(descriptor, about):
        os.close(descriptor)
        wrong = f"of {about.st_size} bytes next to none were ever written"
        raise SparseFile(f"{path}: the file is damaged: {wrong}; move it out of the store")
    return descriptor


@contextmanager
def entered(folder: Path) -> Iterator[int]:
    """Open a folder from its store's root on, through no link; yield it as a descriptor.

    It serves as `dir_fd`, and for nothing else. Of a folder in no store, links are followed.
    """
    descriptor = _descended(str(folder.absolute()))
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _descended(folder: str) -> int:
    root, parts = _split(folder)
    place, descriptor = root, os.open(root, _ENTER)
    for part in parts:
        place = f"{place}/{part}"
        try:
            inner = os.open(part, _ENTER | os.O_NOFOLLOW, dir_fd=descriptor)
        except OSError as error:
            raise _no_way(Path(place), descriptor, error) from None
        finally:
            os.close(descriptor)
        descriptor = inner
    return descriptor


def _no_way(place: Path, parent: int, error: OSError) -> Exception:
    """Return why a folder cannot be entered: what is there is something else, or the error."""
    with suppress(OSError):
        about = os.stat(place.name, dir_fd=parent, follow_symlinks=False)
        if not stat.S_ISDIR(about.st_mode):
            return irregular_file(place, about, "a folder")
    return type(error)(error.errno, error.strerror, str(place))


@lru_cache(maxsize=2**16)  # called for each file
def _split(folder: str) -> tuple[str, tuple[str, ...]]:
    """Return the root of the store that a folder is in, and its parts below; else itself."""
    path = Path(folder)
    root = next((place for place in (path, *path.parents) if str(place) in _roots), path)
    parts = path.relative_to(root).parts
    if ".." in parts:
        raise UnsafeName(f"{folder}: '..' leads out of a store; it is not used")
    if len(parts) > _DEEPEST:
        odd = root.joinpath(*parts[:3])
        raise IrregularFile(f"{odd}: folders more than {_DEEPEST} deep; move it out of the store")
    return str(root), parts


def is_inside(path: Path) -> bool:
    """Return whether a path is below a store's root, where no link is followed."""
    place = str(path.absolute())
    return place not in _roots and _split(place)[0] != place


@contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """Give the system's errors the whole path, where they have only its last part."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename == os.fspath(path):
            raise
        raise type(error)(error.errno, error.strerror, os.fspath(path)) from None
