"""WebP headers (RFC 9649): the chunks, and the size of the canvas or the only frame."""

from collections.abc import Iterator

from tasks.images.image_parts import bounded, little

_ANIMATED, _ALPHA = 0x02, 0x10  # flags of the extended header; the latter of VP8L's too


def is_webp(content: bytes) -> bool:
    """Return whether it is a WebP."""
    return content.startswith(b"RIFF") and content[8:12] == b"WEBP"


def chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield type and data of a WebP's chunks (RIFF); none for another format."""
    return bounded(_chunks(content), "a WebP")


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 12 if is_webp(content) else len(content)
    while place + 8 <= len(content):
        length = little(content[place + 4 : place + 8])
        yield content[place : place + 4], content[place + 8 : place + 8 + length]
        place += 8 + length + length % 2


def is_animated(content: bytes) -> bool:
    """Return whether it is an animated WebP, which TensorFlow refuses."""
    return (
        content[12:16] == b"VP8X"
        and is_webp(content)
        and bool(content[20:21] and content[20] & _ANIMATED)
    )


def has_alpha(content: bytes) -> bool:
    """Return whether a WebP has an alpha channel, as libwebp finds it; TensorFlow refuses these.

    A lossless image says so itself, whatever the extended header says.
    """
    flagged = False
    for kind, data in chunks(content):
        if kind == b"VP8X":
            flagged = bool(data[:1]) and bool(data[0] & _ALPHA)
        elif kind == b"VP8L":
            return len(data) > 4 and bool(data[4] & _ALPHA)
        elif kind == b"VP8 ":
            return flagged
        elif kind == b"ALPH":
            return True
    return flagged


def size(content: bytes) -> tuple[int, int]:
    """Return (height, width) of a WebP's canvas or only frame (section 2)."""
    kind = content[12:16]
    if kind == b"VP8X":
        return little(content[27:30]) + 1, little(content[24:27]) + 1
    if kind == b"VP8L":
        bits = little(content[21:25])
        return (bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1
    return little(content[28:30]) & 0x3FFF, little(content[26:28]) & 0x3FFF
