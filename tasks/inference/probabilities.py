"""Probabilities of predicted images, and the sets of classes that hold the true one."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tasks.evaluation.calibration import Calibration
from tasks.evaluation.prediction_sets import SetRule
from tasks.inference.predict import Prediction


def with_probabilities(
    predictions: Sequence[Prediction],
    calibration: Calibration,
    *,
    classes: Sequence[str],
    rule: SetRule | None = None,
) -> list[Prediction]:
    """Return predictions with a probability of each class; with a rule, with their sets too."""
    usable = [one for one in predictions if one.scores]
    if not usable:
        return list(predictions)
    found = calibration.probabilities(np.array([one.scores for one in usable], np.float64))
    sets = None if rule is None else rule.sets(found)
    told = iter(range(len(usable)))
    done = []
    for one in predictions:
        if not one.scores:
            done.append(one)
            continue
        n = next(told)
        named = None
        if sets is not None:  # the most probable first
            order = np.argsort(-found[n], kind="stable")
            named = tuple(classes[k] for k in order.tolist() if sets[n, k])
        done.append(replace(one, probabilities=tuple(found[n].tolist()), set=named))
    return done
