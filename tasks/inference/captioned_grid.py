"""A picture of some images with captions, such as their predictions."""

import io
import math
from collections.abc import Sequence
from pathlib import Path
from textwrap import shorten

from matplotlib.figure import Figure
from PIL import Image

from stores.orientation import Orientation
from stores.printable import visible
from tasks.errors import InputError
from tasks.images.exif import UPRIGHT, orientation
from tasks.images.figures import default_settings
from tasks.images.image_check import examined
from tasks.images.pillow_images import picture

MOST_SHOWN = 25
GRID_ENDINGS = (".png",)
_SIDE = 320  # of an image, in pixels
_INCHES = 2.2


@default_settings()
def grid(
    images: Sequence[tuple[Path, str]], used: Orientation = "upright", *, columns: int = 0
) -> bytes:
    """Return a PNG of the first images, as they were used, with captions; a bad image is grey.

    It has so many columns, or is square.
    """
    shown = images[:MOST_SHOWN]
    columns = columns or max(1, math.ceil(math.sqrt(len(shown))))
    rows = max(1, math.ceil(len(shown) / columns))
    figure = Figure(figsize=(_INCHES * columns, (_INCHES + 0.3) * rows), layout="constrained")
    places = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in places:
        axes.set_axis_off()
    for axes, (path, caption) in zip(places, shown, strict=False):
        axes.imshow(_small(path, used))
        axes.set_title(shorten(visible(caption), 28, placeholder="…"), fontsize=9)
    sink = io.BytesIO()
    figure.savefig(sink, format="png", dpi=120)
    return sink.getvalue()


def _small(path: Path, used: Orientation) -> Image.Image:
    try:
        content = examined(path)
        turn = orientation(content) if used == "upright" else UPRIGHT
        image = picture(content, turn=turn, draft=_SIDE)
    except InputError:
        return Image.new("RGB", (_SIDE, _SIDE), "grey")
    image.thumbnail((_SIDE, _SIDE))
    return image
