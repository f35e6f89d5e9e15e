"""Heads that scikit-learn trains: standardise, where that is asked for, then classify."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stores.errors import CorruptStore
from tasks.heads import Candidate, Failed, Kind, Outcome
from tasks.heads.examples import Examples, flat
from tasks.stopping import stop_if_asked

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline


MAX_ITERATIONS = 5000
_VOTES = "votes.json"


class TrainedPipeline:
    """A fitted scikit-learn pipeline, and how many classes the data set has.

    `votes`: of neighbours, those that are added to their own, shared evenly by all classes.
    """

    history: Sequence[dict[str, float]] = ()
    epochs = 0

    def __init__(self, pipeline: "Pipeline", classes: int, votes: int = 0) -> None:
        self.pipeline, self._classes, self._votes = pipeline, classes, votes

    def scores(self, features: NDArray[Any]) -> NDArray[np.float64]:
        """Return probabilities, or margins where there are none, (n, classes).

        A class of which there was no example has the smallest probability, or a margin of -inf.
        """
        probable = hasattr(self.pipeline, "predict_proba")
        say = self.pipeline.predict_proba if probable else self.pipeline.decision_function
        said = np.asarray(say(flat(features)), np.float64)
        if said.ndim == 1:
            said = np.stack([-said, said], axis=1)
        known = self.pipeline.classes_
        scores = np.full((len(said), self._classes), 0.0 if probable else -np.inf)
        scores[:, known] = said
        if self._votes:
            return smoothed(scores, self.pipeline[-1].n_neighbors, self._votes)
        return scores

    def keras_scores(self, features: Any) -> Any:  # noqa: ANN401  Keras's tensors
        """Return the same scores by built-in Keras layers."""
        from tasks.heads.keras_layers import pipeline_scores

        return pipeline_scores(features, self.pipeline, self._classes, self._votes)

    def save(self, folder: Path) -> None:
        """Write `head.skops`, which holds no pickle, and `votes.json` where some are added."""
        import skops.io

        skops.io.dump(self.pipeline, folder / "head.skops")
        if self._votes:
            (folder / _VOTES).write_text(json.dumps(self._votes))


def smoothed(shares: NDArray[Any], neighbors: int, votes: int) -> NDArray[Any]:
    """Return each class's share of the neighbours' votes, (n, classes), with some votes added.

    These are shared evenly by all classes, as by the prior of W. Perks, Some observations on
    inverse probability, Journal of the Institute of Actuaries 73 (1947), 285-334: no class is
    impossible because none of a few neighbours is of it. The order of the classes stays.
    """
    return np.asarray((shares * neighbors + votes / shares.shape[1]) / (neighbors + votes))


def pipeline_kind(
    specification: type[Any],
    classifier: Callable[[Any, int, int], Any],
    *,
    margins: bool = False,
    votes: int = 0,
    version: int = 1,
) -> Kind:
    """Return a kind of heads; `votes` as TrainedPipeline has them.

    `classifier` makes the classifier of a specification, a seed and a number of training images.
    """

    def fit(candidate: Candidate[Any], examples: Examples) -> Outcome:
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        stop_if_asked()
        train = examples.folds[candidate.fold].train
        labels = examples.labels[train]
        if len(set(labels.tolist())) < 2:
            return Failed("one class only among the examples that it learns from; add images")
        scaling = [StandardScaler()] if candidate.head.standardize else []
        last = classifier(candidate.head, candidate.seed, len(labels))
        pipeline = make_pipeline(*scaling, last)
        pipeline.fit(examples.features(train), labels)
        return TrainedPipeline(pipeline, examples.classes, votes)

    return Kind(
        specification,
        train=lambda candidates, examples: [fit(candidate, examples) for candidate in candidates],
        load=_load,
        scores="margin" if margins else "probability",
        version=version,
    )


def linear_options(head: Any) -> dict[str, Any]:  # noqa: ANN401  a logistic or an svm head
    """Return what scikit-learn's linear classifiers have in common."""
    return {
        "C": head.inverse_regularization,
        "class_weight": None if head.class_weights == "none" else head.class_weights,
        "max_iter": MAX_ITERATIONS,
    }


def _load(folder: Path, classes: int) -> TrainedPipeline:
    """Read what `save` wrote; raises CorruptStore where it holds a type that no head has."""
    import skops.io

    path = folder / "head.skops"
    if foreign := skops.io.get_untrusted_types(file=path):
        raise CorruptStore(f"{path}: refused, it holds {', '.join(foreign)}; train again")
    return TrainedPipeline(skops.io.load(path), classes, _votes(folder / _VOTES))


def _votes(path: Path) -> int:
    if not path.exists():  # of other heads, and of neighbours before version 2
        return 0
    try:
        votes = json.loads(path.read_text())
    except ValueError as error:
        raise CorruptStore(f"{path}: the model is damaged: {error}; train again") from error
    if type(votes) is not int or votes < 0:
        raise CorruptStore(f"{path}: expected a number of votes, found {votes!r}; train again")
    return votes
