"""Output paths of the user, checked before any work is done."""

import tempfile
from pathlib import Path

from tasks.errors import InputError


def check_output(path: Path, *, endings: tuple[str, ...] = ()) -> None:
    """Raise InputError if a file cannot be written there, or has none of these extensions.

    An existing file may be replaced, a folder may not.
    """
    if endings and path.suffix not in endings:
        raise InputError(f"{path}: expected a file name that ends in {', '.join(endings)}")
    check_place(path)
    if path.is_dir() and not path.is_symlink():
        raise InputError(f"{path}: expected a file, found a folder; give the name of a file")


def check_place(path: Path) -> None:
    """Raise InputError if neither a file nor a folder can be created at a path."""
    parent = path.absolute().parent
    try:
        path.is_symlink()  # raises for a name that is too long
        if not parent.is_dir():
            raise InputError(f"{path}: folder {path.parent} not found; create it first")
        with tempfile.TemporaryFile(dir=parent):
            pass
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written: {error.strerror}; give another path"
        ) from None
