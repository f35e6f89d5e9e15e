"""The report's charts of a number: predicted against true, errors, the numbers of splits."""

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from stores.manifest import Manifest
from tasks.evaluation.number_result import NumberResult
from tasks.images.figures import default_settings
from tasks.report.charts import INK, LINE, TRAIN, VALIDATION, figure_of, inline

_BINS = 24
_MOST_POINTS = 2000  # of the scatter; of more images, some by chance


@default_settings()
def scatter(result: NumberResult, half_width: float | None) -> Markup:
    """Return one SVG of predicted against true numbers, with an interval around the diagonal."""
    figure, axes = figure_of("Predicted against true", xlabel=f"true {result.name}")
    some = np.linspace(0, len(result.true) - 1, min(_MOST_POINTS, len(result.true))).astype(int)
    true, predicted = result.true[some], result.predicted[some]
    ends = np.array([min(true.min(), predicted.min()), max(true.max(), predicted.max())])
    axes.plot(ends, ends, color=LINE, lw=1.2)
    if half_width is not None:
        for away in (-half_width, half_width):
            axes.plot(ends, ends + away, color=LINE, lw=1.0, ls=(0, (4, 2)))
    axes.plot(true, predicted, ls="", marker="o", ms=3.5, color=VALIDATION, alpha=0.6)
    label = f"Predicted against true {result.name} of {len(result.true)} images"
    return inline(figure, label=label, salt="scatter")


@default_settings()
def error_histogram(result: NumberResult) -> Markup:
    """Return one SVG of how many images have which error, predicted less true."""
    figure, axes = figure_of("Errors: predicted less true", xlabel=result.name)
    axes.set_axisbelow(True)
    axes.hist(result.errors, bins=_BINS, color=VALIDATION, alpha=0.7)
    axes.axvline(0, color=LINE, lw=1.2)
    label = f"Histogram of the errors of {len(result.true)} images"
    return inline(figure, label=label, salt="errors")


@default_settings()
def number_histogram(manifest: Manifest) -> Markup:
    """Return one SVG of the shares of images by their number, train beside the other splits."""
    figure, axes = figure_of("Share of images", xlabel=manifest.classes[0])
    parts = {split: _numbers(manifest, split) for split in ("train", "validation", "test")}
    every = np.concatenate(list(parts.values()))
    edges = np.histogram_bin_edges(every, bins=_BINS) if len(every) else np.arange(2.0)
    styles = {"train": (TRAIN, "solid"), "validation": (VALIDATION, "solid")}
    styles["test"] = (VALIDATION, "dashed")
    for split, numbers in parts.items():
        if len(numbers):
            colour, style = styles[split]
            shares = np.histogram(numbers, edges)[0] / len(numbers)
            axes.stairs(shares, edges, color=colour, ls=style, lw=1.5, label=split)
    axes.legend(frameon=False, labelcolor=INK, fontsize=9)
    return inline(figure, label=f"Images of each split by {manifest.classes[0]}", salt="numbers")


def _numbers(manifest: Manifest, split: str) -> NDArray[np.float64]:
    return np.asarray(manifest.select(split).labels, np.float64)  # type: ignore[arg-type]  # a split
