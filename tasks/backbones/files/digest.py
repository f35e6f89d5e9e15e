"""The digest of a backbone's file, with the files that hold its weights.

An ONNX file may keep tensors in other files. Their names are read from its protocol buffers, whose
fields are those of onnx.proto; no tensor is.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from mmap import ACCESS_READ, mmap
from pathlib import Path

from tasks.backbones.files.preset_folder import preset_files
from tasks.errors import InputError
from tasks.execution.user_files import opened, size_of

# Where tensors are: the fields on the way from a model, and in what they lie. A graph has
# initializers (5), and nodes (1) whose attributes (5) have a tensor (5), graphs (6, 11), or
# tensors (10).
_MODEL, _GRAPH, _NODE, _ATTRIBUTE, _TENSOR = range(5)
_INNER = {
    (_MODEL, 7): _GRAPH,
    (_GRAPH, 1): _NODE,
    (_GRAPH, 5): _TENSOR,
    (_NODE, 5): _ATTRIBUTE,
    (_ATTRIBUTE, 5): _TENSOR,
    (_ATTRIBUTE, 6): _GRAPH,
    (_ATTRIBUTE, 10): _TENSOR,
    (_ATTRIBUTE, 11): _GRAPH,
}
_EXTERNAL = 13  # of a tensor: its data in another file
_MOST_DEPTH = 64
_MOST_DIGITS = 20  # of a size, which has 64 bits


def files_of(path: Path) -> list[Path]:
    """Return a backbone's file, and those that hold its weights; raises InputError.

    Of a preset's folder, these are its configuration and its weights. An error names a file that
    is missing, or damaged.
    """
    if path.is_dir():
        return preset_files(path)
    check_is_file(path)
    if path.suffix == ".xml":
        weights = path.with_suffix(".bin")
        if not weights.is_file():
            raise InputError(
                f"{weights}: file not found; it has the weights of {path.name}: copy it beside it"
            )
        return [path, weights]
    found = [path]
    if path.suffix != ".onnx":
        return found
    folder = Path(os.path.realpath(path.parent))
    for name, end in sorted(_external(path).items()):
        place = folder / name
        if not Path(os.path.realpath(place)).is_relative_to(folder):
            raise InputError(f"{path}: its data are in {name!r}, outside its folder; refused")
        if not place.is_file():
            raise InputError(
                f"{place}: file not found; it has the weights of {path.name}: copy it beside it"
            )
        if (size := place.stat().st_size) < end:
            raise InputError(
                f"{place}: {size:,} bytes, expected at least {end:,}: it has the weights of "
                f"{path.name}, and is cut off; copy it again"
            )
        found.append(place)
    return found


def check_is_file(path: Path) -> None:
    """Raise InputError where there is no file."""
    if not path.is_file():
        raise InputError(
            f"--backbone {path}: file not found; expected the name of a backbone, a file (.onnx, "
            ".xml, .keras), or the folder of a KerasHub preset"
        )


def file_digest(path: Path) -> str:
    """Return the digest of a backbone's file and its weights, `sha256:<digits>`.

    A file alone has its own. Of several, it is that of their digests; their names do not matter.
    """
    return joined([_sha256(some) for some in files_of(path)])


def joined(digests: Sequence[str]) -> str:
    """Return the digest of files with these SHA-256, in this order."""
    if len(digests) == 1:
        return f"sha256:{digests[0]}"
    return f"sha256:{hashlib.sha256(' '.join(digests).encode()).hexdigest()}"


def _sha256(path: Path) -> str:
    try:
        with opened(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error


def _external(path: Path) -> dict[str, int]:
    """Return the names of the files in which an ONNX file keeps tensors, and where these end."""
    try:
        with opened(path) as file:
            if not size_of(file):
                raise InputError(f"{path}: the file is empty; export the network again")
            with mmap(file.fileno(), 0, access=ACCESS_READ) as content:
                ends = dict[str, int]()
                for name, end in _locations(content, 0, len(content), _MODEL):
                    ends[name] = max(end, ends.get(name, 0))
                return ends
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except (IndexError, EOFError, UnicodeDecodeError):
        raise InputError(
            f"{path}: the file is cut off, or not an ONNX file; copy or export it again"
        ) from None


def _locations(
    content: mmap, start: int, end: int, kind: int, depth: int = 0
) -> Iterator[tuple[str, int]]:
    """Yield the files of tensors in a message of a kind, and their ends there.

    Raises EOFError where it is cut off.
    """
    if depth > _MOST_DEPTH:
        raise EOFError
    names, numbers = list[str](), {"offset": 0, "length": 0}
    for field, first, last in _fields(content, start, end):
        if (kind, field) == (_TENSOR, _EXTERNAL):
            key, value = _entry(content, first, last)
            if key == "location":
                names.append(value)
            elif key in numbers:
                numbers[key] = _whole(value)
        elif (inner := _INNER.get((kind, field))) is not None:
            yield from _locations(content, first, last, inner, depth + 1)
    for name in names:
        yield name, sum(numbers.values())


def _entry(content: mmap, start: int, end: int) -> tuple[str, str]:
    """Return the key and value of what a tensor has of its data in another file."""
    texts = {
        field: content[first:last].decode() for field, first, last in _fields(content, start, end)
    }
    return texts.get(1, ""), texts.get(2, "")


def _whole(text: str) -> int:
    """Return a number of bytes; raises EOFError for what is none."""
    if not (text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS):
        raise EOFError
    return int(text)


def _fields(content: mmap, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield the number, beginning and end of each field that has a length."""
    while at < end:
        tag, at = _number(content, at)
        wire = tag & 7
        if wire == 0:
            _, at = _number(content, at)
        elif wire in {1, 5}:
            at += 8 if wire == 1 else 4
        elif wire == 2:
            length, at = _number(content, at)
            if at + length > end:
                raise EOFError
            yield tag >> 3, at, at + length
            at += length
        else:
            raise EOFError
    if at > end:
        raise EOFError


def _number(content: mmap, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = content[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise EOFError
