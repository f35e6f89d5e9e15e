"""Where a user wants something written: whether that can be, asked before there is any work."""

import tempfile
from pathlib import Path

from tasks.errors import InputError


def check_output(path: Path, *, endings: tuple[str, ...] = ()) -> None:
    """Raise InputError where a file cannot be written there, or has none of these endings.

    What is there may be replaced, a folder excepted.
    """
    if endings and path.suffix not in endings:
        raise InputError(f"{path}: expected a file that ends in {', '.join(endings)}")
    check_place(path)
    if path.is_dir() and not path.is_symlink():
        raise InputError(f"{path} is a folder, expected a file: name another file")


def check_place(path: Path) -> None:
    """Raise InputError where neither a file nor a folder can be made at a path."""
    parent = path.absolute().parent
    try:
        path.is_symlink()  # of a name that is too long there is no answer
        if not parent.is_dir():
            raise InputError(f"{path}: there is no folder {path.parent}")
        with tempfile.TemporaryFile(dir=parent):
            pass
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}; name another file") from None
