"""ROC and precision-recall curves of the report: each class against the rest."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from markupsafe import Markup
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from stores.printable import visible
from tasks.evaluation.label_result import LabelsResult
from tasks.evaluation.split_result import SplitResult
from tasks.images.figures import default_settings
from tasks.report.charts import INK, class_colours, figure_of, inline

MOST_CURVES = 10  # classes with a curve each; of more, those of the lowest area
_MOST_POINTS = 200  # of a curve: as many as its picture shows


def ranking_curves(result: SplitResult) -> list[Markup]:
    """Return an SVG of the ROC curves and one of the precision-recall curves.

    By the probability of a class, each against the rest. Of two classes, only the second has a
    curve: that of the first is its mirror image.
    """
    numbers = range(1, 2) if len(result.classes) == 2 else range(len(result.classes))
    return _curves({n: result.true == n for n in numbers}, result.scores, result.classes)


def label_curves(result: LabelsResult) -> list[Markup]:
    """Return the same two pictures by the score of each label."""
    own = {n: result.images.truth[:, n] == 1 for n in range(len(result.labels))}
    return _curves(own, np.nan_to_num(result.images.scores), result.labels)


def _curves(
    own: Mapping[int, NDArray[np.bool_]], scores: NDArray[np.float64], names: Sequence[str]
) -> list[Markup]:
    """Return the pictures of what is each one's own; what has no image, or all, has no curve."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    some = [n for n, mine in own.items() if mine.any() and not mine.all()]
    if not some:
        return []
    pictures = []
    for title, score, points in (
        ("ROC: true against false positives", roc_auc_score, _roc),
        ("Precision against recall", average_precision_score, _precision_recall),
    ):
        areas = {n: float(score(own[n], scores[:, n])) for n in some}
        shown = sorted(areas, key=lambda n: areas[n])[:MOST_CURVES]
        curves = [
            (f"{areas[n]:.3f} {visible(names[n])}", n, points(own[n], scores[:, n])) for n in shown
        ]
        pictures.append(_picture(title, curves, len(names), points is _roc))
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
