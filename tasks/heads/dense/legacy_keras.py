"""Reading of dense heads of earlier versions, trained by Keras and saved as `head.keras`."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.errors import InputError
from tasks.execution.checked_keras import keras
from tasks.execution.keras_backend import check_backend
from tasks.heads.examples import flat


class KerasHead:
    """A Keras model from features to one logit, one probability, or one probability per class."""

    history: Sequence[dict[str, float]] = ()
    epochs = 0

    def __init__(self, path: Path) -> None:
        check_backend()
        self.model = keras.saving.load_model(path, safe_mode=True)

    @property
    def inputs(self) -> int:
        """Return the number of values of a feature."""
        return math.prod(self.model.input_shape[1:])

    def scores(self, features: NDArray[Any]) -> NDArray[np.float64]:
        """Return the probability of each class, (n, classes)."""
        check_backend()
        rows = flat(features, self.inputs).reshape(-1, *self.model.input_shape[1:])
        outputs = self.model.predict(rows, batch_size=1024, verbose=0)
        outputs = np.asarray(outputs, np.float64)
        if outputs.shape[1] > 1:
            return outputs
        if self.model.layers[-1].activation is keras.activations.linear:
            with np.errstate(over="ignore"):  # 1 / (1 + inf) is correctly 0
                outputs = 1.0 / (1.0 + np.exp(-outputs))
        return np.hstack([1.0 - outputs, outputs])

    def keras_scores(self, _features: Any) -> Any:  # noqa: ANN401  Keras's tensors
        """Raise InputError: a head of an earlier version has to be trained again."""
        raise InputError("a head of an earlier version cannot be exported; train it again")

    def save(self, folder: Path) -> None:
        """Write `head.keras`."""
        self.model.save(folder / "head.keras")
