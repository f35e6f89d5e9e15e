"""TIFF headers (TIFF 6.0 and BigTIFF): the tags of the first image, checked before decoding.

Pillow reads the data of all tags of a directory, and libtiff trusts the sizes that it finds. So the
sizes are checked here, and Pillow gets a copy with only the tags that decide the pixels.
"""

import math
import struct
from dataclasses import dataclass

from tasks.errors import InputError
from tasks.images.image_files import LARGEST_PIXELS
from tasks.images.image_parts import MOST_PARTS, too_many

_ORDERS = {b"II*\0": "<", b"MM\0*": ">", b"II+\0": "<", b"MM\0+": ">"}
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_SIZES |= {16: 8, 17: 8, 18: 8}  # of BigTIFF
_WHOLE = {1: "B", 3: "H", 4: "I", 16: "Q"}  # the types of whole numbers
_MOST_TAGS, _MOST_PAGES = 1000, 1000

_KIND, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _COLOURS = 254, 256, 257, 258, 259, 262
_STRIPS, _ORIENTATION, _SAMPLES, _ROWS, _STRIP_BYTES, _PLANES = 273, 274, 277, 278, 279, 284
_TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES, _SAMPLE_FORMAT = 322, 323, 324, 325, 339
# The tags that decide the pixels: these, the bit order, the options of the fax codes, the
# predictor, the palette, extra samples, the tables of JPEG, and how YCbCr is stored.
_OF_PIXELS = {256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 292, 293, 317, 320}
_OF_PIXELS |= {322, 323, 324, 325, 338, 339, 347, 529, 530, 531, 532}
_PRIVATE = 65_000  # a tag that no reader knows

_JPEG = 7
_MOST_SAMPLES = 6
_READ = {1, 2, 3, 4, 5, _JPEG, 8, 32_773, 32_946, 50_000}  # raw, fax, LZW, deflate, PackBits, zstd
_READ_BITS = {1, 2, 4, 8, 12, 16}
_LARGEST_SCANS = 12 * LARGEST_PIXELS  # scans of the JPEGs in it, times their pixels


@dataclass(frozen=True, slots=True)
class _Tag:
    place: int  # of its entry
    type: int
    count: int
    values: int  # where they are

    @property
    def bytes(self) -> int:
        return self.count * _SIZES.get(self.type, 1)


@dataclass(frozen=True)
class _Directory:
    """The tags of one image of a TIFF, and the place of the pointer to the next image."""

    content: bytes
    order: str
    tags: dict[int, _Tag]
    next_at: int

    def numbers(self, tag: int, *default: int) -> tuple[int, ...]:
        """Return a tag's whole numbers; raises InputError if it has no such."""
        if (found := self.tags.get(tag)) is None:
            return default
        kind = _WHOLE.get(found.type)
        if not kind or not found.count or found.values + found.bytes > len(self.content):
            raise _damaged(f"tag {tag} has no whole numbers")
        return struct.unpack_from(f"{self.order}{found.count}{kind}", self.content, found.values)

    def number(self, tag: int, default: int) -> int:
        """Return the first of a tag's whole numbers."""
        return self.numbers(tag, default)[0]


def is_tiff(content: bytes) -> bool:
    """Return whether it is a TIFF."""
    return content[:4] in _ORDERS


def size(content: bytes) -> tuple[int, int]:
    """Return the stored (height, width) of a TIFF's first image."""
    first = _first(content)
    return first.number(_HEIGHT, 0), first.number(_WIDTH, 0)


def bits_a_channel(content: bytes) -> int:
    """Return the bits of a TIFF's channels; 0 for other formats."""
    return _first(content).number(_BITS, 1) if is_tiff(content) else 0


def is_negative(content: bytes) -> bool:
    """Return whether 0 is white in a TIFF of grey values."""
    return _first(content).number(_COLOURS, 0) == 0


def orientation(content: bytes) -> int:
    """Return the orientation of a TIFF, from 1 to 8; 1 if there is none."""
    try:
        value = _first(content).number(_ORIENTATION, 1)
    except InputError:
        return 1
    return value if 1 <= value <= 8 else 1


def pages(content: bytes) -> int:
    """Return the number of images in a TIFF, at most 1,000."""
    seen: set[int] = set()
    order, big = _ORDERS[content[:4]], content[2:4] in {b"+\0", b"\0+"}
    place = _number(content, 8 if big else 4, order, 8 if big else 4)
    while place and place not in seen and len(seen) < _MOST_PAGES:
        seen.add(place)
        count = _number(content, place, order, 8 if big else 2)
        after = place + (8 + 20 * count if big else 2 + 12 * count)
        if count == 0 or after > len(content):
            break
        place = _number(content, after, order, 8 if big else 4)
    return len(seen)


