"""JPEG headers: the frame, the segments before the first scan, and the number of scans."""

import re
import sys
from collections.abc import Iterator

import numpy as np

from tasks.images.image_parts import JPEG, big, bounded, too_many

# A marker that is not a restart, fill bytes, or 0xff in coded data (ITU T.81, B.1.1). Fill bytes
# before it are part of no match, so that the search is linear in the size of the file.
_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd8\xff])")
_SCAN, _END, _APP14 = 0xDA, 0xD9, 0xEE
_FEW_SCANS = 10  # of a usual progressive JPEG
_MOST_BETWEEN = 2**20  # bytes between two segments: fill bytes, or lost data that libjpeg skips
_MOST_BYTES_A_PIXEL = 16  # of coded data; the best quality has about 3
_FRAME = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # SOF0 to SOF15, without DHT, JPG and DAC
_ADOBE_BYTES = 12  # of its segment; libjpeg ignores a shorter one


def segments(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield marker and content of a JPEG's segments up to the first scan."""
    return bounded(_segments(content), "a JPEG")


def _segments(content: bytes) -> Iterator[tuple[int, bytes]]:
    place = 2
    while found := _MARKER.search(content, place, place + _MOST_BETWEEN):
        if found[1][0] in {_SCAN, _END}:
            return
        place = found.end() + big(content[found.end() : found.end() + 2])
        yield found[1][0], content[found.end() + 2 : place]
    if place + _MOST_BETWEEN < len(content):
        raise too_many("a JPEG with a megabyte between two of its segments")


def frame(content: bytes) -> bytes:
    """Return a JPEG's frame header (ITU T.81, B.2.2) from its precision on, or nothing."""
    if not content.startswith(JPEG):
        return b""
    return next((data[:6] for marker, data in segments(content) if marker in _FRAME), b"")


def scans(content: bytes) -> int:
    """Return the number of scans of a JPEG; 0 for other formats."""
    if not content.startswith(JPEG):
        return 0
    # Thumbnails and appended data have scans too; a low count needs no exact one.
    if (count := occurrences(content, b"\xff\xda")) <= _FEW_SCANS:
        return count
    return sum(marker == _SCAN for marker in bounded(_markers(content), "a JPEG"))


def occurrences(content: bytes, pair: bytes) -> int:
    """Return how often two different bytes follow each other; for megabytes quicker than `count`.

    It also lets other threads work meanwhile.
    """
    wanted = int.from_bytes(pair, sys.byteorder)
    return sum(
        int(
            np.count_nonzero(
                np.frombuffer(content, np.uint16, (len(content) - first) // 2, first) == wanted
            )
        )
        for first in (0, 1)
        if len(content) - first >= 2
    )


def _markers(content: bytes) -> Iterator[int]:
    """Yield the markers up to the end of the image, with those between its scans."""
    place, size = 2, frame(content)
    most = _MOST_BETWEEN + _MOST_BYTES_A_PIXEL * big(size[1:3]) * big(size[3:5])
    while found := _MARKER.search(content, place, place + most):
        if found[1][0] == _END:
            return
        yield found[1][0]
        place = found.end() + big(content[found.end() : found.end() + 2])
    if place + most < len(content):
        raise too_many("a JPEG of far more data than its pixels take")


def is_cmyk(content: bytes) -> bool:
    """Return whether it is a JPEG with four components."""
    return frame(content)[5:6] == b"\x04"


def has_adobe_marker(content: bytes) -> bool:
    """Return whether a JPEG has Adobe's segment, with which inks are stored inverted."""
    adobe = (data for marker, data in segments(content) if marker == _APP14)
    return any(data.startswith(b"Adobe") and len(data) >= _ADOBE_BYTES for data in adobe)
