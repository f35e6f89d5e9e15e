"""The report's charts: inline SVG in the page's own colours."""

import base64
import io
import re
from collections.abc import Sequence
from html import escape
from textwrap import shorten
from typing import Any

import matplotlib as mpl
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator, PercentFormatter

from stores.printable import visible
from stores.targets import MAIN_FIGURE
from stores.targets import Figure as Measured
from tasks.evaluation.metrics import Bin
from tasks.finetune.specification import FINE_TUNED
from tasks.images.figures import default_settings

# Stand-ins that matplotlib accepts; the page's own colours, light or dark, take their place.
INK, LINE, TRAIN, VALIDATION = "#010101", "#020202", "#030303", "#040404"
_COLOURS = {
    INK: "currentColor",
    LINE: "var(--line)",
    TRAIN: "var(--muted)",
    VALIDATION: "var(--accent)",
}
_QUANTITIES = {
    "accuracy": "Accuracy",
    "binary_accuracy": "Accuracy over all labels",
    "mean_absolute_error": "Mean absolute error",
    "loss": "Loss",
}
_SHARES = {"accuracy", "binary_accuracy"}


def learning_curves(history: pa.Table, *, salt: str) -> list[Markup]:
    """Return one SVG each for accuracy and loss over the epochs, train beside validation.

    `history` has one row an epoch and the columns epoch, accuracy, val_accuracy, loss, val_loss; of
    labels binary_accuracy, of a number mean_absolute_error. A missing quantity has no picture.
    Where there is a column fine_tuned, a line stands before the epochs in which that is 1. `salt`
    keeps the identifiers inside the SVG apart from those of the page's other pictures.
    """
    return [
        _curve(history, quantity, title=title, salt=f"{salt}-{quantity}")
        for quantity, title in _QUANTITIES.items()
        if {quantity, f"val_{quantity}"} & set(history.column_names)
    ]


@default_settings()
def _curve(history: pa.Table, quantity: str, *, title: str, salt: str) -> Markup:
    figure, axes = figure_of(title, xlabel="epoch")
    if tuned := _fine_tuned(history):
        start, rises = len(history) - tuned + 0.5, quantity in _SHARES
        before = tuned < len(history) / 2  # on the side where there is more room
        axes.axvline(start, color=LINE, lw=1.2)
        # Curves of a loss leave the upper end free, those of an accuracy the lower one.
        axes.annotate(
            "fine-tuning",
            (start, 0.02 if rises else 0.98),
            xycoords=axes.get_xaxis_transform(),
            xytext=(-4 if before else 4, 0),
            textcoords="offset points",
            ha="right" if before else "left",
            va="bottom" if rises else "top",
            fontsize=9,
            color=INK,
        )
    for column, name, colour, style in (
        (quantity, "train", TRAIN, (0, (4, 2))),
        (f"val_{quantity}", "validation", VALIDATION, "solid"),
    ):
        if column in history.column_names:
            # An epoch need not have each metric: Keras can validate every nth only.
            rows = history.filter(pc.is_finite(history[column].cast(pa.float64())))
            marker = "o" if len(rows) <= 20 else None
            points = (rows["epoch"].to_pylist(), rows[column].to_pylist())
            axes.plot(*points, color=colour, ls=style, lw=1.6, marker=marker, ms=3, label=name)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
    if quantity in _SHARES:
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.legend(frameon=False, labelcolor=INK, fontsize=9)
    label = f"{title} of train and validation over {len(history)} epochs"
    label += f", the last {tuned} of them fine-tuning" if tuned else ""
    return inline(figure, label=label, salt=salt)


def _fine_tuned(history: pa.Table) -> int:
    marks = history[FINE_TUNED].to_pylist() if FINE_TUNED in history.column_names else []
    return marks.count(1)


