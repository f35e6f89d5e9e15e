"""Trained dense heads, saved as plain arrays, and their kind."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

from stores.storage.json_files import parsed
from stores.targets import Target
from tasks.execution.keras_backend import check_backend
from tasks.heads import Candidate, Failed, Kind, Outcome, TrainedHead
from tasks.heads.dense.specification import DenseHead, units_of
from tasks.heads.dense.stacked_networks import Networks, Weights
from tasks.heads.dense.trainer import architecture_of, train_heads
from tasks.heads.examples import Examples, flat

_ROWS_AT_ONCE = 1024
# If the process is killed, all heads of a group are lost.
_MOST_IN_GROUP = 128
_GROUP_PARAMETERS = 2**18  # larger networks gain little in a group


class TrainedDense:
    """A dense head with its weights: `kernel_0`, `bias_0`, …, with scaling `mean` and `scale`."""

    def __init__(
        self,
        head: DenseHead,
        weights: Weights,
        history: Sequence[dict[str, float]] = (),
        epochs: int = 0,
    ) -> None:
        self.head, self.weights, self.history, self.epochs = head, weights, history, epochs
        inputs = weights["kernel_0"].shape[0]
        outputs = weights[f"bias_{len(head.hidden_units)}"].shape[-1]
        self._network = Networks(architecture_of(head, inputs, outputs), 1, weights)

    @property
    def inputs(self) -> int:
        """Return the number of values of a feature."""
        return int(self.weights["kernel_0"].shape[0])

    def logits(self, features: NDArray[Any]) -> NDArray[np.float32]:
        """Return the outputs for features (n, *shape), without an activation: (n, units)."""
        rows = flat(features, self.inputs)
        if self.head.standardize:
            rows = (rows - self.weights["mean"]) / self.weights["scale"]
        parts = range(0, max(1, len(rows)), _ROWS_AT_ONCE)
        outputs = [self._network.logits(rows[at : at + _ROWS_AT_ONCE])[0] for at in parts]
        return np.concatenate(outputs)

    def scores(self, features: NDArray[Any]) -> NDArray[np.float64]:
        """Return the probability of each class or label, or the number, (n, outputs)."""
        outputs = self.logits(features)
        if self.head.output == "number":
            return outputs.astype(np.float64)
        if self.head.output == "sigmoids":
            return np.asarray(expit(outputs.astype(np.float64)))
        return probabilities(outputs)

    def keras_scores(self, features: Any) -> Any:  # noqa: ANN401  Keras's tensors
        """Return the scores by built-in Keras layers."""
        from tasks.heads.keras_export import dense_scores

        return dense_scores(features, self.head, self.weights)

    def save(self, folder: Path) -> None:
        """Write `head.npz`: the weights, and the specification as JSON."""
        text = np.array(json.dumps(asdict(self.head)))
        np.savez(folder / "head.npz", allow_pickle=False, specification=text, **self.weights)


def probabilities(logits: NDArray[Any]) -> NDArray[np.float64]:
    """Return the probability of each class, (n, classes), from (n, 1) or (n, classes) logits."""
    values = logits.astype(np.float64)
    if values.shape[1] == 1:
        return np.hstack([expit(-values), expit(values)])
    return np.asarray(softmax(values, axis=1))


def _train(candidates: Sequence[Candidate[DenseHead]], examples: Examples) -> list[Outcome]:
    """Train all candidates in one pass over the features."""
    return [
        Failed(f"the dense head {outcome.failure}")
        if outcome.failure
        else TrainedDense(candidate.head, outcome.weights, outcome.history, outcome.epochs)
        for candidate, outcome in zip(candidates, train_heads(candidates, examples), strict=True)
    ]


# The outputs that a head of a target may have.
_OUTPUTS: dict[Target, set[str]] = {
    "classes": {"logit", "sigmoid", "softmax"},
    "labels": {"sigmoids"},
    "number": {"number"},
}


def _load(folder: Path, classes: int, target: Target = "classes") -> TrainedHead:
    """Read what `save` wrote, or the `head.keras` of earlier versions in Keras's safe mode.

    Raises ValueError, TypeError, KeyError or BadZipFile for anything else.
    """
    if target == "classes" and (folder / "head.keras").exists():
        check_backend()
        from tasks.heads.dense.legacy_keras import KerasHead

        return KerasHead(folder / "head.keras")
    with np.load(folder / "head.npz", allow_pickle=False) as file:
        weights = dict(file)
    head = DenseHead(**parsed(str(weights.pop("specification"))))
    if head.output not in _OUTPUTS[target]:
        raise ValueError(f"the output {head.output!r} is not for the target {target!r}")
    inputs = weights["kernel_0"].shape[0]
    network = architecture_of(head, inputs, units_of(head, classes))
    shapes = network.parameters() | network.statistics()
    scaling = dict.fromkeys(("mean", "scale") if head.standardize else (), inputs)
    sizes = {name: math.prod(shape) for name, shape in shapes.items()} | scaling
    if {name: array.size for name, array in weights.items()} != sizes:
        found = {name: array.shape for name, array in weights.items()}
        raise ValueError(f"expected {shapes}, and {list(scaling)} of {inputs}, found {found}")
    if any(a.dtype.kind != "f" or not np.isfinite(a).all() for a in weights.values()):
        raise ValueError("the weights have values that are not numbers")
    return TrainedDense(head, weights)


def _group_size(head: DenseHead, width: int, classes: int) -> int:
    """Return the maximum number of heads that are trained at once."""
    shapes = architecture_of(head, width, classes).parameters().values()
    return max(1, min(_MOST_IN_GROUP, _GROUP_PARAMETERS // sum(map(math.prod, shapes))))


def _revised(head: DenseHead) -> int:
    """Return 1 for heads with another result in earlier releases.

    Early stopping used the validation images, and val_loss was weighted by class_weights.
    """
    return int(head.patience is not None or head.class_weights != "none")


# In version 1, the order of the examples was the same for all seeds.
KIND = Kind(
    DenseHead,
    _train,
    _load,
    scores="probability",
    targets=("classes", "labels", "number"),
    random=True,
    version=2,
    revised=_revised,
    group_size=_group_size,
)
