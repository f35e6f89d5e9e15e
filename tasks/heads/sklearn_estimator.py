"""Any head as a scikit-learn classifier, for people's own pipelines and searches."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import train_test_split
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, unique_labels
from sklearn.utils.validation import check_is_fitted, validate_data

from tasks.datasets.folds import Fold
from tasks.errors import InputError, unknown
from tasks.heads import Candidate, Failed, Head, find_kind
from tasks.heads.examples import Examples, MemoryStream
from tasks.heads.logistic import LogisticHead
from tasks.heads.presets import settings_of


def _says(scores: str) -> Callable[["HeadClassifier"], bool]:
    return lambda estimator: find_kind(estimator._specification.kind).scores == scores  # noqa: SLF001


class HeadClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn's
    """A classifier over the specification of a head.

    `HeadClassifier(DenseHead(learning_rate=1e-3), seed=1)`; a search varies the settings as
    `head__learning_rate`. Features are (n, numbers) of finite floats, labels anything that can be
    sorted. Without a head it is a LogisticHead.
    """

    def __init__(
        self, head: Head | None = None, *, seed: int = 0, validation_fraction: float = 0.1
    ) -> None:
        self.head = head
        self.seed = seed
        # Set aside, stratified, where there is a patience: what it looks at is not learned from.
        self.validation_fraction = validation_fraction

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: FBT001, FBT002  as theirs
        """Return all parameters, and with `deep` the head's settings too."""
        own: dict[str, Any] = super().get_params(deep=False)
        kind = getattr(self.head, "kind", None)  # scikit-learn's checks set anything
        settings = settings_of(kind) if deep and kind else []
        return own | {f"head__{name}": getattr(self.head, name) for name in settings}

    def set_params(self, **parameters: Any) -> Self:  # noqa: ANN401  scikit-learn's signature
        """Set parameters, and settings of the head; raises InputError for what there is not."""
        settings = {name: v for name, v in parameters.items() if name.startswith("head__")}
        super().set_params(**{n: v for n, v in parameters.items() if n not in settings})
        if settings:
            head = self._specification
            plain = {name.removeprefix("head__"): value for name, value in settings.items()}
            for name in plain.keys() - set(settings_of(head.kind)):
                raise unknown("setting", name, settings_of(head.kind))
            self.head = replace(head, **plain)  # type: ignore[type-var]  # all are dataclasses
        return self

    def fit(self, X: NDArray[Any], y: NDArray[Any]) -> Self:  # noqa: N803  scikit-learn's names
        """Train the head; raises ValueError where the examples cannot train it."""
        features, labels = validate_data(self, X, y, dtype=np.float32)
        check_classification_targets(labels)
        self.classes_ = unique_labels(labels)
        if len(self.classes_) < 2:
            raise InputError(f"HeadClassifier needs 2 classes, received 1 class: {self.classes_}")
        numbers, head = np.searchsorted(self.classes_, labels), self._specification
        fold = self._fold(numbers, stops=getattr(head, "patience", None) is not None)
        examples = Examples(MemoryStream(features), numbers, len(self.classes_), [fold])
        (outcome,) = find_kind(head.kind).train([Candidate(head, self.seed)], examples)
        if isinstance(outcome, Failed):
            raise InputError(outcome.reason)
        self.head_ = outcome
        return self

    def predict(self, X: NDArray[Any]) -> NDArray[Any]:  # noqa: N803
        """Return the class of each row."""
        said = self._scores(X).argmax(axis=1)
        return np.asarray(self.classes_[said])

    @available_if(_says("probability"))  # type: ignore[untyped-decorator]
    def predict_proba(self, X: NDArray[Any]) -> NDArray[np.float64]:  # noqa: N803
        """Return the probability of each class, (n, classes)."""
        return self._scores(X)

    @available_if(_says("margin"))  # type: ignore[untyped-decorator]
    def decision_function(self, X: NDArray[Any]) -> NDArray[np.float64]:  # noqa: N803
        """Return the margin of the second of two classes, (n,), or of each class, (n, classes)."""
        scores = self._scores(X)
        return scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores

    @property
    def _specification(self) -> Head:
        return self.head or LogisticHead()

    def _scores(self, features: NDArray[Any]) -> NDArray[np.float64]:
        check_is_fitted(self)
        rows = validate_data(self, features, dtype=np.float32, reset=False)
        return self.head_.scores(rows)

    def _fold(self, labels: NDArray[np.int64], *, stops: bool) -> Fold:
        everything, stopping = np.ones(len(labels), np.bool_), np.zeros(len(labels), np.bool_)
        if stops:
            _, held_out = train_test_split(
                np.arange(len(labels)),
                test_size=self.validation_fraction,
                stratify=labels,
                random_state=self.seed,
            )
            stopping[held_out] = True
        return Fold(everything, ~everything, stopping if stops else None)