def check(content: bytes) -> None:
    """Raise InputError for a TIFF that Pillow reads wrongly, or that costs too much."""
    first = _first(content)
    compression, bits = first.number(_COMPRESSION, 1), first.numbers(_BITS, 1)
    if compression not in _READ:
        raise InputError(
            f"a TIFF with the compression number {compression}: save it with LZW, deflate or none"
        )
    if set(first.numbers(_SAMPLE_FORMAT, 1)) != {1} or not set(bits) <= _READ_BITS:
        raise InputError(
            f"a TIFF of {max(bits)} bits a channel, or of signed or decimal numbers: which of them "
            "is white is not known; save it with 8 or 16 bits a channel"
        )
    if first.number(_SAMPLES, 1) > _MOST_SAMPLES:
        raise _damaged(f"{first.number(_SAMPLES, 1)} samples a pixel, expected at most 6")
    if first.number(_KIND, 0) & 1:
        raise InputError(
            "a TIFF whose first image is a reduced one, as of a camera's raw file; save it as PNG"
        )
    _check_parts(first, compression)


def only_pixels(content: bytes) -> bytes:
    """Return a TIFF with its first image alone, and only with the tags that decide the pixels."""
    first = _first(content)
    copy = bytearray(content)
    for number, tag in first.tags.items():
        if number not in _OF_PIXELS:
            struct.pack_into(f"{first.order}HH", copy, tag.place, _PRIVATE, 1)
            struct.pack_into(f"{first.order}I", copy, tag.place + 4, 1)
            if content[2:4] in {b"+\0", b"\0+"}:
                struct.pack_into(f"{first.order}Q", copy, tag.place + 4, 1)
    width = 8 if content[2:4] in {b"+\0", b"\0+"} else 4
    copy[first.next_at : first.next_at + width] = bytes(width)
    return bytes(copy)


def _check_parts(first: _Directory, compression: int) -> None:
    """Check the strips or tiles: their number, their size, and where they are."""
    height, width = first.number(_HEIGHT, 0), first.number(_WIDTH, 0)
    if _TILES in first.tags or _TILE_WIDTH in first.tags:
        across, down = first.number(_TILE_WIDTH, 0), first.number(_TILE_HEIGHT, 0)
        places, lengths = first.numbers(_TILES), first.numbers(_TILE_BYTES)
    else:
        across, down = width, min(first.number(_ROWS, height), height)
        places, lengths = first.numbers(_STRIPS), first.numbers(_STRIP_BYTES)
    if not (height and width and across and down):
        raise _damaged("an image, a strip or a tile has no pixels")
    planes = first.number(_SAMPLES, 1) if first.number(_PLANES, 1) == 2 else 1
    count = math.ceil(width / across) * math.ceil(height / down) * planes
    if count > MOST_PARTS or count * across * down > 4 * planes * LARGEST_PIXELS:
        raise too_many(f"a TIFF of {count:,} parts of {across}×{down} pixels")
    raw = compression == 1
    if len(places) != count or (len(lengths) != count and not (raw and not lengths)):
        raise _damaged(f"expected {count} strips or tiles, found {len(places)}")
    if max(map(sum, zip(places, lengths, strict=False)), default=0) > len(first.content):
        raise _damaged("a strip or a tile reaches beyond the file")
    if sum(lengths) > 2 * len(first.content):
        raise too_many("a TIFF whose strips or tiles lie in the same place")
    if compression == _JPEG:
        marks = (
            first.content.count(b"\xff\xda", p, p + n) for p, n in zip(places, lengths, strict=True)
        )
        if (scans := sum(marks)) * across * down > _LARGEST_SCANS:
            raise too_many(f"a TIFF of JPEGs with {scans} scans of {across}×{down} pixels")


def _first(content: bytes) -> _Directory:
    """Return the directory of a TIFF's first image; raises InputError where it is damaged."""
    order, big = _ORDERS[content[:4]], content[2:4] in {b"+\0", b"\0+"}
    start = _number(content, 8 if big else 4, order, 8 if big else 4)
    count = _number(content, start, order, 8 if big else 2) if start else 0
    if count > _MOST_TAGS:
        raise too_many(f"a TIFF with {count} tags")
    width, after = (20, start + 8) if big else (12, start + 2)
    if not count or after + width * count > len(content):
        raise _damaged("it has no image")
    tags: dict[int, _Tag] = {}
    for place in range(after, after + width * count, width):
        number, kind = struct.unpack_from(f"{order}HH", content, place)
        items = _number(content, place + 4, order, 8 if big else 4)
        inside = place + (12 if big else 8)
        tag = _Tag(place, kind, items, inside)
        if tag.bytes > (8 if big else 4):
            tag = _Tag(place, kind, items, _number(content, inside, order, 8 if big else 4))
        if number in tags:
            raise _damaged(f"it has tag {number} twice")
        if number in _OF_PIXELS and items > MOST_PARTS and kind not in {1, 7}:
            raise too_many(f"a TIFF with {items:,} numbers in tag {number}")
        tags[number] = tag
    return _Directory(content, order, tags, after + width * count)


def _number(content: bytes, place: int, order: str, width: int) -> int:
    part = content[place : place + width]
    return int.from_bytes(part, "little" if order == "<" else "big") if len(part) == width else 0


def _damaged(why: str) -> InputError:
    return InputError(f"cannot be decoded: a damaged TIFF: {why}")
