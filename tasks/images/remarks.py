"""Remarks on an image that can be used: where the network sees something else than a person."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.images import bmp, png
from tasks.images import decoding as pixels
from tasks.images.exif import orientation
from tasks.images.headers import JPEG, gif_frames, is_cmyk

_INVISIBLE = 8  # alpha, of 255
_SHARE = 0.01  # of the pixels: fewer are edges
_ALIKE = 16  # of 255: what differs by less is one colour
_SAMPLED = 2**16  # pixels that are compared, in rows and columns of equal distance
_EMPTY = 64  # of 255: what is below in all pixels was written with 14 bits or fewer of 16


def remarks(content: bytes) -> str:
    """Return what a user should know of an image, or an empty text.

    It is decoded for that. Raises UndecodableImage where it cannot be.
    """
    return "; ".join([*_of_header(content), *_of_pixels(content)])


def _of_header(content: bytes) -> list[str]:
    found = []
    if (frames := len(gif_frames(content))) > 1:
        found.append(f"animated, {frames} frames: the first is used")
    if is_cmyk(content):
        found.append("CMYK: converted to RGB")
    if orientation(content) != 1:
        found.append("EXIF rotation: not applied, used as stored")
    return found


def _of_pixels(content: bytes) -> list[str]:
    if content.startswith(JPEG):
        pixels.check_decodable(content)
        return []
    if png.has_alpha(content) or bmp.has_alpha(content):
        image = pixels.decoded(content, channels=4)
        step = max(1, math.isqrt(image.shape[0] * image.shape[1] // _SAMPLED))
        found = _of_alpha(image[::step, ::step, :3], image[::step, ::step, 3])
    else:
        image, found = pixels.decoded(content, channels=3), []
    if png.bits_a_channel(content) == 16 and (top := int(image[..., :3].max(initial=0))) < _EMPTY:
        found.append(f"16 bits, the upper ones empty: read as dark, 0 to {top} of 255")
    return found


def _of_alpha(colours: NDArray[Any], alpha: NDArray[Any]) -> list[str]:
    """Return the remark on an alpha channel (height, width), which is dropped."""
    invisible = alpha <= _INVISIBLE
    if np.count_nonzero(invisible) < _SHARE * alpha.size:
        return []
    if not _differ(colours, np.ones_like(invisible)):
        return ["transparency: dropped, and all below it is one colour"]
    if _differ(colours, invisible):
        return ["transparency: dropped, and what is below it is seen"]
    return []


def _differ(colours: NDArray[Any], where: NDArray[np.bool_]) -> bool:
    """Tell whether some pixels (height, width, 3) have more than one colour."""
    lowest = np.min(colours, axis=(0, 1), initial=255, where=where[..., np.newaxis])
    highest = np.max(colours, axis=(0, 1), initial=0, where=where[..., np.newaxis])
    return bool(np.any(highest.astype(int) - lowest > _ALIKE))
