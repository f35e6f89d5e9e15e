"""Logistic regression and linear support vector machines, by scikit-learn."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import skops.io
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from stores.errors import CorruptStore
from tasks.heads import Examples
from tasks.heads.choices import Head, LinearHead

MAX_ITERATIONS = 5000


class TrainedLinear:
    """A scikit-learn pipeline: standardise, then classify."""

    history: Sequence[dict[str, float]] = ()

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline

    def scores(self, features: NDArray[Any]) -> NDArray[np.float64]:
        """Return probabilities (logistic) or margins (svm), (n, classes)."""
        flat = _flat(features)
        if hasattr(self.pipeline, "predict_proba"):
            return np.asarray(self.pipeline.predict_proba(flat), np.float64)
        margins = np.asarray(self.pipeline.decision_function(flat), np.float64)
        return np.stack([-margins, margins], axis=1) if margins.ndim == 1 else margins

    def save(self, folder: Path) -> None:
        """Write `head.skops`, which holds no pickle."""
        skops.io.dump(self.pipeline, folder / "head.skops")


class LinearTrainer:
    """Trains logistic and svm heads."""

    def train(
        self, head: Head, train: Examples, validation: Examples, *, classes: int, seed: int
    ) -> TrainedLinear:
        """Train on `train` alone; the scaler too sees nothing else."""
        del validation, classes
        if not isinstance(head, LinearHead):
            raise TypeError(f"expected a linear head, received {head}")
        options = {"C": head.inverse_regularization, "max_iter": MAX_ITERATIONS}
        classifier = (
            LogisticRegression(**options)
            if head.kind == "logistic"
            else LinearSVC(**options, random_state=seed)
        )
        pipeline = make_pipeline(StandardScaler(), classifier)
        return TrainedLinear(pipeline.fit(_flat(train.features), train.labels))

    def load(self, folder: Path) -> TrainedLinear:
        """Read `head.skops`; raises CorruptStore where it holds a type that no head has."""
        path = folder / "head.skops"
        if foreign := skops.io.get_untrusted_types(file=path):
            raise CorruptStore(f"{path}: refused, it holds {', '.join(foreign)}; train again")
        return TrainedLinear(skops.io.load(path))


def _flat(features: NDArray[Any]) -> NDArray[np.float32]:
    return np.asarray(features, np.float32).reshape(len(features), -1)
