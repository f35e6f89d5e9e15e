"""Heads that are a linear function of the features, and need no library for saving and loading."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stores.targets import Target
from tasks.heads.examples import flat


@dataclass(frozen=True)
class TrainedLinear:
    """A linear function: `kernel` (features, classes) and `bias` (classes,)."""

    kernel: NDArray[np.float32]
    bias: NDArray[np.float32]
    history: Sequence[dict[str, float]] = ()
    epochs: int = 0

    @property
    def inputs(self) -> int:
        """Return the number of values of a feature."""
        return len(self.kernel)

    def scores(self, features: NDArray[Any]) -> NDArray[np.float64]:
        """Return margins, (n, classes)."""
        return np.asarray(flat(features, self.inputs) @ self.kernel + self.bias, np.float64)

    def keras_scores(self, features: Any) -> Any:  # noqa: ANN401  Keras's tensors
        """Return the margins by a Dense layer."""
        from tasks.heads.keras_export import linear

        return linear(features, self.kernel, self.bias)

    def save(self, folder: Path) -> None:
        """Write `head.npz`."""
        np.savez(folder / "head.npz", allow_pickle=False, kernel=self.kernel, bias=self.bias)


def load_linear(folder: Path, classes: int, _target: Target = "classes") -> TrainedLinear:
    """Read what `save` wrote; raises ValueError, KeyError or BadZipFile for anything else."""
    with np.load(folder / "head.npz", allow_pickle=False) as file:
        kernel, bias = file["kernel"], file["bias"]
    if (
        kernel.ndim != 2
        or not kernel.size
        or kernel.shape[1] != classes
        or bias.shape != (classes,)
    ):
        raise ValueError(
            f"expected {classes} classes, found a kernel {kernel.shape} and a bias {bias.shape}"
        )
    if kernel.dtype.kind != "f" or bias.dtype.kind != "f" or not np.isfinite(kernel).all():
        raise ValueError("the kernel or the bias has values that are not numbers")
    return TrainedLinear(kernel, bias)
