"""Shared by the readers of image formats: magic bytes, numbers, and a limit on the parts of a file.

A file consists of parts: segments, chunks or frames. A part can be a few bytes, so that a small
file can have millions of them. Their number is therefore limited.
"""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from tasks.errors import InputError

JPEG = b"\xff\xd8\xff"
PNG = b"\x89PNG"
GIF = b"GIF8"
BMP = b"BM"

Part = TypeVar("Part")

# The largest PNG that is read, in chunks of 4 kB, has 175,000.
MOST_PARTS = 200_000


def bounded(parts: Iterable[Part], what: str) -> Iterator[Part]:
    """Yield the parts of a file; raises InputError if there are too many."""
    for number, part in enumerate(parts):
        if number == MOST_PARTS:
            raise too_many(f"{what} of more than {MOST_PARTS:,} parts")
        yield part


def too_many(what: str) -> InputError:
    """Return the error for a file with too many parts."""
    return InputError(f"refused before decoding: {what}; save it again with an image editor")


def big(number: bytes) -> int:
    """Return a big-endian number."""
    return int.from_bytes(number, "big")


def little(number: bytes) -> int:
    """Return a little-endian number."""
    return int.from_bytes(number, "little")
