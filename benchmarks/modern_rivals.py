"""What people would reach for today: PyTorch with timm, and ONNX Runtime. The extra [rivals].

Their networks have the layers and the arithmetic of ours, with untrained weights of their own; so
their features are others, and their speed can be compared. tests/benchmarks holds that the
convolutions are the same. Images are stretched to the same size, by Pillow, as their guides do.

Each runs in a process of its own (`python -m benchmarks.modern_rivals`): with TensorFlow in the
same one, the import of PyTorch crashes. thingsvision, another that people use, cannot be here: it
asks for TensorFlow below 2.16 and for NumPy 1 (thingsvision 2.7).
"""

import json
import os
import sys
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.photos import image_paths

BATCH_SIZE = 32
PACKAGES = ("torch", "torchvision", "timm", "onnxruntime")
TIMM_NAMES = {"mobilenet_v2": "mobilenetv2_100", "resnet50": "resnet50"}
FLOAT32, BFLOAT16 = "float32", "bfloat16"


def lacking() -> list[str]:
    """Return which packages of the rivals are not installed."""
    return [name for name in PACKAGES if not find_spec(name)]


def timm_network(backbone: str) -> Any:  # noqa: ANN401
    """Return timm's network with the arithmetic of our backbone of that name, untrained."""
    import timm
    import torch

    torch.manual_seed(0)
    model = timm.create_model(TIMM_NAMES[backbone], pretrained=False, num_classes=0).eval()
    if backbone == "resnet50":
        # timm's is a later version, with a tenth more arithmetic: there the second convolution of
        # a block has the stride, in Keras and in the paper the first.
        for block in (model.layer2[0], model.layer3[0], model.layer4[0]):
            block.conv1.stride, block.conv2.stride = block.conv2.stride, block.conv1.stride
    return model


def timm_pixels(side: int) -> Any:  # noqa: ANN401
    """Return timm's own transform of a Pillow image, without a crop."""
    from timm.data import create_transform

    return create_transform((3, side, side), interpolation="bilinear", crop_mode="squash")


@dataclass(frozen=True)
class Photographs:
    """A folder's images as PyTorch's data sets give them."""

    paths: list[Path]
    transform: Any

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, number: int) -> Any:  # noqa: ANN401
        return self.transform(Image.open(self.paths[number]).convert("RGB"))


class Modern(ABC):
    """One of these ways of computing all features of a folder, and of keeping them in `state`."""

    def __init__(self, state: Path, backbone: str, side: int, precision: str) -> None:
        self.state, self.transform = state, timm_pixels(side)
        self.backbone, self.side, self.precision = backbone, side, precision

    def run(self, folder: Path) -> None:
        """Compute the features of a folder, and keep them as one array."""
        photographs = Photographs(list(image_paths(folder)), self.transform)
        np.save(self.state / "features.npy", np.concatenate(list(self.rows(photographs))))

    @abstractmethod
    def rows(self, photographs: Photographs) -> Iterator[np.ndarray[Any, Any]]:
        """Yield the features, batch by batch."""


class Timm(Modern):
    """A `DataLoader` with a process a core, and the network with its channels last.

    `compiled` as PyTorch's guide for inference on CPUs has it: with weights as constants.
    """

    def __init__(self, *setting: Any, compiled: bool, **others: Any) -> None:  # noqa: ANN401
        import torch

        super().__init__(*setting, **others)
        self.dtype = {FLOAT32: torch.float32, BFLOAT16: torch.bfloat16}[self.precision]
        model = timm_network(self.backbone)
        model = model.to(dtype=self.dtype, memory_format=torch.channels_last)
        self.model = torch.compile(model, options={"freezing": True}) if compiled else model

    def rows(self, photographs: Photographs) -> Iterator[np.ndarray[Any, Any]]:
        """Yield the features, batch by batch."""
        import torch
        from torch.utils.data import DataLoader

        loader: Any = DataLoader(
            photographs,  # type: ignore[arg-type]
            batch_size=BATCH_SIZE,
            num_workers=os.cpu_count() or 1,
        )
        with torch.inference_mode():
            for pixels in loader:
                given = pixels.to(dtype=self.dtype, memory_format=torch.channels_last)
                yield self.model(given).float().numpy()


class OnnxRuntime(Modern):
    """A session in a loop; images are read one by one, or ahead by a thread a core."""

    def __init__(self, *setting: Any, ahead: bool, **others: Any) -> None:  # noqa: ANN401
        import onnxruntime
        import torch

        super().__init__(*setting, **others)
        path, shape = self.state / "network.onnx", (1, 3, self.side, self.side)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the newer exporter needs more packages
            torch.onnx.export(
                timm_network(self.backbone),
                (torch.zeros(shape),),
                path,
                input_names=["pixels"],
                dynamic_axes={"pixels": {0: "images"}},
                dynamo=False,
            )
        self.session, self.ahead = onnxruntime.InferenceSession(path), ahead

    def rows(self, photographs: Photographs) -> Iterator[np.ndarray[Any, Any]]:
        """Yield the features, batch by batch."""
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            read = pool.map if self.ahead else map
            images = read(lambda number: photographs[number].numpy(), range(len(photographs)))
            while batch := list(islice(images, BATCH_SIZE)):
                yield self.session.run(None, {"pixels": np.stack(batch)})[0]


WAYS: dict[str, type[Modern]] = {"timm": Timm, "onnxruntime": OnnxRuntime}


def main(way: str, state: str, settings: str) -> None:
    """Build a way, then compute the features of each folder that is named on a line of stdin.

    The answer to each is a line of its own.
    """
    built = WAYS[way](Path(state), **json.loads(settings))
    for line in sys.stdin:
        built.run(Path(line.rstrip("\n")))
        print("done", flush=True)  # noqa: T201  the answer


if __name__ == "__main__":
    main(*sys.argv[1:])
