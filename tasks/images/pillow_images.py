"""Images by Pillow: those that TensorFlow does not read, and small ones of all formats.

Only the plugin of the format that the content has is opened. A picture has the pixels of
TensorFlow's decoder: 16 bits are cut to the upper 8, and the alpha channel is dropped, so that one
picture in two formats has the same pixels.
"""

import io
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from tasks.errors import InputError, UndecodableImage
from tasks.images import heif, tiff
from tasks.images.headers import pillow_plugin
from tasks.images.image_files import LARGEST_PIXELS
from tasks.images.quiet_pillow import quiet, silence_libtiff

# What Pillow raises on damaged files.
UNREADABLE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    AttributeError,
    AssertionError,
    EOFError,
    LookupError,
    ArithmeticError,
    RuntimeError,
    struct.error,
    Image.DecompressionBombError,
)
# For an EXIF orientation, what makes the stored picture upright.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@contextmanager
def opened(content: bytes) -> Iterator[Image.Image]:
    """Yield an image file opened by Pillow; raises UndecodableImage for all its errors.

    What is done with the image in this block is decoded without warnings.
    """
    plugin = pillow_plugin(content)
    prepare = _PREPARED.get(plugin)
    try:
        with quiet():
            source = io.BytesIO(prepare(content) if prepare else content)
            with Image.open(source, formats=[plugin]) as image:
                if image.width * image.height > LARGEST_PIXELS:
                    raise UndecodableImage(
                        f"cannot be decoded: {image.width}×{image.height} pixels, more than its "
                        "header says"
                    )
                yield image
    except InputError:
        raise
    except UNREADABLE as error:
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        if isinstance(error, UnidentifiedImageError):
            reason = f"not a {plugin} that Pillow reads"
        raise UndecodableImage(f"cannot be decoded: {reason}") from error


def picture(content: bytes, *, turn: int = 1, draft: int = 0) -> Image.Image:
    """Return an image file in red, green and blue, turned as for an EXIF orientation.

    With `draft`, a JPEG is decoded at a scale with sides of at least that many pixels. Raises
    UndecodableImage.
    """
    with opened(content) as image:
        if draft:
            image.draft(None, (draft, draft))
        found = turned(as_rgb(_as_the_format_says(content, image)), turn)
        found.load()
        return found


def pixels_by_pillow(content: bytes, *, channels: int) -> NDArray[np.uint8]:
    """Return the decoded pixels, (height, width, channels), with 3 channels or with 4."""
    with opened(content) as image:
        found = _as_the_format_says(content, image)
        return np.asarray(as_rgb(found) if channels == 3 else as_rgba(found))


def mode_by_pillow(content: bytes) -> str:
    """Return what Pillow calls the mode of an image, as RGB, RGBA or CMYK."""
    with opened(content) as image:
        return image.mode


def frame_count(content: bytes) -> int:
    """Return the number of images in a file that Pillow reads."""
    if tiff.is_tiff(content):
        return tiff.pages(content)
    with opened(content) as image:
        return int(getattr(image, "n_frames", 1))


def turned(image: Image.Image, orientation: int) -> Image.Image:
    """Return a stored picture upright, by its EXIF orientation."""
    return image.transpose(_TURNS[orientation]) if orientation in _TURNS else image


def as_rgb(image: Image.Image) -> Image.Image:
    """Return an image in red, green and blue, 8 bits each, as TensorFlow decodes it."""
    if image.mode.startswith("I"):  # 16 bits a pixel: the upper 8, as TensorFlow's decoder
        image = Image.fromarray((np.asarray(image).astype(np.int64) >> 8).astype(np.uint8))
    if image.mode in {"P", "PA", "LA", "La"}:  # a transparent palette entry keeps its colour
        image = as_rgba(image)
    return image.convert("RGB")


def as_rgba(image: Image.Image) -> Image.Image:
    """Return an image in red, green, blue and alpha, 8 bits each."""
    if image.mode.startswith("I"):
        image = as_rgb(image)
    return (image.convert("LA") if image.mode == "La" else image).convert("RGBA")


def _as_the_format_says(content: bytes, image: Image.Image) -> Image.Image:
    """Return an opened image as its format defines it, where Pillow leaves that to its user."""
    if image.format == "AVIF":  # `irot` and `imir`, as Pillow hands them on
        exif = Image.Exif()
        exif.load(image.info.get("exif", b""))
        return turned(image, int(exif.get(0x0112, 1)))
    if image.format == "TIFF" and image.mode.startswith("I"):
        values = np.asarray(image).astype(np.uint16)
        if tiff.bits_a_channel(content) == 12:
            values <<= 4
        elif tiff.is_negative(content):  # Pillow inverts up to 8 bits
            values = ~values
        return Image.fromarray(values)
    return image


def _tiff(content: bytes) -> bytes:
    silence_libtiff()
    return tiff.only_pixels(content)


def _heif(content: bytes) -> bytes:
    _with_heif()
    return heif.without_exif(content)


@cache
def _with_heif() -> None:
    """Let Pillow read HEIC."""
    import pillow_heif  # `check_header` looks whether it is installed

    pillow_heif.register_heif_opener(thumbnails=False)


_PREPARED: dict[str, Callable[[bytes], bytes]] = {
    "TIFF": _tiff,
    "AVIF": heif.without_exif,
    "HEIF": _heif,
}
