"""Heads that are a linear function of the features, and need no library for saving and loading."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from stores.targets import Target
from tasks.heads.examples import ROWS_A_CHUNK, flat


@dataclass(frozen=True)
class TrainedLinear:
    """A linear function: `kernel` (features, outputs) and `bias` (outputs,).

    With `sigmoid`, the scores are the probabilities whose logits it gives.
    """

    kernel: NDArray[np.float32]
    bias: NDArray[np.float32]
    sigmoid: bool = False
    history: Sequence[dict[str, float]] = ()
    epochs: int = 0

    @property
    def inputs(self) -> int:
        """Return the number of values of a feature."""
        return len(self.kernel)

    def scores(self, features: NDArray[Any]) -> NDArray[np.float64]:
        """Return margins, probabilities or numbers, (n, outputs)."""
        rows, kernel = flat(features, self.inputs), self.kernel.astype(np.float64)
        # With 32 bits the last digits of a row would depend on how many rows there are.
        parts = range(0, max(1, len(rows)), ROWS_A_CHUNK)
        values = [rows[at : at + ROWS_A_CHUNK].astype(np.float64) @ kernel for at in parts]
        sums = np.concatenate(values) + self.bias
        return np.asarray(expit(sums) if self.sigmoid else sums)

    def keras_scores(self, features: Any) -> Any:  # noqa: ANN401  Keras's tensors
        """Return the scores by a Dense layer."""
        from tasks.heads.keras_export import linear

        return linear(features, self.kernel, self.bias, "sigmoid" if self.sigmoid else "linear")

    def save(self, folder: Path) -> None:
        """Write `head.npz`."""
        np.savez(folder / "head.npz", allow_pickle=False, kernel=self.kernel, bias=self.bias)


def load_linear(
    folder: Path, outputs: int, target: Target = "classes", *, sigmoid: bool = False
) -> TrainedLinear:
    """Read what `save` wrote; raises ValueError, KeyError or BadZipFile for anything else."""
    with np.load(folder / "head.npz", allow_pickle=False) as file:
        kernel, bias = file["kernel"], file["bias"]
    if (
        kernel.ndim != 2
        or not kernel.size
        or kernel.shape[1] != outputs
        or bias.shape != (outputs,)
    ):
        raise ValueError(
            f"expected {outputs} outputs, found a kernel {kernel.shape} and a bias {bias.shape}"
        )
    if kernel.dtype.kind != "f" or bias.dtype.kind != "f" or not np.isfinite(kernel).all():
        raise ValueError("the kernel or the bias has values that are not numbers")
    # Only a class without an example has the bias -inf.
    if target != "classes" and not np.isfinite(bias).all():
        raise ValueError("the bias has values that are not finite")
    return TrainedLinear(kernel, bias, sigmoid)
