"""What an image's bytes announce, read without decoding anything, however odd they are.

The formats are told apart by the same first bytes as in `tf.image.decode_image`; whatever is none
of them, it refuses.
"""

import re
from collections.abc import Iterator

JPEG = b"\xff\xd8\xff"
PNG = b"\x89PNG"
_GIF = b"GIF8"
BMP = b"BM"

# Other formats that image files have in them, whatever their names end in.
_OTHERS = (
    (0, b"\xff\x0a", "JPEG XL"),
    (0, b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
    (0, b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (4, b"ftypavi", "AVIF"),
    (4, b"ftyp", "HEIF or video"),
    (0, b"II*\x00", "TIFF"),
    (0, b"MM\x00*", "TIFF"),
    (0, b"%PDF", "PDF"),
    (0, b"<svg", "SVG"),
    (0, b"<?xml", "XML"),
)
# A marker that is no restart, no filling and no 0xff of coded data (ITU T.81, B.1.1).
_MARKER = re.compile(rb"\xff+([^\x00\x01\xd0-\xd8\xff])")
_SCAN, _END = b"\xda", b"\xd9"
_FEW_SCANS = 10  # of a usual progressive JPEG

_PARAMETERLESS = {0x01, *range(0xD0, 0xD8)}  # TEM, RST0 to RST7
_FRAME = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # SOF0 to SOF15, without DHT, JPG and DAC


def announced_size(content: bytes) -> tuple[int, int]:
    """Return the (height, width) in pixels that a decoder makes room for; zeros if none is said.

    Of a GIF it is not the canvas, but what holds each of the frames, though one alone is used.
    """
    if content.startswith(_GIF):
        frames = gif_frames(content)
        return max((h for h, _ in frames), default=0), max((w for _, w in frames), default=0)
    if content.startswith(JPEG):
        frame = _jpeg_frame(content)
        return _big(frame[1:3]), _big(frame[3:5])
    if content.startswith(PNG):
        return _big(content[20:24]), _big(content[16:20])
    if content.startswith(BMP):
        height = int.from_bytes(content[22:26], "little", signed=True)  # below 0: from the top down
        return abs(height), _little(content[18:22])
    if _is_webp(content):
        return _webp_size(content)
    return 0, 0


def gif_frames(content: bytes) -> list[tuple[int, int]]:
    """Return (height, width) of each frame of a GIF, and nothing of another format."""
    return list(_gif_frames(content)) if content.startswith(_GIF) else []


def other_format(content: bytes) -> str:
    """Return which format it is where it is none that is read, or an empty text.

    TensorFlow decodes JPEG XL too. Its size stands behind a code of its own, and what it costs to
    decode does not follow from its size.
    """
    known = (JPEG, PNG, _GIF, BMP)
    if content.startswith(known) or _is_webp(content):
        return ""
    for place, start, name in _OTHERS:
        if content.startswith(start, place):
            return name
    return "an unknown format"


def jpeg_scans(content: bytes) -> int:
    """Return how often a JPEG's decoder passes over its pixels: once a scan; 0 of other formats."""
    if not content.startswith(JPEG):
        return 0
    # Thumbnails and whatever is appended have scans too: only many are worth a second look.
    if (scans := content.count(b"\xff" + _SCAN)) <= _FEW_SCANS:
        return scans
    scans, place = 0, 2
    while (found := _MARKER.search(content, place)) and found[1] != _END:
        scans += found[1] == _SCAN
        place = found.end() + _big(content[found.end() : found.end() + 2])
    return scans


def jpeg_segments(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield marker and content of a JPEG's segments up to the first scan."""
    place = 2
    while (found := _MARKER.search(content, place)) and found[1] not in {_SCAN, _END}:
        place = found.end() + _big(content[found.end() : found.end() + 2])
        yield found[1][0], content[found.end() + 2 : place]


def is_cmyk(content: bytes) -> bool:
    """Tell whether it is a JPEG of four components."""
    return content.startswith(JPEG) and _jpeg_frame(content)[5:6] == b"\x04"


def _jpeg_frame(content: bytes) -> bytes:
    """Return a JPEG's frame header (ITU T.81, B.2.2) from its precision on, or nothing."""
    place = 2
    while (place := content.find(b"\xff", place)) >= 0:
        marker = content[place + 1 : place + 2]
        if marker in {b"\xff", b"\x00"}:  # fill, or no marker: libjpeg too looks on
            place += 1
        elif not marker or marker[0] in _PARAMETERLESS:
            place += 2
        elif marker[0] in _FRAME:
            return content[place + 4 : place + 10]
        else:
            place += 2 + _big(content[place + 2 : place + 4])
    return b""


def _gif_frames(content: bytes) -> Iterator[tuple[int, int]]:
    """Yield (height, width) of each frame of a GIF (GIF89a, section 20), until the data ends."""
    place = 13 + _gif_colours(content[10:11])
    while (kind := content[place : place + 1]) in {b"\x21", b"\x2c"}:
        if kind == b"\x2c":
            yield _little(content[place + 7 : place + 9]), _little(content[place + 5 : place + 7])
            place += 11 + _gif_colours(content[place + 9 : place + 10])
        else:
            place += 2
        while length := content[place : place + 1]:
            place += 1 + length[0]
            if not length[0]:
                break


def _gif_colours(flags: bytes) -> int:
    """Return the bytes that a colour table takes, by the flags of what it belongs to."""
    return 3 * 2 ** ((flags[0] & 7) + 1) if flags and flags[0] & 0x80 else 0


def webp_chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield type and data of a WebP's chunks (RIFF); nothing of another format."""
    place = 12 if _is_webp(content) else len(content)
    while place + 8 <= len(content):
        length = _little(content[place + 4 : place + 8])
        yield content[place : place + 4], content[place + 8 : place + 8 + length]
        place += 8 + length + length % 2


def _is_webp(content: bytes) -> bool:
    return content.startswith(b"RIFF") and content[8:12] == b"WEBP"


def _webp_size(content: bytes) -> tuple[int, int]:
    """Return (height, width) of a WebP's canvas or only frame (RFC 9649, section 2)."""
    kind = content[12:16]
    if kind == b"VP8X":
        return _little(content[27:30]) + 1, _little(content[24:27]) + 1
    if kind == b"VP8L":
        bits = _little(content[21:25])
        return (bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1
    return _little(content[28:30]) & 0x3FFF, _little(content[26:28]) & 0x3FFF


def _big(number: bytes) -> int:
    return int.from_bytes(number, "big")


def _little(number: bytes) -> int:
    return int.from_bytes(number, "little")
