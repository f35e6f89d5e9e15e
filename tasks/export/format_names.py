"""The formats of exported models: their names, and where each is. Light: `--help` imports it."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ExportFormat = Literal["saved-model", "keras", "openvino", "onnx"]
# The path of each in the folder of an exported model.
PLACES: dict[ExportFormat, str] = {
    "saved-model": "saved_model",
    "keras": "model.keras",
    "openvino": "model.xml",
    "onnx": "model.onnx",
}

Scores: TypeAlias = "NDArray[np.float64]"
Scorer: TypeAlias = "Callable[[Sequence[bytes]], Scores]"  # from the bytes of image files
