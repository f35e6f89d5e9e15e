"""LogME: how well features explain labels, without training a head on them."""

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

_ITERATIONS = 1000  # usually about 10; 200 for random labels
_CONVERGED = 1e-6  # relative change of α/β between iterations
# For a finite score of useless or perfect features.
_LEAST = 1e-10


def logme(features: NDArray[np.floating], labels: NDArray[np.int64], *, classes: int) -> float:
    """Return the logarithm of the labels' maximum evidence given the features, per label.

    Features (n, values), labels (n,). The indicator of each class is a linear function of the
    features with normal weights (precision α) and normal noise (precision β); α and β maximize the
    evidence. The mean over classes can be compared between features of the same images: higher is
    better. K. You et al., LogME: Practical Assessment of Pre-trained Models for Transfer Learning,
    ICML 2021, eq. 2 and Algorithm 1.
    """
    rows = np.asarray(features, np.float64)
    left, values, _ = np.linalg.svd(rows, full_matrices=False)
    indicators = np.eye(classes)[labels]
    # The squared projections of each indicator on the left singular vectors, and the rest.
    along = (left.T @ indicators) ** 2
    beyond = np.maximum((indicators**2).sum(axis=0) - along.sum(axis=0), 0.0)
    size, width = rows.shape
    return float(
        np.mean([_evidence(values**2, along[:, k], beyond[k], size, width) for k in range(classes)])
    )


def _evidence(squares: Values, along: Values, beyond: float, size: int, width: int) -> float:
    """Maximize a class's log evidence by MacKay's fixed point, and return it divided by n.

    With the squared singular values σ² and r = α/β: the effective number of parameters
    γ = Σ σ²/(σ²+r), then α = γ/|m|² and β = (n-γ)/|Fm-y|².
    """
    alpha = beta = 1.0
    for _ in range(_ITERATIONS):
        ratio = alpha / beta
        effective = float((squares / (squares + ratio)).sum())
        weights = float((squares * along / (squares + ratio) ** 2).sum())
        residual = float((along * (ratio / (squares + ratio)) ** 2).sum()) + beyond
        alpha = max(effective, _LEAST) / max(weights, _LEAST)
        beta = max(size - effective, _LEAST) / max(residual, _LEAST)
        if abs(alpha / beta - ratio) <= _CONVERGED * ratio:
            break
    determinant = np.log(alpha + beta * squares).sum() + (width - len(squares)) * np.log(alpha)
    total = size * np.log(beta) + width * np.log(alpha) - size * np.log(2 * np.pi)
    return float(total - beta * residual - alpha * weights - determinant) / (2 * size)
