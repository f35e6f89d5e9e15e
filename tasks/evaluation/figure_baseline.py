"""What a head for several labels or a number has to beat: an answer without the image."""

from dataclasses import dataclass

import pyarrow as pa

from stores.manifest import Manifest, Split
from stores.runs.record import Run
from stores.targets import MAIN_FIGURE
from tasks.evaluation.figure_estimates import FigureEstimate
from tasks.evaluation.held_out_scores import scored
from tasks.evaluation.label_result import chance
from tasks.evaluation.majority_baseline import Verdict
from tasks.evaluation.number_result import number_result, one_answer
from tasks.evaluation.selection import plain_figure


@dataclass(frozen=True)
class FigureBaseline:
    """The main figure of answers that do not depend on the image, on a head's images."""

    answer: str
    figure: str
    value: float


def figure_baseline(
    predictions: pa.Table, run: Run, manifest: Manifest, split: Split
) -> FigureBaseline | None:
    """Return the baseline on the images of a split that a run predicted; None where it has none.

    For labels that is the mean average precision of scores by chance, for a number the mean
    absolute error of the median of train.
    """
    name = MAIN_FIGURE[run.target].name
    if run.target == "labels":
        found = scored(predictions, split=split, outputs=len(run.classes), folds=run.folds)
        value = chance(found.truth)
        return None if value is None else FigureBaseline("scores by chance", name, value)
    answer = one_answer(number_result(predictions, run, split), manifest)
    if answer is None:
        return None
    words = f"always answering the median of train, {answer.median:g}"
    return FigureBaseline(words, name, answer.mean_absolute_error)


def figure_verdict(estimate: FigureEstimate, baseline: FigureBaseline) -> Verdict | None:
    """Return whether a head is better: not where its interval has the baseline; None without."""
    if estimate.low is None or estimate.high is None:
        return None
    low, high = estimate.low, estimate.high
    if low <= baseline.value <= high:
        return "not better"
    lowest_is_best = estimate.figure == MAIN_FIGURE["number"].name
    return "better" if (high < baseline.value) == lowest_is_best else "worse"


def figure_baseline_in_words(estimate: FigureEstimate, baseline: FigureBaseline) -> str:
    """Return that a head is not better than the baseline, and what to try; '' where it is."""
    found = figure_verdict(estimate, baseline)
    if found in {"better", None}:
        return ""
    beyond = "below" if estimate.figure == MAIN_FIGURE["number"].name else "above"
    where = "in the interval" if found == "not better" else f"{beyond} the interval"
    return (
        f"{found} than {baseline.answer} ({baseline.figure.replace('_', ' ')} "
        f"{plain_figure(baseline.value)}, {where}): more images, or another head, would be needed"
    )
