"""The images of the page: made when they are first asked for, and kept in memory for a while."""

import base64
import re
from collections import OrderedDict
from threading import Lock
from typing import NamedTuple

from tasks.images.thumbnails import thumbnail
from tasks.review.images import Reviewed

SIDE, LARGE = 160, 640  # of an image in the grid, and of the one under the cursor
MOST_BYTES = 2**26  # in memory
_DATA = re.compile(r"data:(image/[a-z+]+);base64,")


class Picture(NamedTuple):
    """The bytes of an image file and their kind."""

    kind: str
    content: bytes


class Pictures:
    """Thumbnails of reviewed images, by their numbers; the least recently used go first."""

    def __init__(self, images: Reviewed, most: int = MOST_BYTES) -> None:
        self._images, self._most, self._bytes = images, most, 0
        self._kept: OrderedDict[tuple[int, int], Picture] = OrderedDict()
        self._lock = Lock()

    def of(self, n: int, side: int = SIDE) -> Picture:
        """Return the thumbnail of an image; one that cannot be made says why."""
        with self._lock:
            if kept := self._kept.get((n, side)):
                self._kept.move_to_end((n, side))
                return kept
        made = as_picture(thumbnail(*self._images.file(n), side=side))
        with self._lock:
            if (n, side) not in self._kept:
                self._kept[n, side] = made
                self._bytes += len(made.content)
            while self._bytes > self._most:
                _, gone = self._kept.popitem(last=False)
                self._bytes -= len(gone.content)
        return made


def as_picture(data_uri: str) -> Picture:
    """Return the image in a data URI."""
    found = _DATA.match(data_uri)
    if not found:
        raise ValueError(f"no image: {data_uri[:40]!r}")
    return Picture(found[1], base64.b64decode(data_uri[found.end() :]))
