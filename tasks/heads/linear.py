"""Heads that are one linear function of the features: they need no library to be kept and used."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from stores.errors import CorruptStore
from tasks.heads.examples import flat


@dataclass(frozen=True)
class TrainedLinear:
    """A linear function: `kernel` (features, classes) and `bias` (classes,)."""

    kernel: NDArray[np.float32]
    bias: NDArray[np.float32]
    history: Sequence[dict[str, float]] = ()
    epochs: int = 0

    def scores(self, features: NDArray[Any]) -> NDArray[np.float64]:
        """Return margins, (n, classes)."""
        return np.asarray(flat(features) @ self.kernel + self.bias, np.float64)

    def keras_scores(self, features: Any) -> Any:  # noqa: ANN401  Keras's tensors
        """Return the margins by a Dense layer."""
        from tasks.heads.keras_layers import linear

        return linear(features, self.kernel, self.bias)

    def save(self, folder: Path) -> None:
        """Write `head.npz`."""
        np.savez(folder / "head.npz", allow_pickle=False, kernel=self.kernel, bias=self.bias)


def load_linear(folder: Path, _classes: int) -> TrainedLinear:
    """Read what `save` wrote; raises CorruptStore where it is something else."""
    try:
        with np.load(folder / "head.npz", allow_pickle=False) as file:
            return TrainedLinear(file["kernel"], file["bias"])
    except (ValueError, KeyError, BadZipFile) as error:
        raise CorruptStore(f"{folder}: the model is damaged: {error}; train again") from error
