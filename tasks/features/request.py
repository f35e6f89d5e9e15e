"""The features that a user requests, with the defaults. Light: `--help` imports it."""

from dataclasses import dataclass
from typing import Literal

from stores.features.recipe import AspectRatio, Decode, Pooling, Precision, StoredDtype
from tasks.backbones.files.description import Preset

EngineName = Literal["keras", "openvino"]
EngineChoice = EngineName | Literal["auto"]
# The backbone's output, whatever the name of its last layer.
DEFAULT_TAP = "output"
BATCH_SIZE = 32
SHARD_SIZE = 512
# Maximum size of a shard's rows, which are in memory until the shard is written.
SHARD_BYTES = 64 * 2**20

# All settings of features, as flags, sweeps and a run's parameters name them, with the field of the
# recipe that each decides. Features are alike if all of these are.
FEATURE_SETTINGS = {
    "backbone": "backbone",
    "preset": "preprocessing",
    "weights": "weights",
    "image_size": "image_size",
    "tap": "tap",
    "pooling": "pooling",
    "dtype": "dtype",
    "precision": "compute_precision",
    "decode": "decode",
    "crop_to_aspect_ratio": "aspect_ratio",
    "pad_to_aspect_ratio": "aspect_ratio",
}


@dataclass(frozen=True)
class FeatureRequest:
    """The features that a user requests; `image_size` None: the backbone's native size."""

    backbone: str
    weights: str = "imagenet"
    image_size: int | None = None
    taps: tuple[str, ...] = (DEFAULT_TAP,)
    pooling: Pooling = "avg"
    dtype: StoredDtype = "float32"
    aspect_ratio: AspectRatio = "stretch"
    weights_seed: int = 0  # of untrained weights
    decode: Decode = "exact"
    precision: Precision = "float32"
    preset: Preset | None = None  # of a file, before that of its description
    dataset: str = ""  # at int8, the data set that the backbone is quantised for
