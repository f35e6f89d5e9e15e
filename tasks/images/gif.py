"""GIF headers: the canvas and the frames (GIF89a)."""

from collections.abc import Iterator
from dataclasses import dataclass

from tasks.images.image_parts import GIF, MOST_PARTS, bounded, little, too_many

_FRAME, _EXTENSION, _CONTROL = 0x2C, 0x21, 0xF9
# Data comes in sub-blocks, full ones of 255 bytes but for the last of each frame.
_FEWEST_BYTES = 64  # of a sub-block, beside those of the shortest frames


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame: its size and its place on the canvas, in pixels."""

    height: int
    width: int
    top: int
    left: int
    is_transparent: bool  # whether it has a transparent colour


def frames(content: bytes) -> list[Frame]:
    """Return the frames of a GIF; none for another format."""
    return list(bounded(_frames(content), "a GIF")) if content.startswith(GIF) else []


def canvas(content: bytes) -> tuple[int, int]:
    """Return (height, width) of a GIF's canvas."""
    return little(content[8:10]), little(content[6:8])


def _frames(content: bytes) -> Iterator[Frame]:
    """Yield each frame of a GIF (section 20), until the data ends."""
    place, blocks = 13 + _colours(content[10:11]), 0
    end, most = len(content), MOST_PARTS + len(content) // _FEWEST_BYTES
    transparent = False
    while place < end and (kind := content[place]) in {_FRAME, _EXTENSION}:
        if kind == _FRAME:
            numbers = [little(content[at : at + 2]) for at in range(place + 1, place + 9, 2)]
            left, top, width, height = numbers
            yield Frame(height, width, top, left, transparent)
            transparent = False
            place += 11 + _colours(content[place + 9 : place + 10])
        else:
            if content[place + 1 : place + 3] == bytes([_CONTROL, 4]):
                transparent = bool(little(content[place + 3 : place + 4]) & 1)
            place += 2
        while place < end:
            length = content[place]
            place += 1 + length
            blocks += 1
            if not length:
                break
            if blocks > most:
                raise too_many(f"a GIF of more than {most:,} blocks in {end:,} bytes")
        if blocks > most:
            raise too_many(f"a GIF of more than {most:,} blocks in {end:,} bytes")


def _colours(flags: bytes) -> int:
    """Return the size of a colour table in bytes, by the flags of its owner."""
    return 3 * 2 ** ((flags[0] & 7) + 1) if flags and flags[0] & 0x80 else 0
