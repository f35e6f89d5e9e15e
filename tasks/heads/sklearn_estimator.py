"""Heads as scikit-learn classifiers and regressors, for people's own pipelines and searches.

Each kind of heads has its classes in ESTIMATORS, with the settings of its specification as
parameters: `DenseClassifier(learning_rate=0.01)`, `RidgeRegressor(penalty=10)`.
"""

from collections.abc import Callable
from inspect import Parameter, Signature
from typing import Any, ClassVar, Self, get_type_hints

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.model_selection import train_test_split
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, unique_labels
from sklearn.utils.validation import check_is_fitted, validate_data

from stores.targets import Target
from tasks.datasets.folds import Fold
from tasks.errors import InputError, unknown
from tasks.heads import Candidate, Failed, TrainedHead, class_names, find_kind
from tasks.heads.examples import Examples, MemoryStream
from tasks.heads.presets import make_head, settings_of


class _HeadEstimator(BaseEstimator):  # type: ignore[misc]  # scikit-learn's
    """What the estimators of all heads have in common."""

    kind: ClassVar[str]
    target: ClassVar[Target]
    head_: TrainedHead

    def set_params(self, **parameters: Any) -> Self:  # noqa: ANN401  scikit-learn's signature
        """Set parameters; raises InputError, which names the nearest, for what there is not."""
        known = self._get_param_names()
        for name in parameters.keys() - set(known):
            raise unknown("setting", name, known)
        super().set_params(**parameters)
        return self

    def _train(self, features: NDArray[Any], truths: NDArray[Any], classes: int) -> None:
        settings = {name: getattr(self, name) for name in settings_of(self.kind, self.target)}
        head = make_head(self.kind, settings, classes=classes, target=self.target)
        fold = self._fold(truths, stops=getattr(head, "patience", None) is not None)
        examples = Examples(MemoryStream(features), truths, classes, [fold], self.target)
        candidate = Candidate(head, getattr(self, "seed", 0))
        (outcome,) = find_kind(self.kind).train([candidate], examples)
        if isinstance(outcome, Failed):
            raise InputError(outcome.reason)
        self.head_ = outcome

    def _scores(self, features: NDArray[Any]) -> NDArray[np.float64]:
        check_is_fitted(self)
        rows = validate_data(self, features, dtype=np.float32, reset=False)
        return self.head_.scores(rows)

    def _fold(self, truths: NDArray[Any], *, stops: bool) -> Fold:
        everything, stopping = np.ones(len(truths), np.bool_), np.zeros(len(truths), np.bool_)
        if stops:
            _, held_out = train_test_split(
                np.arange(len(truths)),
                test_size=getattr(self, "validation_fraction"),  # noqa: B009  of such kinds alone
                stratify=truths if self.target == "classes" else None,
                random_state=getattr(self, "seed", 0),
            )
            stopping[held_out] = True
        return Fold(everything, ~everything, stopping if stops else None)


def _scores_are(scores: str) -> Callable[[_HeadEstimator], bool]:
    return lambda estimator: find_kind(estimator.kind).scores == scores


class HeadClassifier(ClassifierMixin, _HeadEstimator):  # type: ignore[misc]  # scikit-learn's
    """A head as a scikit-learn classifier: the base of one class for each kind of heads.

    Features are (n, numbers) of finite floats, labels anything that can be sorted. Settings are
    checked by `fit`, which raises InputError.

    Example:
        >>> isinstance(gargalo.RidgeClassifier(), gargalo.HeadClassifier)
        True
    """

    target = "classes"

    def fit(self, X: NDArray[Any], y: NDArray[Any]) -> Self:  # noqa: N803  scikit-learn's names
        """Train the head; raises ValueError where the examples cannot train it."""
        features, labels = validate_data(self, X, y, dtype=np.float32)
        check_classification_targets(labels)
        self.classes_ = unique_labels(labels)
        if len(self.classes_) < 2:
            raise InputError(
                f"{type(self).__name__} needs 2 classes, received 1 class: {self.classes_}"
            )
        self._train(features, np.searchsorted(self.classes_, labels), len(self.classes_))
        return self

    def predict(self, X: NDArray[Any]) -> NDArray[Any]:  # noqa: N803
        """Return the class of each row."""
        numbers = self._scores(X).argmax(axis=1)
        return np.asarray(self.classes_[numbers])

    @available_if(_scores_are("probability"))  # type: ignore[untyped-decorator]
    def predict_proba(self, X: NDArray[Any]) -> NDArray[np.float64]:  # noqa: N803
        """Return the probability of each class, (n, classes)."""
        return self._scores(X)

    @available_if(_scores_are("margin"))  # type: ignore[untyped-decorator]
    def decision_function(self, X: NDArray[Any]) -> NDArray[np.float64]:  # noqa: N803
        """Return the margin of the second of two classes, (n,), or of each class, (n, classes)."""
        scores = self._scores(X)
        return scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores


class HeadRegressor(RegressorMixin, _HeadEstimator):  # type: ignore[misc]  # scikit-learn's
    """A head as a scikit-learn regressor: the base of one class for each kind that learns a number.

    Features are (n, numbers) of finite floats, the target is (n,). Settings are checked by `fit`,
    which raises InputError.

    Example:
        >>> isinstance(gargalo.RidgeRegressor(), gargalo.HeadRegressor)
        True
    """

    target = "number"

    def fit(self, X: NDArray[Any], y: NDArray[Any]) -> Self:  # noqa: N803  scikit-learn's names
        """Train the head; raises ValueError where the examples cannot train it."""
        features, numbers = validate_data(self, X, y, dtype=np.float32, y_numeric=True)
        self._train(features, np.asarray(numbers, np.float64), 1)
        return self

    def predict(self, X: NDArray[Any]) -> NDArray[np.float64]:  # noqa: N803
        """Return the number of each row, (n,)."""
        return self._scores(X)[:, 0]


def parameters_of(kind: str, target: Target = "classes") -> list[Parameter]:
    """Return the parameters of a kind's class: the kind's settings, and what training needs."""
    about = find_kind(kind)
    hints, head = get_type_hints(about.specification), make_head(kind, {}, classes=2, target=target)
    own = {name: getattr(head, name) for name in settings_of(kind, target)}
    types = {name: hints[name] for name in own}
    if "patience" in own:  # the share set aside, stratified by class, that patience looks at
        own, types = own | {"validation_fraction": 0.1}, types | {"validation_fraction": float}
    if about.random:
        own, types = own | {"seed": 0}, types | {"seed": int}
    return [
        Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=types[name])
        for name, default in own.items()
    ]


def _class_of(name: str, kind: str, target: Target) -> type[_HeadEstimator]:
    """Return the class of a kind; scikit-learn reads its parameters from the signature."""
    parameters = parameters_of(kind, target)
    defaults = {parameter.name: parameter.default for parameter in parameters}

    def initialise(self: _HeadEstimator, **given: Any) -> None:  # noqa: ANN401  any setting
        for setting in given.keys() - defaults.keys():
            raise unknown("setting", setting, defaults)
        for setting, value in (defaults | given).items():
            setattr(self, setting, value)

    signature = Signature([Parameter("self", Parameter.POSITIONAL_ONLY), *parameters])
    initialise.__signature__ = signature  # type: ignore[attr-defined]
    initialise.__name__ = "__init__"
    base = HeadClassifier if target == "classes" else HeadRegressor
    members = {
        "__init__": initialise,
        "__doc__": _documentation(name, kind, base),
        "__module__": "gargalo",  # where people, and pickles, find it
        "kind": kind,
    }
    return type(name, (base,), members)


def _documentation(name: str, kind: str, base: type[_HeadEstimator]) -> str:
    first = parameters_of(kind, base.target)[0]
    word, values = ("classifier", "labels") if base is HeadClassifier else ("regressor", "numbers")
    return (
        f"{find_kind(kind).specification.__doc__}\n\n"
        f"A scikit-learn {word}; see {base.__name__}. It trains the same head as\n"
        f"`--head {kind}`.\n\n"
        "Example:\n"
        f"    >>> head = gargalo.{name}({first.name}={first.default!r}).fit(features, {values})\n"
        "    >>> head.predict(features)\n"
    )


ESTIMATORS = {name: _class_of(name, *about) for name, about in class_names().items()}
