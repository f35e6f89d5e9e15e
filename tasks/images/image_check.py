"""The check of an image file: its key, and the reason if it is rejected.

The header is checked before decoding, because TensorFlow decodes in threads that cannot be
interrupted. Limits on size, frames, scans and compressed data keep the time per image below a few
seconds.
"""

import math
import threading
from contextlib import nullcontext
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from stores.keys import ImageKey
from stores.orientation import Orientation
from tasks.errors import InputError
from tasks.images import bmp, gif, jpeg, tiff
from tasks.images.exif import key_and_turn
from tasks.images.headers import announced_size, by_pillow, other_format, pillow_plugin
from tasks.images.image_files import LARGEST_PIXELS, read_image
from tasks.images.png import unpacks_to_more

# Raised if the check rejects or remarks on other files than before: data sets are then read again.
EXAMINATION = 5
# Each scan of a JPEG costs about a nanosecond per pixel, however small its data: 400 scans of the
# largest image took a minute. Encoders write about 10. libjpeg-turbo's own tests stop at 500.
MOST_SCANS = 500
_LARGEST_WORK = 12 * LARGEST_PIXELS  # in nanoseconds: pixels times scans, and what the data costs
# Each byte of a scan costs some 40 ns. Of an encoder's scans the data of all is the image's; more
# scans than these are somebody's own, and may all be as large as an image.
_USUAL_SCANS = 16
_BYTE_COST = 40
# Decoding such an image takes up to a gigabyte, for the coefficients of a progressive JPEG.
_MANY_PIXELS = LARGEST_PIXELS // 8
_DEAR = {"WEBP", "AVIF", "HEIF"}  # by Pillow they take twice the time and memory of others
_one_at_a_time = threading.Lock()
_SPARE_BYTES = 2**27  # that a PNG may unpack to beside its pixels: half a second
WITHOUT_HEIC = (
    "a HEIC image, which needs pillow-heif: pip install 'gargalo[heic]', or save it as JPEG"
)


@dataclass(frozen=True, slots=True)
class Examined:
    """The result of the check of one file."""

    key: ImageKey | None  # None where it could not be read
    status: Literal["accepted", "rejected"]
    reason: str  # why it is rejected, or a remark on an accepted one


@dataclass(frozen=True, slots=True)
class Whole:
    """A file that was read, and whose header and size are those of an image that can be used."""

    content: bytes
    stored: ImageKey  # of its bytes
    key: ImageKey  # of the image upright, or as stored
    turn: int  # the EXIF orientation by which it is turned
    orientation: Orientation


def examine(path: Path, orientation: Orientation = "upright") -> Examined:
    """Read a file once and check it; a bad file raises nothing.

    The key is that of the image upright, or as stored.
    """
    found = read_whole(path, orientation)
    return found if isinstance(found, Examined) else examine_whole(found)


def read_whole(path: Path, orientation: Orientation) -> Whole | Examined:
    """Read a file and check all but its pixels; return why it is rejected, if it is."""
    try:
        content = read_image(path)
    except (OSError, InputError) as error:
        return Examined(None, "rejected", unreadable(error))
    stored = ImageKey.of(content)
    try:
        check_content(content)
        return Whole(content, stored, *key_and_turn(content, stored, orientation), orientation)
    except InputError as error:
        return Examined(stored, "rejected", str(error))


def examine_whole(file: Whole, *, decodes: bool = False) -> Examined:
    """Return the result of the check of a file whose header was found right.

    Where it `decodes`, as another step finds out, it is decoded here only to look at its pixels.
    """
    from tasks.images.remarks import remarks

    try:
        large = math.prod(announced_size(file.content)) > _MANY_PIXELS
        with _one_at_a_time if large else nullcontext():
            about = remarks(file.content, file.orientation, decodes=decodes)
        return Examined(file.key, "accepted", about)
    except InputError as error:
        return Examined(file.stored, "rejected", str(error))


def examined(path: Path | str) -> bytes:
    """Return the content of an image file; raises InputError with the reason if it is rejected.

    It is not decoded, and may still be damaged.
    """
    try:
        content = read_image(path)
    except (OSError, InputError) as error:
        raise InputError(unreadable(error)) from error
    check_content(content)
    return content


def unreadable(error: OSError | InputError) -> str:
    """Return the reason for an error of `read_image`."""
    return f"cannot be read: {error.strerror if isinstance(error, OSError) else error}"


def check_content(content: bytes) -> None:
    """Raise InputError if an image file is rejected before it is decoded."""
    check_header(content)
    if unpacks_to_more(content, _SPARE_BYTES):
        raise InputError(
            "refused before decoding: a PNG whose data unpacks to far more than its pixels; save "
            "it again with an image editor"
        )


def check_header(content: bytes) -> None:
    """Raise InputError for a file that is read wrongly, or that takes too long to decode.

    The check takes microseconds, and is done before every decoding.
    """
    if not content:
        raise InputError("the file is empty")
    if other := other_format(content):
        raise InputError(
            f"cannot be decoded: {other}, expected JPEG, PNG, GIF, BMP, WebP, TIFF, AVIF or HEIC; "
            "save it as PNG"
        )
    if by_pillow(content):
        _check_for_pillow(content)
    # Not with Pillow: it reads fewer files than the decoder, and the others would not be checked.
    height, width = announced_size(content)
    if height * width > LARGEST_PIXELS:
        raise InputError(_too_large(f"{width}×{height} pixels"))
    # All frames of a GIF are unpacked, to one byte per pixel instead of three.
    frames = gif.frames(content)
    if (total := sum(f.height * f.width for f in frames)) > 3 * LARGEST_PIXELS:
        raise InputError(_too_large(f"{len(frames)} frames with {total} pixels in total"))
    if jpeg.is_cmyk(content) and not jpeg.has_adobe_marker(content):
        raise InputError(
            "a CMYK JPEG without Adobe's marker: some programs read it as a negative; save it as "
            "RGB"
        )
    scans = jpeg.scans(content)
    data = _BYTE_COST * len(content) if scans > _USUAL_SCANS else 0
    if scans > MOST_SCANS or scans * height * width + data > _LARGEST_WORK:
        raise InputError(
            f"refused before decoding: a JPEG of {scans} scans of {width}×{height} pixels, "
            f"expected about 10; save it again with an image editor"
        )


def _check_for_pillow(content: bytes) -> None:
    plugin = pillow_plugin(content)
    if plugin == "HEIF" and not can_read_heic():
        raise InputError(WITHOUT_HEIC)
    if plugin == "BMP" and (what := bmp.refused(content)):
        raise InputError(f"{what}: it is not read rightly; save it as PNG")
    if plugin == "TIFF":
        tiff.check(content)
    height, width = announced_size(content)
    if not height * width:
        raise InputError(f"cannot be decoded: a damaged {plugin} without a size")
    if plugin in _DEAR and height * width > LARGEST_PIXELS // 2:
        raise InputError(_too_large(f"{plugin} of {width}×{height} pixels", LARGEST_PIXELS // 2))


def can_read_heic() -> bool:
    """Return whether the package that reads HEIC is installed."""
    return find_spec("pillow_heif") is not None


def _too_large(size: str, most: int = LARGEST_PIXELS) -> str:
    return (
        f"refused before decoding: {size}, expected at most {most // 1_000_000} "
        "megapixels; scale it down"
    )
