"""The majority-class baseline beside a head: whether the head is better than one fixed answer."""

from dataclasses import dataclass
from typing import Literal

from stores.manifest import Manifest
from stores.runs.record import Run
from tasks.datasets.splits import majority_baseline
from tasks.evaluation.comparison import Estimate
from tasks.evaluation.split_result import SplitResult

_EVEN = 1.2  # of its share: a class that has no more is as large as the others
Verdict = Literal["better", "not better", "worse"]


@dataclass(frozen=True)
class Baseline:
    """The accuracy of always answering the majority class of train, on a head's images."""

    name: str
    accuracy: float


def baseline_of(result: SplitResult, manifest: Manifest) -> Baseline | None:
    """Return the baseline on the images of a result; None where it has none."""
    name, _ = majority_baseline(manifest.counts())
    accuracy = result.baseline(name)
    return None if accuracy is None else Baseline(name, accuracy)


def verdict(estimate: Estimate, baseline: Baseline) -> Verdict:
    """Return whether a head is better: not where the interval of its accuracy has the baseline."""
    if estimate.low > baseline.accuracy:
        return "better"
    return "worse" if estimate.high < baseline.accuracy else "not better"


def baseline_in_words(estimate: Estimate, baseline: Baseline, run: Run) -> str:
    """Return that a head is not better than the baseline, and what to try; '' where it is."""
    found = verdict(estimate, baseline)
    if found == "better":
        return ""
    where = "in the interval" if found == "not better" else "above the interval"
    return (
        f"{found} than always answering {baseline.name!r} (majority-class baseline "
        f"{baseline.accuracy:.4f}, {where}): {remedy(run, baseline.accuracy)}"
    )


def remedy(run: Run, baseline: float) -> str:
    """Return what to try where a head is no better than the baseline, an accuracy.

    Class weights change little where no class has much more than its share of the images.
    """
    even = baseline <= _EVEN / len(run.classes)
    if even or run.head.get("class_weights") == "balanced":
        return "more images, or another head, would be needed"
    return "try --class-weights balanced"
