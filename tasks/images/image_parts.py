"""What the readers of image formats share: first bytes, numbers, and a bound on parts.

A format's parts, as segments, chunks or frames, are looked at one after another. A few bytes make
one, so that a file can have millions that mean nothing: there is a bound on them.
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
    """Yield the parts of a file; raises InputError where there are more than any honest one has."""
    for number, part in enumerate(parts):
        if number == MOST_PARTS:
            raise too_many(f"{what} of more than {MOST_PARTS:,} parts")
        yield part


def too_many(what: str) -> InputError:
    """Return the error for a file in many small pieces."""
    return InputError(f"refused before decoding: {what}; save it anew")


def big(number: bytes) -> int:
    """Return a number whose highest byte comes first."""
    return int.from_bytes(number, "big")


def little(number: bytes) -> int:
    """Return a number whose lowest byte comes first."""
    return int.from_bytes(number, "little")
