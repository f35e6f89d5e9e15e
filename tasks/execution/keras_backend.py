"""The settings of Keras and TensorFlow that change computed values, checked in one place.

Recipes and runs mean float32, channels last and TensorFlow's decoder. `keras.json`, environment
variables or the calling program can set something else, and the same recipe would then give other
values. Settings that change only the last bits (TF_ENABLE_ONEDNN_OPTS, XLA, threads) are allowed.
"""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tasks.errors import InputError

_EXPECTED: dict[str, Any] = {
    "backend": "tensorflow",
    "floatx": "float32",
    "image_data_format": "channels_last",
    "epsilon": 1e-7,
}
_SET = {"1", "true"}  # the values that TensorFlow and Keras read as "on"
# Environment variables, and the effect of each.
_SWITCHES = {
    "TF_USE_LEGACY_KERAS": "TensorFlow would use Keras 2",
    "TF_ENABLE_AUTO_MIXED_PRECISION": "TensorFlow would compute in half precision",
    "TF_ENABLE_AUTO_MIXED_PRECISION_GRAPH_REWRITE": "TensorFlow would compute in half precision",
    "KERAS_NNX_ENABLED": "Keras would require JAX",
}
# Variables for oneDNN's precision of float32 products, and for Keras's limits on training.
_ROUNDING = ("ONEDNN_DEFAULT_FPMATH_MODE", "DNNL_DEFAULT_FPMATH_MODE", "TF_SET_ONEDNN_FPMATH_MODE")
_SHORTENING = ("KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH")


def check_backend() -> None:
    """Raise InputError if a setting of Keras or TensorFlow would change computed values.

    Called before a model is built or read, and before images are decoded. It imports neither
    library: if they are imported, it checks their settings, else the files and variables that they
    would read.
    """
    _check_environment()
    imported = "keras" in sys.modules
    settings = _imported() if imported else configured() | _environment_backend()
    for name, expected in _EXPECTED.items():
        if (received := settings.get(name, expected)) != expected:
            raise InputError(_set_otherwise(name, received, expected))
    if imported:
        for message in _of_program():
            raise InputError(message)


def keras_json() -> Path:
    """Return the path of the settings file that Keras reads when it is imported."""
    home = os.path.expanduser("~")  # noqa: PTH111  it leaves an unknown user as it is
    usual = home if os.access(home, os.W_OK) else "/tmp"  # noqa: S108  so Keras does
    path = os.path.join(os.environ.get("KERAS_HOME", f"{usual}/.keras"), "keras.json")  # noqa: PTH118
    return Path(os.path.expanduser(path))  # noqa: PTH111


def configured() -> dict[str, Any]:
    """Return the settings in `keras.json`; raises InputError for a file that Keras cannot read."""
    path = keras_json()
    if not os.path.exists(path):  # noqa: PTH110  False on any error, as in Keras
        return {}
    if not path.is_file():  # reading a pipe would block
        raise InputError(f"{path}: expected a file of Keras's settings; move it away")
    try:
        settings = json.loads(path.read_text())
    except ValueError:
        return {}  # Keras ignores a file that is not JSON
    except RecursionError:
        settings = None
    except OSError as error:
        raise InputError(f"{path}: cannot be read by Keras: {error.strerror}") from error
    if not isinstance(settings, dict):
        raise InputError(f"{path}: expected a JSON object of Keras's settings; delete the file")
    if settings.get("nnx_enabled"):
        raise InputError(f"{path}: nnx_enabled is for JAX, expected false; remove the line")
    return settings


def use_float32() -> None:
    """Disable TensorFloat-32, with which a GPU rounds float32 products to 10 bits."""
    import tensorflow as tf

    tf.config.experimental.enable_tensor_float_32_execution(enabled=False)


def _check_environment() -> None:
    for name, effect in _SWITCHES.items():
        if os.environ.get(name, "").lower() in _SET:
            raise InputError(f"{name}={os.environ[name]}: {effect}; unset it")
    for name in _ROUNDING:
        if (mode := os.environ.get(name, "strict")).lower() not in {"", "strict"}:
            raise InputError(f"{name}={mode}: products of float32 would be rounded; unset it")
    for name in _SHORTENING:
        if os.environ.get(name):
            raise InputError(f"{name}={os.environ[name]}: Keras would skip steps; unset it")


def _environment_backend() -> dict[str, str]:
    backend = os.environ.get("KERAS_BACKEND")
    return {"backend": backend} if backend else {}


def _imported() -> dict[str, Any]:
    import keras

    config = keras.config
    return {name: getattr(config, name)() for name in _EXPECTED}


def _of_program() -> Iterator[str]:
    """Yield the errors of settings that only the calling program can change."""
    import keras
    import tensorflow as tf

    policy = keras.config.dtype_policy()
    if type(policy) is not keras.DTypePolicy or policy.name != "float32":
        yield (
            f"Keras's dtype policy is {policy.name!r}, expected 'float32'; call "
            "keras.config.set_dtype_policy('float32')"
        )
    for name in ("max_epochs", "max_steps_per_epoch"):
        if getattr(keras.config, name, lambda: None)():
            yield f"keras.config.set_{name} is set: Keras would skip steps; set it to None"
    options = tf.config.optimizer.get_experimental_options()
    if mixed := [name for name, on in options.items() if on and "mixed_precision" in name]:
        yield (
            f"TensorFlow's optimizer option {mixed[0]} is on: it computes in half precision; turn "
            "it off with tf.config.optimizer.set_experimental_options"
        )


def _set_otherwise(name: str, received: object, expected: object) -> str:
    """Return the error for a setting, with its origin: a variable, a file, or the program."""
    path = keras_json()
    if name == "backend" and os.environ.get("KERAS_BACKEND") == received:
        where, fix = "KERAS_BACKEND", "unset it"
    elif configured().get(name) == received:
        where, fix = str(path), f'change it to "{name}": {json.dumps(expected)}'
    else:
        where, fix = "the program", f"call keras.config.set_{name}({expected!r})"
    return f"Keras's {name} is {received!r}, expected {expected!r}, set by {where}; {fix}"
