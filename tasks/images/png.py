"""PNG chunks, and whether they unpack to more data than the image needs."""

import zlib
from collections.abc import Iterator

from tasks.images.image_parts import PNG, bounded

_MOST_OUT_OF_ONE = 1032  # bytes that deflate unpacks one byte to, at the most (zlib's tech page)
_TEXTS = {b"zTXt", b"iTXt", b"iCCP"}  # packed; libpng unpacks up to 8 MB of each
_LARGEST_TEXT = 8_000_000
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
_AT_ONCE, _PIECE = 2**20, 2**16


def chunks(content: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Yield type and data of a PNG's chunks; none for another format."""
    return bounded(_chunks(content), "a PNG")


def _chunks(content: bytes) -> Iterator[tuple[bytes, memoryview]]:
    whole, place = memoryview(content), 8 if content.startswith(PNG) else len(content)
    while place + 8 <= len(content):
        length = int.from_bytes(content[place : place + 4], "big")
        kind = content[place + 4 : place + 8]
        yield kind, whole[place + 8 : place + 8 + length]
        if kind == b"IEND":
            return
        place += 12 + length


def unpacks_to_more(content: bytes, spare: int) -> bool:
    """Return whether a PNG's data unpacks to over `spare` bytes more than its pixels need.

    No more than that is unpacked, and only if the compressed data could hold that much.
    """
    if not bits_a_channel(content):
        return False
    packed, texts = [], 0
    for kind, data in chunks(content):
        if kind == b"IDAT":
            packed.append(data)
        elif kind in _TEXTS:
            texts += min(_LARGEST_TEXT, _MOST_OUT_OF_ONE * len(data))
    if texts > spare:
        return True
    needed = _raw_bytes(content) + spare
    if _MOST_OUT_OF_ONE * sum(map(len, packed)) <= needed:
        return False
    return _unpacked(packed, needed) > needed


def bits_a_channel(content: bytes) -> int:
    """Return the bit depth of a PNG; 0 for other formats."""
    return content[24] if content.startswith(PNG) and len(content) > 25 else 0


def has_alpha(content: bytes) -> bool:
    """Return whether it is a PNG with an alpha channel or a transparent colour."""
    if not bits_a_channel(content):
        return False
    return content[25] in {4, 6} or any(kind == b"tRNS" for kind, _ in chunks(content))


def animation_frames(content: bytes) -> int:
    """Return the number of frames of an animated PNG; 0 for other images."""
    if not content.startswith(PNG) or b"acTL" not in content:
        return 0
    found = (bytes(data[:4]) for kind, data in chunks(content) if kind == b"acTL")
    return int.from_bytes(next(found, b""), "big")


def _raw_bytes(content: bytes) -> int:
    """Return the approximate size of a PNG's pixels in bytes."""
    width, height = (int.from_bytes(content[at : at + 4], "big") for at in (16, 20))
    bits = bits_a_channel(content) * _CHANNELS.get(content[25], 4)
    # Each row has a filter byte. An interlaced row has up to four, with rounded ends.
    return height * (width * bits // 8 + 8)


def _unpacked(packed: list[memoryview], most: int) -> int:
    """Return the unpacked size of deflated data, at least up to `most`; an error ends it."""
    unpack, count = zlib.decompressobj(), 0
    try:
        for piece in _pieces(packed):
            rest = piece
            while len(rest) and count <= most:
                count += len(unpack.decompress(rest, _AT_ONCE))
                rest = unpack.unconsumed_tail
            if unpack.eof or count > most:
                break
    except zlib.error:
        pass  # the decoder reports the same error
    return count


def _pieces(packed: list[memoryview]) -> Iterator[bytes | memoryview]:
    # Small pieces, because the rest of a piece is copied at each step.
    for data in packed:
        for start in range(0, len(data), _PIECE):
            yield data[start : start + _PIECE]
