"""Pictures that stand inside the report: learning curves as inline SVG, images as data URIs."""

import base64
import io
import re
import struct
import warnings
from functools import cache
from html import escape
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from PIL import Image

from stores.keys import ImageKey

# The longest side of a thumbnail, in pixels; a smaller image is enlarged by a whole number.
LONGEST_SIDE = 200
_QUALITY = 80  # of JPEG, from 0 to 95
_UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, struct.error)  # what Pillow raises

# Stand-ins that matplotlib accepts; the page's own colours, light or dark, take their place.
_INK, _LINE, _TRAIN, _VALIDATION = "#010101", "#020202", "#030303", "#040404"
_COLOURS = {
    _INK: "currentColor",
    _LINE: "var(--line)",
    _TRAIN: "var(--muted)",
    _VALIDATION: "var(--accent)",
}
_QUANTITIES = {"accuracy": "Accuracy", "loss": "Loss"}


def learning_curves(history: pa.Table, *, salt: str) -> list[Markup]:
    """Return one SVG each for accuracy and loss over the epochs, train beside validation.

    `history` has one row an epoch and the columns epoch, accuracy, val_accuracy, loss, val_loss;
    a quantity that it lacks has no picture. `salt` keeps the identifiers inside the SVG apart
    from those of the page's other pictures.
    """
    return [
        _curve(history, quantity, title=title, salt=f"{salt}-{quantity}")
        for quantity, title in _QUANTITIES.items()
        if {quantity, f"val_{quantity}"} & set(history.column_names)
    ]


def _curve(history: pa.Table, quantity: str, *, title: str, salt: str) -> Markup:
    figure = Figure(figsize=(4.4, 2.7))
    axes = figure.add_axes((0.14, 0.17, 0.84, 0.72))  # fixed: the pictures of a page line up
    for column, name, colour, style in (
        (quantity, "train", _TRAIN, (0, (4, 2))),
        (f"val_{quantity}", "validation", _VALIDATION, "solid"),
    ):
        if column in history.column_names:
            # An epoch need not have each metric: Keras validates every nth where it is told to.
            told = history.filter(pc.is_finite(history[column].cast(pa.float64())))
            marker = "o" if len(told) <= 20 else None
            points = (told["epoch"].to_pylist(), told[column].to_pylist())
            axes.plot(*points, color=colour, ls=style, lw=1.6, marker=marker, ms=3, label=name)
    axes.set_title(title, loc="left", fontsize=11, color=_INK)
    axes.set_xlabel("epoch", color=_INK)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
    if quantity == "accuracy":
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.grid(visible=True, axis="y", color=_LINE, lw=0.8)
    axes.tick_params(colors=_INK, length=0)
    axes.spines[:].set_visible(False)
    axes.spines["bottom"].set(visible=True, color=_LINE)
    axes.legend(frameon=False, labelcolor=_INK, fontsize=9)
    label = f"{title} of train and validation over {len(history)} epochs"
    return _inline(figure, label=label, salt=salt)


def _inline(figure: Figure, *, label: str, salt: str) -> Markup:
    """Return a figure as an SVG element in the page's colours, without any address in it."""
    sink = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": salt}):
        figure.savefig(sink, format="svg", transparent=True, metadata={"Date": None})
    text = sink.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<(metadata|style)\b.*?</\1>|<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r'\s(xmlns(:\w+)?|version)="[^"]*"', "", text)
    # HTML wants identifiers only once a page: those that nothing refers to go.
    text = re.sub(r'\sid="([^"]*)"', lambda found: found[0] if f"#{found[1]}" in text else "", text)
    for stand_in, colour in _COLOURS.items():
        text = text.replace(stand_in, colour)
    text = re.sub(r"font-family: [^;]*; ", "", text)
    opening = f'<svg role="img" aria-label="{escape(label)}"'
    return Markup(re.sub(r'^<svg(\s(width|height)="[^"]*")*', opening, text))  # noqa: S704


def thumbnail(path: Path, key: ImageKey) -> str:
    """Return an image file, made small, as a data URI; never raises for what the file is.

    It is shown as the backbone got it: not turned by its EXIF orientation, without its alpha
    channel. A file that is gone, unreadable, or no longer has the bytes of `key` becomes a grey
    picture that says so.
    """
    try:
        content = path.read_bytes() if path.is_file() else None
    except OSError:
        return placeholder("cannot be read")
    if content is None:
        return placeholder("file is gone")
    if ImageKey.of(content) != key:
        return placeholder("file has changed")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow, on large images and odd metadata
            return _small(content)
    except Image.DecompressionBombError:
        return placeholder("too large to show")
    except _UNREADABLE:
        return placeholder("cannot be read")


@cache
def placeholder(words: str) -> str:
    """Return a grey square with a few words on it, as a data URI."""
    return _data_uri(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 200" width="200" height="200">'
        '<rect width="200" height="200" fill="#6f7780"/><text x="100" y="106" fill="#fff" '
        'font-family="sans-serif" font-size="17" text-anchor="middle">'
        f"{escape(words)}</text></svg>".encode(),
        "svg+xml",
    )


def _small(content: bytes) -> str:
    with Image.open(io.BytesIO(content)) as opened:
        opened.draft(None, (2 * LONGEST_SIDE, 2 * LONGEST_SIDE))  # JPEG: decode less
        image = _as_rgb(opened)
    sink = io.BytesIO()
    times = LONGEST_SIDE // max(image.size)
    if times > 1:
        size = (image.width * times, image.height * times)
        image.resize(size, Image.Resampling.NEAREST).save(sink, "PNG", optimize=True)
        return _data_uri(sink.getvalue(), "png")
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    image.save(sink, "JPEG", quality=_QUALITY, optimize=True)
    return _data_uri(sink.getvalue(), "jpeg")


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits a pixel: the upper 8, as TensorFlow's decoder
        image = Image.fromarray((np.asarray(image).astype(np.int64) >> 8).astype(np.uint8))
    if image.mode in {"P", "PA", "LA"}:  # by RGBA: a transparent palette entry keeps its colour
        image = image.convert("RGBA")
    return image.convert("RGB")


def _data_uri(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
