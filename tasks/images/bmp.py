"""BMP headers, and whether TensorFlow reads them correctly.

Its decoder reads only the size, the bits per pixel and the offset of the pixels. It ignores
palettes, compression, the order of channels and older headers (decode_image_op.cc). Pillow reads
most of those; the others are refused.
"""

import struct

import numpy as np
from numpy.typing import NDArray

from tasks.images.image_parts import BMP

# BITMAPINFOHEADER, its extensions by masks, BITMAPV4HEADER and BITMAPV5HEADER: the same first 40
# bytes. OS/2 1.x (12) has them elsewhere, OS/2 2.x (16 and 64) gives compressions other numbers.
_HEADERS = {40, 52, 56, 108, 124}
_PLAIN, _MASKED = 0, {3, 6}  # BI_RGB; BI_BITFIELDS and BI_ALPHABITFIELDS
_COMPRESSIONS = {1: "RLE8", 2: "RLE4", 4: "JPEG", 5: "PNG"}
_RLE = {1, 2}
# Pillow unpacks these codes in Python, half a microsecond each.
_LARGEST_RLE = 8_000_000
_OS2_1, _OS2_2 = 12, 64
_BGR = b"".join(mask.to_bytes(4, "little") for mask in (0xFF0000, 0xFF00, 0xFF))


def misread(content: bytes) -> str:
    """Return the property of a BMP that TensorFlow reads wrongly, or an empty text."""
    return _layout(content) or _size(content) if content.startswith(BMP) else ""


def refused(content: bytes) -> str:
    """Return the property of a misread BMP that Pillow does not read rightly either, or nothing."""
    header, bits, compression = (_number(content, *at) for at in ((14, 4), (28, 2), (30, 4)))
    if header == _OS2_1:
        bits, compression = _number(content, 24, 2), _PLAIN
    if header == _OS2_2 and compression > max(_RLE):
        return f"an OS/2 BMP with the compression number {compression}"
    if compression in _COMPRESSIONS and compression not in _RLE:
        return f"a BMP with the compression {_COMPRESSIONS[compression]}"
    if compression in _RLE and len(content) > _LARGEST_RLE:
        return f"a BMP of {len(content)} bytes with the compression {_COMPRESSIONS[compression]}"
    if header != _OS2_1 and _number(content, 18, 4) >= 2**31:
        return "a BMP with a negative width"
    start = 14 + header
    colours = (0 if header == _OS2_1 else _number(content, 46, 4)) or 2**bits
    palette = colours * (3 if header == _OS2_1 else 4)
    if bits <= 8 and start != _number(content, 10, 4) < start + palette:
        return "a BMP whose palette reaches into its pixels"
    return ""


def size(content: bytes) -> tuple[int, int]:
    """Return the (height, width) of a BMP."""
    if _number(content, 14, 4) == _OS2_1:
        return _number(content, 20, 2), _number(content, 18, 2)
    height = int.from_bytes(content[22:26], "little", signed=True)  # negative: top row first
    return abs(height), _number(content, 18, 4)


def _layout(content: bytes) -> str:
    header, bits, compression = (_number(content, *at) for at in ((14, 4), (28, 2), (30, 4)))
    if header not in _HEADERS:
        return f"a BMP with a header of {header} bytes"
    if compression in _MASKED and bits == 32:
        return "" if content[54:66] == _BGR else "a BMP whose masks order the channels otherwise"
    if compression != _PLAIN:
        name = _COMPRESSIONS.get(compression, f"number {compression}")
        return f"a BMP with the compression {name}"
    if bits == 8:
        return "" if _is_grey(content) else "a BMP with a palette"
    return "" if bits in {24, 32} else f"a BMP of {bits} bits a pixel"


def _size(content: bytes) -> str:
    """Return what is wrong with the size, or an empty text: TensorFlow reads no trailing bytes."""
    width, height = (int.from_bytes(content[n : n + 4], "little", signed=True) for n in (18, 22))
    if width < 0:
        return "a BMP with a negative width"
    row = (width * _number(content, 28, 2) + 31) // 32 * 4
    expected = _number(content, 10, 4) + row * abs(height)
    if len(content) > expected:
        return f"a BMP of {len(content)} bytes whose pixels end at byte {expected}"
    return ""


def bmp_of(pixels: NDArray[np.uint8]) -> bytes:
    """Return pixels (height, width, 3) as a BMP of 24 bits, which TensorFlow reads rightly."""
    height, width, _ = pixels.shape
    rows = np.zeros((height, (3 * width + 3) // 4 * 4), np.uint8)
    rows[:, : 3 * width] = pixels[::-1, :, ::-1].reshape(height, 3 * width)
    start = 54
    sizes = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, _PLAIN, rows.size, 0, 0, 0, 0)
    return BMP + struct.pack("<IHHI", start + rows.size, 0, 0, start) + sizes + rows.tobytes()


def has_alpha(content: bytes) -> bool:
    """Return whether it is a BMP whose header declares an alpha channel."""
    masked = content.startswith(BMP) and _number(content, 14, 4) >= 56
    return masked and content[66:70] == b"\0\0\0\xff" and _number(content, 28, 2) == 32


def _is_grey(content: bytes) -> bool:
    """Return whether the palette is 0, 1, 2, …: then its indices are the grey values."""
    start = 14 + _number(content, 14, 4)
    count = min(_number(content, 46, 4) or 256, 256)
    palette = content[start : start + 4 * count]
    if len(palette) < 4 * count or start + 4 * count > _number(content, 10, 4):
        return False
    return all(palette[4 * n : 4 * n + 3] == bytes([n] * 3) for n in range(count))


def _number(content: bytes, place: int, size: int) -> int:
    return int.from_bytes(content[place : place + size], "little")
