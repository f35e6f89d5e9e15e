"""What an image's first bytes announce, read without decoding anything, however odd they are.

The formats are told apart by the same first bytes as in `tf.image.decode_image`; whatever is none
of them, it refuses.
"""

from collections.abc import Iterator

JPEG = b"\xff\xd8\xff"
_PNG = b"\x89PNG"
_GIF = b"GIF8"
_BMP = b"BM"

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
    if content.startswith(_PNG):
        return _big(content[20:24]), _big(content[16:20])
    if content.startswith(_BMP):
        height = int.from_bytes(content[22:26], "little", signed=True)  # below 0: from the top down
        return abs(height), _little(content[18:22])
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return _webp_size(content)
    return 0, 0


def gif_frames(content: bytes) -> list[tuple[int, int]]:
    """Return (height, width) of each frame of a GIF, and nothing of another format."""
    return list(_gif_frames(content)) if content.startswith(_GIF) else []


def is_misread(content: bytes) -> bool:
    """Tell whether it is a BMP with a palette of colours, whose numbers TensorFlow takes for grey.

    A grey one has the palette 0, 1, 2, …, and is read rightly.
    """
    if not content.startswith(_BMP) or _little(content[28:30]) != 8:
        return False
    start = 14 + _little(content[14:18])
    palette = content[start : start + 4 * (_little(content[46:50]) or 256)]
    colours = [palette[place : place + 3] for place in range(0, len(palette), 4)]
    return any(colour != bytes([n % 256] * 3) for n, colour in enumerate(colours))


def remark(content: bytes) -> str:
    """Return what a user should know of a good image, or an empty text."""
    if (frames := len(gif_frames(content))) > 1:
        return f"animated, {frames} frames: the first is used"
    if content.startswith(JPEG) and _jpeg_frame(content)[5:6] == b"\x04":
        return "CMYK: converted to RGB"
    return ""


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