@default_settings()
def all_curves(histories: Sequence[pa.Table], *, chosen: int, salt: str) -> Markup:
    """Return one SVG of the loss of all heads over the epochs, that of the chosen one in front.

    On validation; for heads that were trained without one, on train.
    """
    figure, axes = figure_of("Loss of all heads", xlabel="epoch")
    for number in sorted(range(len(histories)), key=lambda number: number == chosen):
        history, mine = histories[number], number == chosen
        column = "val_loss" if "val_loss" in history.column_names else "loss"
        rows = history.filter(pc.is_finite(history[column].cast(pa.float64())))
        colour, width = (VALIDATION, 2.0) if mine else (TRAIN, 0.7)
        points = (rows["epoch"].to_pylist(), rows[column].to_pylist())
        axes.plot(*points, color=colour, lw=width, alpha=1.0 if mine else 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_locator(NullLocator())
    return inline(figure, label=f"Loss of {len(histories)} heads over the epochs", salt=salt)


@default_settings()
def swept(
    name: str,
    values: Sequence[Any],
    found: Sequence[float],
    *,
    salt: str,
    measured: Measured = MAIN_FIGURE["classes"],
) -> Markup:
    """Return one SVG of a figure against the values of a parameter, with the best of each value.

    Numbers stand on a scale, on a logarithmic one where they span much; anything else side by side.
    """
    figure, axes = figure_of(name, xlabel="")
    order: Sequence[float]
    if all(isinstance(value, int | float) and value is not True for value in values):
        at, style = [float(value) for value in values], "-"
        order = sorted(set(at))
        shown = order if len(order) <= 6 else [order[0], order[-1]]
        if order[0] > 0 and order[-1] / order[0] >= 20:
            axes.set_xscale("log")
        axes.set_xticks([], minor=True)
        axes.set_xticks(shown, [f"{value:g}" for value in shown])
    else:
        names = sorted({visible(str(value)) for value in values})
        at, style, order = (
            [float(names.index(visible(str(v)))) for v in values],
            "",
            range(len(names)),
        )
        axes.set_xticks(order, [shorten(name, 18, placeholder="…") for name in names], rotation=20)
        axes.margins(x=0.15)
    pick = max if measured.best == "highest" else min
    best = [pick(a for a, x in zip(found, at, strict=True) if x == p) for p in order]
    axes.plot(at, found, ls="", marker="o", ms=4, color=TRAIN, alpha=0.5)
    axes.plot(list(order), best, ls=style, marker="o", ms=5, lw=1.6, color=VALIDATION)
    if measured.name == "accuracy":
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    label = f"{measured.words.capitalize()} of {len(values)} heads against {name}"
    return inline(figure, label=label, salt=salt)


@default_settings()
def reliability_curve(bins: Sequence[Bin], *, title: str, salt: str) -> Markup:
    """Return one SVG of accuracy against confidence; a calibrated head lies on the diagonal."""
    figure, axes = figure_of(title, xlabel="confidence")
    low = min(0.5, *(part.confidence for part in bins), *(part.accuracy for part in bins))
    axes.plot([low, 1], [low, 1], color=LINE, lw=1.2)
    most = max(part.images for part in bins)
    for part in bins:
        size = 3 + 9 * float(np.sqrt(part.images / most))
        axes.plot(part.confidence, part.accuracy, marker="o", ms=size, color=VALIDATION, alpha=0.8)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0))
    return inline(figure, label=f"Accuracy against confidence, {title}", salt=salt)


def class_colours(count: int) -> list[str]:
    """Return one colour a class, as different as possible.

    matplotlib's qualitative palettes for up to 20, hues beyond.
    """
    if count <= 20:
        palette = mpl.colormaps["tab10" if count <= 10 else "tab20"]
        return [to_hex(palette(number)) for number in range(count)]
    return [to_hex(mpl.colormaps["hsv"](number / count)) for number in range(count)]


def as_image(picture: Markup) -> str:
    """Return a picture on white as a data URL, for another page."""
    colours = {"currentColor": "#1f2328", "var(--line)": "#d0d7de"}
    colours |= {"var(--muted)": "#656d76", "var(--accent)": "#0969da"}
    text = str(picture).replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)
    text = text.replace('xmlns="', 'xmlns:xlink="http://www.w3.org/1999/xlink" xmlns="', 1)
    text = text.replace("<svg ", '<svg style="background:#fff;font-family:sans-serif" ', 1)
    for name, colour in colours.items():
        text = text.replace(name, colour)
    return f"data:image/svg+xml;base64,{base64.b64encode(text.encode()).decode()}"


def figure_of(title: str, *, xlabel: str) -> tuple[Figure, Axes]:
    """Return an empty figure of the page, and its axes."""
    figure = Figure(figsize=(4.4, 2.7))
    axes = figure.add_axes((0.14, 0.17, 0.84, 0.72))  # fixed: the pictures of a page line up
    axes.set_title(visible(title), loc="left", fontsize=11, color=INK)
    axes.set_xlabel(xlabel, color=INK)
    axes.grid(visible=True, axis="y", color=LINE, lw=0.8)
    axes.tick_params(colors=INK, length=0)
    axes.spines[:].set_visible(False)
    axes.spines["bottom"].set(visible=True, color=LINE)
    return figure, axes


def inline(figure: Figure, *, label: str, salt: str) -> Markup:
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
    opening = f'<svg role="img" aria-label="{escape(visible(label))}"'
    text = re.sub(r'^<svg(\s(width|height)="[^"]*")*', lambda _: opening, text)
    return Markup(text)  # noqa: S704
