"""The formats of exported models: their names, where each lies, and what can be asked of one."""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

ExportFormat = Literal["saved-model", "keras", "openvino"]
# Where each lies in the folder of an exported model, beside its classes and its card.
PLACES: dict[ExportFormat, str] = {
    "saved-model": "saved_model",
    "keras": "model.keras",
    "openvino": "model.xml",
}

Scores = NDArray[np.float64]
Say = Callable[[Sequence[bytes]], Scores]  # from the bytes of image files to scores
