"""Linear classifiers of several labels: for each label one of scikit-learn's, against the rest."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stores.targets import Target
from tasks.execution.cancellation import stop_if_requested
from tasks.heads import Candidate, Failed, Kind, Outcome, TrainedHead
from tasks.heads.examples import Examples
from tasks.heads.linear_head import TrainedLinear, load_linear

Values = NDArray[Any]
# Returns a classifier with `coef_`, for a specification, a seed and a number of train images.
Classifier = Callable[[Any, int, int], Any]


def one_vs_rest(kind: Kind, classifier: Classifier) -> Kind:
    """Return a kind of classes that learns several labels too, as a linear head."""

    def train(candidates: Sequence[Candidate[Any]], examples: Examples) -> Sequence[Outcome]:
        if examples.target != "labels":
            return kind.train(candidates, examples)
        sigmoid = kind.scores == "probability"
        return [_fit(candidate, examples, classifier, sigmoid=sigmoid) for candidate in candidates]

    def load(folder: Path, outputs: int, target: Target = "classes") -> TrainedHead:
        if target != "labels":
            return kind.load(folder, outputs, target)
        return load_linear(folder, outputs, target, sigmoid=kind.scores == "probability")

    return replace(kind, train=train, load=load, targets=("classes", "labels"))


def _fit(
    candidate: Candidate[Any], examples: Examples, classifier: Classifier, *, sigmoid: bool
) -> Outcome:
    train = examples.folds[candidate.fold].train
    features, labels = examples.features(train), examples.labels[train]
    positive = labels.sum(axis=0)
    learned = np.flatnonzero((positive > 0) & (positive < len(labels)))
    if not len(learned):
        return Failed("each label is on all of the train examples or on none; add images")
    mean, scale = np.zeros(features.shape[1]), np.ones(features.shape[1])
    if candidate.head.standardize:
        from sklearn.preprocessing import StandardScaler

        scaler = StandardScaler()
        features = scaler.fit_transform(features)
        mean, scale = scaler.mean_, scaler.scale_
    kernel, bias = np.zeros((len(mean), len(positive))), _constant(positive, len(labels), sigmoid)
    for label in learned:
        stop_if_requested()
        fitted = classifier(candidate.head, candidate.seed, len(labels))
        fitted.fit(features, labels[:, label])
        kernel[:, label] = fitted.coef_[0] / scale
        bias[label] = fitted.intercept_[0] - mean @ kernel[:, label]
    return TrainedLinear(kernel.astype(np.float32), bias.astype(np.float32), sigmoid)


def _constant(positive: Values, count: int, sigmoid: bool) -> Values:  # noqa: FBT001
    """Return the score of a label that is on all train examples or on none, (labels,).

    A margin is 1 or -1. A probability is Perks's, as in `vote_smoothing`, here as a logit: it is
    never 0 or 1.
    """
    if not sigmoid:
        return np.where(positive > 0, 1.0, -1.0)
    return np.log((positive + 0.5) / (count - positive + 0.5))
