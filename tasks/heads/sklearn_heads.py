"""Heads trained by scikit-learn: a pipeline of an optional scaler and a classifier."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stores.errors import CorruptStore
from stores.storage.json_files import parsed
from stores.storage.safe_files import is_file, read_text
from stores.targets import Target
from tasks.execution.cancellation import stop_if_requested
from tasks.heads import Candidate, Failed, Kind, Outcome
from tasks.heads.examples import Examples, flat
from tasks.heads.vote_smoothing import smoothed

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline


MAX_ITERATIONS = 5000
_VOTES = "votes.json"


class TrainedPipeline:
    """A fitted scikit-learn pipeline, with the number of classes of the data set.

    `votes`: added to the votes of the neighbors, evenly for all classes.
    """

    history: Sequence[dict[str, float]] = ()
    epochs = 0

    def __init__(self, pipeline: "Pipeline", classes: int, votes: int = 0) -> None:
        self.pipeline, self._classes, self._votes = pipeline, classes, votes

    @property
    def inputs(self) -> int:
        """Return the number of values of a feature."""
        return int(self.pipeline.n_features_in_)

    def scores(self, features: NDArray[Any]) -> NDArray[np.float64]:
        """Return probabilities, or margins for a classifier without them, (n, classes).

        A class without an example has the smallest probability, or a margin of -inf.
        """
        probable = hasattr(self.pipeline, "predict_proba")
        predict = self.pipeline.predict_proba if probable else self.pipeline.decision_function
        own = np.asarray(predict(flat(features, self.inputs)), np.float64)
        if own.ndim == 1:
            own = np.stack([-own, own], axis=1)
        known = self.pipeline.classes_
        scores = np.full((len(own), self._classes), 0.0 if probable else -np.inf)
        scores[:, known] = own
        if self._votes:
            return smoothed(scores, self.pipeline[-1].n_neighbors, self._votes)
        return scores

    def keras_scores(self, features: Any) -> Any:  # noqa: ANN401  Keras's tensors
        """Return the same scores by built-in Keras layers."""
        from tasks.heads.keras_export import pipeline_scores

        return pipeline_scores(features, self.pipeline, self._classes, self._votes)

    def save(self, folder: Path) -> None:
        """Write `head.skops`, which has no pickle, and `votes.json` if votes are added."""
        save_pipeline(self.pipeline, self._votes, folder)


def pipeline_kind(
    specification: type[Any],
    classifier: Callable[[Any, int, int], Any],
    *,
    margins: bool = False,
    votes: int = 0,
    version: int = 1,
) -> Kind:
    """Return a kind of heads; `votes` as in TrainedPipeline.

    `classifier` returns the estimator for a specification, a seed and a number of train images.
    """

    def fit(candidate: Candidate[Any], examples: Examples) -> Outcome:
        stop_if_requested()
        train = examples.folds[candidate.fold].train
        labels = examples.labels[train]
        if len(set(labels.tolist())) < 2:
            return Failed("the train examples have only one class; add images")
        last = classifier(candidate.head, candidate.seed, len(labels))
        pipeline = make_head_pipeline(candidate.head, last)
        pipeline.fit(examples.features(train), labels)
        return TrainedPipeline(pipeline, examples.classes, votes)

    def load(folder: Path, classes: int, _target: Target = "classes") -> TrainedPipeline:
        pipeline, added = load_pipeline(folder, steps_of(specification, classifier))
        known = np.asarray(pipeline.classes_)
        if known.dtype.kind not in "iu" or not set(known.tolist()) <= set(range(classes)):
            raise ValueError(f"classes {known.tolist()[:10]}, expected 0 to {classes - 1}")
        return TrainedPipeline(pipeline, classes, added)

    return Kind(
        specification,
        train=lambda candidates, examples: [fit(candidate, examples) for candidate in candidates],
        load=load,
        scores="margin" if margins else "probability",
        version=version,
    )


def linear_options(head: Any) -> dict[str, Any]:  # noqa: ANN401  a logistic or an svm head
    """Return the common options of scikit-learn's linear classifiers."""
    return {
        "C": head.inverse_regularization,
        "class_weight": None if head.class_weights == "none" else head.class_weights,
        "max_iter": MAX_ITERATIONS,
    }


def make_head_pipeline(head: Any, last: Any) -> "Pipeline":  # noqa: ANN401  an estimator
    """Return a pipeline of an estimator, after a scaler if the head standardizes."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(*([StandardScaler()] if head.standardize else []), last)


def steps_of(specification: type[Any], classifier: Callable[[Any, int, int], Any]) -> list[type]:
    """Return the types of a pipeline's steps; the first is optional."""
    from sklearn.preprocessing import StandardScaler

    return [StandardScaler, type(classifier(specification(), 0, 1))]


def save_pipeline(pipeline: "Pipeline", votes: int, folder: Path) -> None:
    """Write `head.skops`, which has no pickle, and `votes.json` if votes are added."""
    import skops.io

    skops.io.dump(pipeline, folder / "head.skops")
    if votes:
        (folder / _VOTES).write_text(json.dumps(votes))


def load_pipeline(folder: Path, steps: list[type]) -> tuple["Pipeline", int]:
    """Return what `save_pipeline` wrote; raises CorruptStore for a type that no head has.

    Raises other errors, of any type, for another estimator, or one that is not fitted.
    """
    import skops.io
    from sklearn.pipeline import Pipeline
    from sklearn.utils.validation import check_is_fitted

    path = folder / "head.skops"
    if foreign := skops.io.get_untrusted_types(file=path):
        raise CorruptStore(f"{path}: refused, it has the untrusted types {', '.join(foreign)}")
    pipeline = skops.io.load(path)
    if type(pipeline) is not Pipeline:
        raise ValueError(f"a {type(pipeline).__name__}, expected a Pipeline")
    found = [(name, type(step)) for name, step in pipeline.steps]
    expected = [(step.__name__.lower(), step) for step in steps]
    if found not in (expected, expected[1:]):
        raise ValueError(f"steps {[kind.__name__ for _, kind in found]}, expected {expected}")
    for _, step in pipeline.steps:
        check_is_fitted(step)
    return pipeline, _votes(folder / _VOTES)


def _votes(path: Path) -> int:
    if not is_file(path):  # other heads, and knn before version 2
        return 0
    votes = parsed(read_text(path))
    if type(votes) is not int or votes < 0:
        raise ValueError(f"{path.name}: expected a number of votes, found {votes!r}")
    return votes
