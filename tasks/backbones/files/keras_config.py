"""What a `.keras` file says of its layers, read without Keras, before it loads them.

Keras's safe mode refuses Python code in a file. Here a file is refused sooner, and for more: every
class has to be one of Keras's own, and none that reads other files or runs another framework.
"""

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stores.storage.json_files import ABSURD
from tasks.backbones.keras_archive import check_keras
from tasks.errors import InputError

_NOT_HERE = {
    "Lambda": "Python code",
    "TFSMLayer": "a SavedModel elsewhere",
    "TorchModuleWrapper": "a network of PyTorch",
    "JaxLayer": "a function of JAX",
    "FlaxLayer": "a network of Flax",
    "StringLookup": "a vocabulary",
    "IntegerLookup": "a vocabulary",
    "TextVectorization": "a vocabulary",
    "__lambda__": "Python code",
    "__numpy__": "arrays outside its weights",
}
# Where Keras's own layers and what belongs to them are; `keras` itself has Sequential and the like.
_ROOMS = re.compile(
    r"keras|keras\.(layers|initializers|regularizers|constraints|activations|models|ops|random)"
    r"|keras\.src\.(layers|models|ops|random|initializers|dtype_policies)(\.\w+)*"
)
# Where KerasHub's backbones and layers are, under its present and its earlier name; tokenizers and
# the like read other files.
_HUB_ROOMS = re.compile(r"keras_(hub|nlp)\.src\.(models|layers\.modeling)(\.\w+)*")
_HUB_READERS = re.compile(r"(?i)tokenizer|preprocess|converter")
_TENSORS = {"__keras_tensor__", "__tensor__"}  # what a call is given
_FIX = "save a model of Keras's built-in layers, for inference"


def keras_config(path: Path) -> dict[str, Any]:
    """Return a model's configuration in its file; raises InputError for what is not loaded."""
    try:
        check_keras(path)
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))
            config.pop("compile_config", None)  # a model for inference is not compiled
            check_classes(config, path)
            named = {"layers": [], **dict(config["config"])}
    except InputError:
        raise
    except (OSError, zipfile.BadZipFile, *ABSURD) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"{path}: not a model that Keras saved, or damaged: {reason}; save it again"
        ) from error
    return named


def check_classes(config: Any, path: Path, *, hub: bool = False) -> None:  # noqa: ANN401  from JSON
    """Raise InputError for a class that is not Keras's own, or with `hub` KerasHub's.

    Raises RecursionError where it has too many lists in lists.
    """
    for part in list(_objects(config)):
        _check(part, path, hub=hub)


def keras_input(path: Path) -> tuple[int, ...]:
    """Return the shape of a model's images, with -1 for what varies; raises InputError."""
    config = keras_config(path)
    shapes = [
        part["config"].get("batch_shape")
        for part in config["layers"]
        if part["class_name"] == "InputLayer"
    ]
    if len(shapes) != 1:
        raise InputError(
            f"{path}: {len(shapes)} inputs, expected one, images; save a functional model, or a "
            "Sequential one that begins with keras.Input, of one input"
        )
    shape = [-1 if side is None else side for side in shapes[0] or ()]
    if len(shape) != 4 or not all(isinstance(side, int) for side in shape) or shape[3] != 3:
        raise InputError(
            f"{path}: the input has the shape {tuple(shape)}, expected images (batch, height, "
            "width, 3); save the part that reads images"
        )
    return tuple(shape)


def _objects(value: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401
    """Yield all objects of classes in a configuration."""
    if isinstance(value, dict):
        if "class_name" in value:
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from _objects(part)


def _check(part: dict[str, Any], path: Path, *, hub: bool) -> None:
    name, module = str(part["class_name"]), str(part.get("module"))
    registered = part.get("registered_name")
    if name in _NOT_HERE:
        raise InputError(f"{path}: {name} has {_NOT_HERE[name]}, which is not loaded; {_FIX}")
    own = _ROOMS.fullmatch(module) or (module, name) == ("builtins", "function")
    known = name in _TENSORS or (own and ">" not in str(registered))
    if not known and not (hub and _is_of_hub(name, module, registered)):
        whose = "Keras's or KerasHub's" if hub else "Keras's"
        raise InputError(
            f"{path}: {registered or name} is not one of {whose} own classes, and is not loaded; "
            f"{_FIX}"
        )
    settings = part.get("config")
    if name.endswith("DTypePolicy") and isinstance(settings, dict):
        policy = settings.get("name") or settings.get("mode")
        if policy != "float32":
            raise InputError(
                f"{path}: it computes in {policy}; set the dtype policy float32, and save it again"
            )


def _is_of_hub(name: str, module: str, registered: object) -> bool:
    """Return whether a class is one of KerasHub's backbones or layers."""
    names = {None, name, f"keras_hub>{name}", f"keras_nlp>{name}"}
    of_hub = _HUB_ROOMS.fullmatch(module) is not None and registered in names
    return of_hub and not _HUB_READERS.search(f"{module}.{name}")
