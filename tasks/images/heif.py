"""HEIF boxes (ISO/IEC 14496-12 and 23008-12): which images are in an AVIF or HEIC, how large."""

import re
from collections.abc import Iterator

from tasks.images.image_parts import big, bounded

_AVIF = {b"avif", b"avis"}
_HEIC = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
_MOST_BRANDS = 100
# The boxes that hold the sizes, one in the other, with the bytes before the boxes in them.
_PARENTS = ((b"meta", 4), (b"iprp", 0), (b"ipco", 0))
# The entry of an item with Exif data, in version 2 or 3.
_EXIF_ITEM = re.compile(rb"(infe(?:\x02.{7}|\x03.{9}))Exif", re.DOTALL)


def kind(content: bytes) -> str:
    """Return AVIF or HEIF, by the brands of a file; an empty text for any other."""
    if content[4:8] != b"ftyp":
        return ""
    end = min(big(content[:4]), 16 + 4 * _MOST_BRANDS)
    brands = {content[8:12]} | {content[at : at + 4] for at in range(16, end, 4)}
    return "AVIF" if brands & _AVIF else "HEIF" if brands & _HEIC else ""


def size(content: bytes) -> tuple[int, int]:
    """Return the largest (height, width) that an image of the file is said to have."""
    sizes = list(bounded(_sizes(content, 0, len(content)), "a HEIF"))
    return max(sizes, key=lambda one: one[0] * one[1], default=(0, 0))


def without_exif(content: bytes) -> bytes:
    """Return the file without its Exif data, which does not decide how an image is turned.

    The boxes `irot` and `imir` do. Pillow would read all that hostile Exif data refers to.
    """
    return _EXIF_ITEM.sub(rb"\1none", content)


def _sizes(content: bytes, place: int, end: int, level: int = 0) -> Iterator[tuple[int, int]]:
    """Yield the sizes in the boxes `ispe`, and a zero for each box that has none."""
    while place + 8 <= end:
        length, name, start = big(content[place : place + 4]), content[place + 4 : place + 8], 8
        if length == 1:
            length, start = big(content[place + 8 : place + 16]), 16
        stop = end if length == 0 else min(place + length, end)
        if stop < place + start:
            return
        if level < len(_PARENTS) and name == _PARENTS[level][0]:
            yield from _sizes(content, place + start + _PARENTS[level][1], stop, level + 1)
        elif name == b"ispe" and level == len(_PARENTS):
            at = place + start + 4
            yield big(content[at + 4 : at + 8]), big(content[at : at + 4])
        else:
            yield 0, 0
        place = stop
