"""Probabilities of predicted images; the sets and intervals that hold what is true."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tasks.errors import InputError
from tasks.evaluation.calibrated import Calibrated
from tasks.evaluation.calibrated_targets import AnyCalibrated, CalibratedLabels, CalibratedNumber
from tasks.evaluation.costs import Costs
from tasks.evaluation.number_intervals import IntervalRule, interval_rule
from tasks.evaluation.prediction_sets import SetRule, set_rule
from tasks.evaluation.set_names import CoverageBy, SetKind
from tasks.inference.predict import Prediction

Rule = SetRule | IntervalRule


def coverage_rule(
    found: AnyCalibrated,
    classes: tuple[str, ...],
    coverage: float,
    *,
    kind: SetKind,
    by: CoverageBy | None = None,
) -> Rule:
    """Return the rule of sets of classes, or of the intervals of a number, by held-out images.

    Raises InputError where it cannot be had.
    """
    asked = f"--coverage {coverage:g}"
    if isinstance(found, CalibratedLabels):
        raise InputError(
            f"{asked}: the model predicts several labels, and a coverage is of classes or of a "
            "number; leave it out: each label has a probability"
        )
    if isinstance(found, CalibratedNumber):
        if found.why_not:
            raise InputError(f"{asked}: no held-out images to find intervals by: {found.why_not}")
        return interval_rule(found.residuals, coverage, by=by)
    if not len(found.held_out.labels):
        raise InputError(
            f"{asked}: no held-out images to calibrate by: {found.calibration.why_not}"
        )
    return set_rule(found.held_out, classes, coverage, kind=kind, by=by)


def with_probabilities(
    predictions: Sequence[Prediction],
    found: AnyCalibrated,
    *,
    classes: Sequence[str],
    rule: Rule | None = None,
    costs: Costs | None = None,
) -> list[Prediction]:
    """Return predictions with a probability of each class or label; with a rule, with more.

    That is the set of an image's classes, or the interval of its number. With costs the predicted
    class is the one with the least expected cost.
    """
    usable = [one for one in predictions if one.scores]
    if not usable:
        return list(predictions)
    scores = np.array([one.scores for one in usable], np.float64)
    if isinstance(found, CalibratedNumber):
        told = iter(_numbers(usable, scores, rule))
    else:
        shares = found.calibration.probabilities(scores)
        told = iter(_named(usable, shares, classes, rule))
        if isinstance(found, Calibrated):
            told = iter(_decided(list(told), shares, classes, costs))
    return [next(told) if one.scores else one for one in predictions]


def _named(
    usable: Sequence[Prediction],
    found: NDArray[np.float64],
    classes: Sequence[str],
    rule: Rule | None,
) -> list[Prediction]:
    sets = rule.sets(found) if isinstance(rule, SetRule) else None
    done = []
    for n, one in enumerate(usable):
        named = None
        if sets is not None:  # the most probable first
            order = np.argsort(-found[n], kind="stable")
            named = tuple(classes[k] for k in order.tolist() if sets[n, k])
        done.append(replace(one, probabilities=tuple(found[n].tolist()), set=named))
    return done


def _decided(
    usable: Sequence[Prediction],
    found: NDArray[np.float64],
    classes: Sequence[str],
    costs: Costs | None,
) -> list[Prediction]:
    """Return predictions of classes with the probability of the predicted class."""
    chosen = costs.decide(found) if costs else found.argmax(axis=1)
    shares = found[np.arange(len(found)), chosen].tolist()
    if costs is None:
        return [replace(one, probability=own) for one, own in zip(usable, shares, strict=True)]
    return [
        replace(one, predicted=classes[k], probability=own)
        for one, k, own in zip(usable, chosen.tolist(), shares, strict=True)
    ]


def _numbers(
    usable: Sequence[Prediction], scores: NDArray[np.float64], rule: Rule | None
) -> list[Prediction]:
    if not isinstance(rule, IntervalRule):
        return list(usable)
    low, high = rule.intervals(scores[:, 0])
    ends = zip(low.tolist(), high.tolist(), strict=True)
    return [replace(one, interval=both) for one, both in zip(usable, ends, strict=True)]


def not_calibrated(found: AnyCalibrated) -> str:
    """Return why probabilities are the head's own; '' where they are not, or there are none."""
    return "" if isinstance(found, CalibratedNumber) else found.calibration.why_not
