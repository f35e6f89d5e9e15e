"""How far predicted numbers are from the true ones: scikit-learn's metrics of regression."""

import numpy as np
from numpy.typing import NDArray


def number_metrics(predicted: NDArray[np.float64], truth: NDArray[np.float64]) -> dict[str, float]:
    """Return the metrics of predicted numbers beside the true ones, both (n,), by name.

    R² compares the squared errors with those of always answering the mean of the true numbers;
    where these are all the same, or none, there is no R².
    """
    from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

    if not len(truth):
        return {}
    metrics = {
        "mean_absolute_error": float(mean_absolute_error(truth, predicted)),
        "root_mean_squared_error": float(root_mean_squared_error(truth, predicted)),
    }
    if np.ptp(truth):
        metrics["r2"] = float(r2_score(truth, predicted))
    return metrics
