"""Is a file an image that can be used? Its key, and the reason if it is not.

What a file announces bounds the work that its decoding can be: TensorFlow decodes in threads that
nobody can interrupt, so that a time limit for one image would come too late. The bounds on size,
frames, scans and packed data keep any image below a few seconds.
"""

import math
import threading
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from stores.keys import ImageKey
from tasks.errors import InputError
from tasks.images import gif, jpeg
from tasks.images.bmp import misread
from tasks.images.headers import announced_size, other_format
from tasks.images.image_files import LARGEST_PIXELS, read_image
from tasks.images.png import unpacks_to_more

# Goes up where files are refused or remarked on that were not: data sets are then read again.
EXAMINATION = 3
# Of a JPEG each scan costs about a nanosecond a pixel, however small its data: 400 scans of the
# largest image took a minute. Encoders write about ten. libjpeg-turbo's own tests stop at 500.
MOST_SCANS = 500
_LARGEST_WORK = 12 * LARGEST_PIXELS  # pixels times scans
# Each such image takes up to a gigabyte while it is decoded: a progressive JPEG its coefficients.
_MANY_PIXELS = LARGEST_PIXELS // 8
_one_at_a_time = threading.Lock()
_SPARE_BYTES = 2**27  # that a PNG may unpack to beside its pixels: half a second


@dataclass(frozen=True, slots=True)
class Examined:
    """What reading one file told."""

    key: ImageKey | None  # None where it could not be read
    status: Literal["accepted", "rejected"]
    reason: str  # why it is rejected, or a remark on an accepted one


def examine(path: Path) -> Examined:
    """Read a file once and tell whether it can be used; raises nothing for a bad file."""
    try:
        content = read_image(path)
    except (OSError, InputError) as error:
        return Examined(None, "rejected", unreadable(error))
    key = ImageKey.of(content)
    from tasks.images.remarks import remarks

    try:
        check_content(content)
        large = math.prod(announced_size(content)) > _MANY_PIXELS
        with _one_at_a_time if large else nullcontext():
            return Examined(key, "accepted", remarks(content))
    except InputError as error:
        return Examined(key, "rejected", str(error))


def examined(path: Path | str) -> bytes:
    """Return the bytes of an image file; raises InputError with the reason where it is refused.

    It is not decoded yet, and may still be damaged.
    """
    try:
        content = read_image(path)
    except (OSError, InputError) as error:
        raise InputError(unreadable(error)) from error
    check_content(content)
    return content


def unreadable(error: OSError | InputError) -> str:
    """Return the reason why `read_image` gave nothing."""
    return f"cannot be read: {error.strerror if isinstance(error, OSError) else error}"


def check_content(content: bytes) -> None:
    """Raise InputError where an image file is refused before it is decoded."""
    check_header(content)
    if unpacks_to_more(content, _SPARE_BYTES):
        raise InputError(
            "refused before decoding: a PNG whose data unpacks to far more than its pixels; "
            "save it anew"
        )


def check_header(content: bytes) -> None:
    """Raise InputError for what TensorFlow reads wrongly, or decodes at a cost beyond all bounds.

    It takes microseconds, so that it can be called whenever an image is decoded.
    """
    if not content:
        raise InputError("the file is empty")
    if other := other_format(content):
        raise InputError(
            f"cannot be decoded: {other}, expected JPEG, PNG, GIF, BMP or WebP; save it as PNG"
        )
    if what := misread(content):
        raise InputError(f"{what}: TensorFlow reads it wrongly; save it as PNG")
    # Not by Pillow: it knows fewer files than the decoder, and one that it does not know would
    # pass unmeasured.
    height, width = announced_size(content)
    if height * width > LARGEST_PIXELS:
        raise InputError(_too_large(f"{width}×{height} pixels"))
    # All frames of a GIF are unpacked, though to one byte a pixel, and not to three.
    frames = gif.frames(content)
    if (together := sum(f.height * f.width for f in frames)) > 3 * LARGEST_PIXELS:
        raise InputError(_too_large(f"{len(frames)} frames, together {together} pixels"))
    if jpeg.is_cmyk(content) and not jpeg.says_its_inks(content):
        raise InputError(
            "a CMYK JPEG without Adobe's marker, which some programs read as the negative of what "
            "others do; save it as RGB"
        )
    scans = jpeg.scans(content)
    if scans > MOST_SCANS or scans * height * width > _LARGEST_WORK:
        raise InputError(
            f"refused before decoding: a JPEG of {scans} scans of {width}×{height} pixels, "
            f"expected about 10; save it anew"
        )


def _too_large(size: str) -> str:
    return (
        f"refused before decoding: {size}, expected at most {LARGEST_PIXELS // 1_000_000} "
        "megapixels; scale it down"
    )
