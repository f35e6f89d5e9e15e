"""Thumbnails for the report, as data URIs."""

import base64
import io
from functools import cache
from html import escape
from pathlib import Path

from PIL import Image

from stores.keys import ImageKey
from tasks.errors import InputError
from tasks.images.exif import OTHER_FILE, turn_of
from tasks.images.image_check import check_header
from tasks.images.image_files import read_image
from tasks.images.pillow_images import picture

# The longest side of an image, in pixels; a smaller one is enlarged by a whole number.
LONGEST_SIDE = 200
_QUALITY = 80  # of JPEG, from 0 to 95


def thumbnail(path: Path, key: ImageKey, *, side: int = LONGEST_SIDE) -> str:
    """Return a thumbnail of an image file, as a data URI; never raises.

    It shows what the backbone sees: upright or as stored, as its key says, and without the alpha
    channel. A file that is missing, unreadable or changed becomes a grey placeholder with the
    reason.
    """
    try:
        content = read_image(path)
    except FileNotFoundError:
        return placeholder("file not found")
    except (OSError, InputError):
        return placeholder("cannot be read")
    try:
        if (turn := turn_of(content, key)) == OTHER_FILE:
            return placeholder("file has changed")
        check_header(content)
        return _small(picture(content, turn=turn, draft=2 * side), side)
    except InputError:
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


def _small(image: Image.Image, side: int) -> str:
    sink = io.BytesIO()
    times = side // max(image.size)
    if times > 1:
        size = (image.width * times, image.height * times)
        image.resize(size, Image.Resampling.NEAREST).save(sink, "PNG", optimize=True)
        return _data_uri(sink.getvalue(), "png")
    image.thumbnail((side, side))
    image.save(sink, "JPEG", quality=_QUALITY, optimize=True)
    return _data_uri(sink.getvalue(), "jpeg")


def _data_uri(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
