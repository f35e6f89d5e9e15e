"""Thumbnails for the report, as data URIs."""

import base64
import io
import struct
import warnings
from functools import cache
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image

from stores.keys import ImageKey
from tasks.errors import InputError
from tasks.images.image_check import check_header
from tasks.images.image_files import read_image

# The longest side of an image, in pixels; a smaller one is enlarged by a whole number.
LONGEST_SIDE = 200
_QUALITY = 80  # of JPEG, from 0 to 95
UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, struct.error)  # what Pillow raises


def thumbnail(path: Path, key: ImageKey, *, side: int = LONGEST_SIDE) -> str:
    """Return a thumbnail of an image file, as a data URI; never raises.

    It shows what the backbone sees: without EXIF rotation, without the alpha channel. A file that
    is missing, unreadable or changed becomes a grey placeholder with the reason.
    """
    try:
        content = read_image(path)
    except FileNotFoundError:
        return placeholder("file not found")
    except (OSError, InputError):
        return placeholder("cannot be read")
    if ImageKey.of(content) != key:
        return placeholder("file has changed")
    try:
        check_header(content)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow, on large images and odd metadata
            return _small(content, side)
    except Image.DecompressionBombError:
        return placeholder("too large to show")
    except UNREADABLE:  # an InputError is a ValueError
        return placeholder("cannot be read")


@cache
def placeholder(words: str) -> str:
    """Return a grey square with a short text, as a data URI."""
    return _data_uri(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 200" width="200" height="200">'
        '<rect width="200" height="200" fill="#6f7780"/><text x="100" y="106" fill="#fff" '
        'font-family="sans-serif" font-size="17" text-anchor="middle">'
        f"{escape(words)}</text></svg>".encode(),
        "svg+xml",
    )


def _small(content: bytes, side: int) -> str:
    with Image.open(io.BytesIO(content)) as opened:
        opened.draft(None, (2 * side, 2 * side))  # JPEG: decode less
        image = as_rgb(opened)
    sink = io.BytesIO()
    times = side // max(image.size)
    if times > 1:
        size = (image.width * times, image.height * times)
        image.resize(size, Image.Resampling.NEAREST).save(sink, "PNG", optimize=True)
        return _data_uri(sink.getvalue(), "png")
    image.thumbnail((side, side))
    image.save(sink, "JPEG", quality=_QUALITY, optimize=True)
    return _data_uri(sink.getvalue(), "jpeg")


def as_rgb(image: Image.Image) -> Image.Image:
    """Return an image in red, green and blue, 8 bits each, as TensorFlow decodes it."""
    if image.mode.startswith("I"):  # 16 bits a pixel: the upper 8, as TensorFlow's decoder
        image = Image.fromarray((np.asarray(image).astype(np.int64) >> 8).astype(np.uint8))
    if image.mode in {"P", "PA", "LA"}:  # by RGBA: a transparent palette entry keeps its colour
        image = image.convert("RGBA")
    return image.convert("RGB")


def _data_uri(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
