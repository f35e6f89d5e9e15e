"""Is a file an image that can be used? Its key, and the reason if it is not."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from stores.keys import ImageKey
from tasks.errors import InputError
from tasks.headers import announced_size, gif_frames, is_misread, remark

# Twice Pillow's warning limit, where Pillow too refuses: 178,956,970 pixels of 3 bytes are half a
# gigabyte. Refused by its header, before anything of that size is decoded.
LARGEST_PIXELS = 2 * 89_478_485


@dataclass(frozen=True, slots=True)
class Examined:
    """What reading one file told."""

    key: ImageKey | None  # None where it could not be read
    status: Literal["accepted", "rejected"]
    reason: str  # why it is rejected, or a remark on an accepted one


def examine(path: Path) -> Examined:
    """Read a file once and tell whether Keras can decode it; raises nothing for a bad file."""
    try:
        content = path.read_bytes()
    except OSError as error:
        return Examined(None, "rejected", f"cannot be read: {error.strerror}")
    key = ImageKey.of(content)
    if not content:
        return Examined(key, "rejected", "the file is empty")
    from tasks.pixels import check_decodable

    try:
        _check_size(content)
        _check_palette(content)
        check_decodable(content)
    except InputError as error:
        return Examined(key, "rejected", str(error))
    return Examined(key, "accepted", remark(content))


def _check_size(content: bytes) -> None:
    # Not by Pillow: it knows fewer files than the decoder, and one that it does not know would
    # pass unmeasured.
    height, width = announced_size(content)
    if height * width > LARGEST_PIXELS:
        raise InputError(_too_large(f"{width}×{height} pixels"))
    # All frames of a GIF are unpacked, though to one byte a pixel, and not to three.
    frames = gif_frames(content)
    if (together := sum(map(math.prod, frames))) > 3 * LARGEST_PIXELS:
        raise InputError(_too_large(f"{len(frames)} frames, together {together} pixels"))


def _check_palette(content: bytes) -> None:
    if is_misread(content):
        raise InputError(
            "a BMP with a palette: TensorFlow takes its colour numbers for grey values; save it as "
            "PNG"
        )


def _too_large(size: str) -> str:
    return (
        f"refused before decoding: {size}, expected at most {LARGEST_PIXELS // 1_000_000} "
        "megapixels; scale it down"
    )
