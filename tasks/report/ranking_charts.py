"""ROC and precision-recall curves of the report: each class against the rest."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from markupsafe import Markup
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from stores.printable import visible
from tasks.evaluation.split_result import SplitResult
from tasks.images.figures import default_settings
from tasks.report.charts import INK, class_colours, figure_of, inline

MOST_CURVES = 10  # classes with a curve each; of more, those of the lowest area
_MOST_POINTS = 200  # of a curve: as many as its picture shows


def ranking_curves(result: SplitResult) -> list[Markup]:
    """Return an SVG of the ROC curves and one of the precision-recall curves.

    By the probability of a class, each against the rest; classes without an image, or with all of
    them, have none. Without any there is no picture. Of two classes, only the second has a curve:
    that of the first is its mirror image.
    """
    from sklearn.metrics import average_precision_score, roc_auc_score

    numbers = range(1, 2) if len(result.classes) == 2 else range(len(result.classes))
    own = {n: result.true == n for n in numbers}
    some = [n for n, mine in own.items() if mine.any() and not mine.all()]
    if not some:
        return []
    pictures = []
    for title, score, points in (
        ("ROC: true against false positives", roc_auc_score, _roc),
        ("Precision against recall", average_precision_score, _precision_recall),
    ):
        areas = {n: float(score(own[n], result.scores[:, n])) for n in some}
        shown = sorted(areas, key=lambda n: areas[n])[:MOST_CURVES]
        curves = [
            (f"{areas[n]:.3f} {visible(result.classes[n])}", n, points(own[n], result.scores[:, n]))
            for n in shown
        ]
        pictures.append(_picture(title, curves, len(result.classes), points is _roc))
    return pictures


Curve = tuple[NDArray[np.float64], NDArray[np.float64]]


def _roc(mine: NDArray[np.bool_], scores: NDArray[np.float64]) -> Curve:
    from sklearn.metrics import roc_curve

    wrong, right, _ = roc_curve(mine, scores)
    return wrong, right


def _precision_recall(mine: NDArray[np.bool_], scores: NDArray[np.float64]) -> Curve:
    from sklearn.metrics import precision_recall_curve

    precision, recall, _ = precision_recall_curve(mine, scores)
    return recall, precision


@default_settings()
def _picture(
    title: str,
    curves: Sequence[tuple[str, int, Curve]],
    classes: int,
    is_roc: bool,  # noqa: FBT001
) -> Markup:
    figure, axes = figure_of(title, xlabel="false positives" if is_roc else "recall")
    colours = class_colours(classes)
    for name, number, (across, up) in curves:
        step = max(1, len(across) // _MOST_POINTS)
        places = np.append(np.arange(0, len(across) - 1, step), len(across) - 1)
        axes.plot(across[places], up[places], lw=1.4, color=colours[number], label=name)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0))
    axes.set_xlim(-0.02, 1.06)  # the last tick's name has room
    axes.set_ylim(-0.02, 1.02)
    place: Literal["lower right", "lower left"] = "lower right" if is_roc else "lower left"
    axes.legend(frameon=False, fontsize=8, labelcolor=INK, loc=place)
    label = f"{title}, {len(curves)} of {classes} classes"
    return inline(figure, label=label, salt="roc" if is_roc else "precision-recall")
