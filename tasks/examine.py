"""Is a file an image that can be used? Its key, and the reason if it is not."""

import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PIL import Image, UnidentifiedImageError

from stores.keys import ImageKey
from tasks.errors import InputError

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
        remark = _look_at_header(content)
        check_decodable(content)
    except InputError as error:
        return Examined(key, "rejected", str(error))
    return Examined(key, "accepted", remark)


def _look_at_header(content: bytes) -> str:
    """Return a remark on an image from its header; raises InputError where it is too large."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Pillow, on large images and odd metadata
        try:
            with Image.open(io.BytesIO(content)) as image:
                width, height = image.size
                frames = int(getattr(image, "n_frames", 1)) if image.format == "GIF" else 1
                mode = image.mode
        except Image.DecompressionBombError as error:
            raise InputError(_too_large(str(error))) from error
        except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
            return ""  # Pillow does not know it; the decoder that counts is asked next
    if width * height > LARGEST_PIXELS:
        raise InputError(_too_large(f"{width}×{height} pixels"))
    if frames > 1:
        return f"animated, {frames} frames: the first is used"
    return "CMYK: converted to RGB" if mode == "CMYK" else ""


def _too_large(size: str) -> str:
    return (
        f"refused before decoding: {size}, expected at most {LARGEST_PIXELS // 1_000_000} "
        "megapixels; scale it down"
    )
