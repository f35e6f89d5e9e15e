"""The EXIF orientation of an image, which viewers apply and decoders do not.

AVIF and HEIC have none: how they are turned is part of their format, and of what is decoded. The
key of an image says whether it is turned (`ImageKey.upright`).
"""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from stores.keys import ImageKey
from stores.orientation import Orientation
from tasks.errors import InputError
from tasks.images import jpeg, png, tiff, webp
from tasks.images.image_parts import JPEG, PNG

_APP1 = 0xE1
_START = b"Exif\0\0"
_ORIENTATION, _SHORT = 0x0112, 3  # tag and type (TIFF 6.0, sections 2 and 8)
_MOST_TAGS = 1000
_LARGE = 2**17  # bytes; a smaller file is searched sooner than its segments are read
UPRIGHT = 1
OTHER_FILE = 0

Values = TypeVar("Values", bound=np.generic)


def orientation(content: bytes) -> int:
    """Return the orientation in an image's EXIF data, from 1 (upright) to 8; 1 if there is none."""
    if content.startswith(JPEG):
        exif = _of_jpeg(content)
    elif content.startswith(PNG):
        exif = next((bytes(data) for kind, data in png.chunks(content) if kind == b"eXIf"), b"")
    elif tiff.is_tiff(content):
        return tiff.orientation(content)
    else:
        exif = next((data for kind, data in webp.chunks(content) if kind == b"EXIF"), b"")
    return _orientation(exif.removeprefix(_START))


def key_of(content: bytes, used: Orientation) -> ImageKey:
    """Return the key of an image file that is used upright, or as stored."""
    return key_and_turn(content, ImageKey.of(content), used)[0]


def key_and_turn(content: bytes, stored: ImageKey, used: Orientation) -> tuple[ImageKey, int]:
    """Return the key of an image that is used upright, or as stored, and how it is turned for that.

    `stored` is the key of its bytes.
    """
    turn = orientation(content) if used == "upright" else UPRIGHT
    return (stored if turn == UPRIGHT else stored.upright()), turn


def turn_of(content: bytes, key: ImageKey | bytes) -> int:
    """Return the orientation by which an image of this key is turned; UPRIGHT: it is not.

    OTHER_FILE if the key is that of other bytes.
    """
    stored = ImageKey.of(content)
    if stored == key:
        return UPRIGHT
    found = orientation(content)
    return found if found != UPRIGHT and stored.upright() == key else OTHER_FILE


def turned(image: NDArray[Values], orientation: int) -> NDArray[Values]:
    """Return stored pixels (height, width, …) upright, by their EXIF orientation from 1 to 8."""
    if orientation >= 5:  # rows are columns
        image = image.swapaxes(0, 1)
    down = -1 if orientation in {3, 4, 7, 8} else 1
    right = -1 if orientation in {2, 3, 6, 7} else 1
    return image[::down, ::right]


def _of_jpeg(content: bytes) -> bytes:
    """Return the EXIF data of a JPEG, or nothing.

    Only the segments before the first scan are looked at: a search through all of a large
    photograph takes as long as its key.
    """
    if len(content) < _LARGE and _START not in content:
        return b""
    try:
        segments = (data for marker, data in jpeg.segments(content) if marker == _APP1)
        return next((data for data in segments if data.startswith(_START)), b"")
    except InputError:
        if _START in content:
            raise
        return b""  # what follows its frame is no matter of its orientation


def _orientation(exif: bytes) -> int:
    """Return the orientation in the first directory of TIFF data, or 1."""
    order = {b"II*\0": "little", b"MM\0*": "big"}.get(exif[:4])
    if order is None:
        return 1

    def number(place: int, size: int) -> int:
        part = exif[place : place + size]
        return int.from_bytes(part, "little" if order == "little" else "big")

    directory = number(4, 4)
    for entry in range(min(number(directory, 2), _MOST_TAGS)):
        place = directory + 2 + 12 * entry
        if number(place, 2) == _ORIENTATION and number(place + 2, 2) == _SHORT:
            value = number(place + 8, 2)
            return value if 1 <= value <= 8 else 1
    return 1
