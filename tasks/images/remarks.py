"""Remarks on accepted images that the network sees differently than a person does."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stores.orientation import Orientation
from tasks.errors import UndecodableImage
from tasks.images import bmp, gif, png, tiff
from tasks.images import decoding as pixels
from tasks.images.exif import orientation
from tasks.images.headers import by_pillow, holding
from tasks.images.image_parts import GIF
from tasks.images.jpeg import is_cmyk
from tasks.images.pillow_images import Announced, announced, opened

TURNED = "turned upright, as the EXIF data says"
NOT_TURNED = "EXIF rotation: not applied, used as stored"
_INVISIBLE = 8  # alpha, of 255
_SHARE = 0.01  # of the pixels: fewer are edges
_ALIKE = 16  # of 255: what differs by less is one colour
_SAMPLED = 2**16  # pixels that are compared, in rows and columns of equal distance
_EMPTY = 64  # of 255: what is below in all pixels was written with 14 bits or fewer of 16
_HOT = 0.001  # of the values: defects of a sensor, which are as bright as can be


def remarks(content: bytes, used: Orientation = "upright", *, decodes: bool = False) -> str:
    """Return the remarks on an image that is used upright or as stored, or an empty text.

    The image is decoded for this; where it `decodes`, as another step finds out, only if its pixels
    are to be looked at. Raises UndecodableImage if that fails.
    """
    about = announced(content) if by_pillow(content) else Announced("", 1)
    return "; ".join([*_of_header(content, about, used), *_of_pixels(content, about, decodes)])


def _of_header(content: bytes, about: Announced, used: Orientation) -> list[str]:
    found = []
    frames = gif.frames(content)
    if (count := len(frames) or png.animation_frames(content)) > 1:
        found.append(f"animated, {count} frames: only the first is used")
    elif about.images > 1:
        what = "pages" if tiff.is_tiff(content) else "frames"
        found.append(f"{about.images} {what}: only the first is used")
    if frames and (what := _of_canvas(frames, *gif.canvas(content))):
        found.append(what)
    if is_cmyk(content) or about.mode == "CMYK":
        found.append("CMYK: converted to RGB")
    if orientation(content) != 1:
        found.append(TURNED if used == "upright" else NOT_TURNED)
    return found


def _of_canvas(frames: list[gif.Frame], height: int, width: int) -> str:
    """Return the remark on a GIF that is not decoded as its full canvas, or an empty text."""
    first, decoded = frames[0], holding(frames)
    black = (first.height, first.width) != decoded or first.top or first.left
    if not black and decoded[0] >= height and decoded[1] >= width:
        return ""
    return (
        f"a GIF whose first frame does not fill its canvas: {decoded[1]}×{decoded[0]} of "
        f"{width}×{height} pixels are used{', some of them black' if black else ''}"
    )


def _of_pixels(content: bytes, about: Announced, decodes: bool) -> list[str]:  # noqa: FBT001
    if content.startswith(GIF):
        pixels.check_decodable(content)
        return _of_transparent_gif(content)
    has_alpha = about.has_alpha or png.has_alpha(content) or bmp.has_alpha(content)
    deep = 16 in {png.bits_a_channel(content), tiff.bits_a_channel(content)}
    if not (has_alpha or deep):
        if not decodes:
            pixels.check_decodable(content)
        return []
    if has_alpha:
        image = pixels.decoded(content, channels=4)
        step = max(1, math.isqrt(image.shape[0] * image.shape[1] // _SAMPLED))
        found = _of_alpha(image[::step, ::step, :3], image[::step, ::step, 3])
    else:
        image, found = pixels.decoded(content, channels=3), []
    return found + (_of_empty_bits(image[..., :3]) if deep else [])


def _of_empty_bits(image: NDArray[np.uint8]) -> list[str]:
    """Return the remark on a 16-bit image whose upper bits are empty, but for sensor defects."""
    bright = sum(int(np.count_nonzero(row >= _EMPTY)) for row in image)
    if bright >= max(1, _HOT * image.size):
        return []
    top = max(int(np.max(row, initial=0, where=row < _EMPTY)) for row in image)
    where = " in nearly all pixels" if bright else ""
    return [f"16 bits, the upper ones empty{where}: read as dark, 0 to {top} of 255"]


def _of_transparent_gif(content: bytes) -> list[str]:
    """Return the remark on a GIF's first frame, whose transparent pixels are decoded as black."""
    if not gif.frames(content)[0].is_transparent:
        return []
    try:
        with opened(content) as image:
            alpha = np.asarray(image.convert("RGBA"))[..., 3]
    except UndecodableImage:
        return ["transparency: dropped, transparent pixels become black"]
    if np.count_nonzero(alpha <= _INVISIBLE) < _SHARE * alpha.size:
        return []
    return ["transparency: dropped, transparent pixels become black"]


def _of_alpha(colours: NDArray[Any], alpha: NDArray[Any]) -> list[str]:
    """Return the remark on an alpha channel (height, width), which is dropped."""
    invisible = alpha <= _INVISIBLE
    if np.count_nonzero(invisible) < _SHARE * alpha.size:
        return []
    if not _differ(colours, np.ones_like(invisible)):
        return ["transparency: dropped, all pixels have the same colour"]
    if _differ(colours, invisible):
        return ["transparency: dropped, the colours of transparent pixels become visible"]
    return []


def _differ(colours: NDArray[Any], where: NDArray[np.bool_]) -> bool:
    """Return whether some pixels (height, width, 3) have more than one colour."""
    lowest = np.min(colours, axis=(0, 1), initial=255, where=where[..., np.newaxis])
    highest = np.max(colours, axis=(0, 1), initial=0, where=where[..., np.newaxis])
    return bool(np.any(highest.astype(int) - lowest > _ALIKE))
