"""Heads as scikit-learn classifiers, for people's own pipelines and searches.

Each kind of heads has its class in CLASSIFIERS, with the settings of its specification as
parameters: `DenseClassifier(learning_rate=0.01)`, `RidgeClassifier(penalty=10)`.
"""

from collections.abc import Callable
from dataclasses import fields
from inspect import Parameter, Signature
from typing import Any, ClassVar, Self, get_type_hints

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import train_test_split
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, unique_labels
from sklearn.utils.validation import check_is_fitted, validate_data

from tasks.datasets.folds import Fold
from tasks.errors import InputError, unknown
from tasks.heads import KINDS, Candidate, Failed, class_name, find_kind
from tasks.heads.examples import Examples, MemoryStream
from tasks.heads.presets import make_head, settings_of


def _scores_are(scores: str) -> Callable[["HeadClassifier"], bool]:
    return lambda estimator: find_kind(estimator.kind).scores == scores


class HeadClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn's
    """A head as a scikit-learn classifier: the base of one class for each kind of heads.

    Features are (n, numbers) of finite floats, labels anything that can be sorted. Settings are
    checked by `fit`, which raises InputError.

    Example:
        >>> isinstance(gargalo.RidgeClassifier(), gargalo.HeadClassifier)
        True
    """

    kind: ClassVar[str]

    def set_params(self, **parameters: Any) -> Self:  # noqa: ANN401  scikit-learn's signature
        """Set parameters; raises InputError, which names the nearest, for what there is not."""
        known = self._get_param_names()
        for name in parameters.keys() - set(known):
            raise unknown("setting", name, known)
        super().set_params(**parameters)
        return self

    def fit(self, X: NDArray[Any], y: NDArray[Any]) -> Self:  # noqa: N803  scikit-learn's names
        """Train the head; raises ValueError where the examples cannot train it."""
        features, labels = validate_data(self, X, y, dtype=np.float32)
        check_classification_targets(labels)
        self.classes_ = unique_labels(labels)
        if len(self.classes_) < 2:
            raise InputError(
                f"{type(self).__name__} needs 2 classes, received 1 class: {self.classes_}"
            )
        settings = {name: getattr(self, name) for name in settings_of(self.kind)}
        head = make_head(self.kind, settings, classes=len(self.classes_))
        numbers = np.searchsorted(self.classes_, labels)
        fold = self._fold(numbers, stops=getattr(head, "patience", None) is not None)
        examples = Examples(MemoryStream(features), numbers, len(self.classes_), [fold])
        candidate = Candidate(head, getattr(self, "seed", 0))
        (outcome,) = find_kind(self.kind).train([candidate], examples)
        if isinstance(outcome, Failed):
            raise InputError(outcome.reason)
        self.head_ = outcome
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

    def _scores(self, features: NDArray[Any]) -> NDArray[np.float64]:
        check_is_fitted(self)
        rows = validate_data(self, features, dtype=np.float32, reset=False)
        return self.head_.scores(rows)

    def _fold(self, labels: NDArray[np.int64], *, stops: bool) -> Fold:
        everything, stopping = np.ones(len(labels), np.bool_), np.zeros(len(labels), np.bool_)
        if stops:
            _, held_out = train_test_split(
                np.arange(len(labels)),
                test_size=getattr(self, "validation_fraction"),  # noqa: B009  of such kinds alone
                stratify=labels,
                random_state=getattr(self, "seed", 0),
            )
            stopping[held_out] = True
        return Fold(everything, ~everything, stopping if stops else None)


def parameters_of(kind: str) -> list[Parameter]:
    """Return the parameters of a kind's class: the kind's settings, and what training needs."""
    about = find_kind(kind)
    hints, settings = get_type_hints(about.specification), settings_of(kind)
    own = {f.name: f.default for f in fields(about.specification) if f.name in settings}
    types = {name: hints[name] for name in own}
    if "patience" in own:  # the share set aside, stratified, that patience looks at
        own, types = own | {"validation_fraction": 0.1}, types | {"validation_fraction": float}
    if about.random:
        own, types = own | {"seed": 0}, types | {"seed": int}
    return [
        Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=types[name])
        for name, default in own.items()
    ]


def _class_of(kind: str) -> type[HeadClassifier]:
    """Return the class of a kind; scikit-learn reads its parameters from the signature."""
    parameters = parameters_of(kind)
    defaults = {parameter.name: parameter.default for parameter in parameters}

    def initialise(self: HeadClassifier, **given: Any) -> None:  # noqa: ANN401  any setting
        for name in given.keys() - defaults.keys():
            raise unknown("setting", name, defaults)
        for name, value in (defaults | given).items():
            setattr(self, name, value)

    signature = Signature([Parameter("self", Parameter.POSITIONAL_ONLY), *parameters])
    initialise.__signature__ = signature  # type: ignore[attr-defined]
    initialise.__name__ = "__init__"
    name = class_name(kind)
    members = {
        "__init__": initialise,
        "__doc__": _documentation(kind, name),
        "__module__": "gargalo",  # where people, and pickles, find it
        "kind": kind,
    }
    return type(name, (HeadClassifier,), members)


def _documentation(kind: str, name: str) -> str:
    first = parameters_of(kind)[0]
    return (
        f"{find_kind(kind).specification.__doc__}\n\n"
        f"A scikit-learn classifier; see HeadClassifier. It trains the same head as\n"
        f"`--head {kind}`.\n\n"
        "Example:\n"
        f"    >>> head = gargalo.{name}({first.name}={first.default!r}).fit(features, labels)\n"
        "    >>> head.predict(features)\n"
    )


CLASSIFIERS = {class_name(kind): _class_of(kind) for kind in KINDS}
