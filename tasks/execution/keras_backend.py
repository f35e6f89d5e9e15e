"""What Keras and TensorFlow are set to, where it decides values: one check for all who use them.

Recipes and runs say float32, (height, width, channels) and TensorFlow's decoder. `keras.json`, the
environment or the program around may say otherwise; the same recipe would then name other values.
What changes last bits only (TF_ENABLE_ONEDNN_OPTS, XLA, threads) is for the tolerance to allow.
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
_SET = {"1", "true"}  # as TensorFlow and Keras read a switch
# Switches of the environment, and what each would do.
_SWITCHES = {
    "TF_USE_LEGACY_KERAS": "TensorFlow would use Keras 2",
    "TF_ENABLE_AUTO_MIXED_PRECISION": "TensorFlow would compute in half precision",
    "TF_ENABLE_AUTO_MIXED_PRECISION_GRAPH_REWRITE": "TensorFlow would compute in half precision",
    "KERAS_NNX_ENABLED": "Keras would ask for JAX",
}
# Modes of oneDNN's products of float32, and Keras's limits on a training, by their variables.
_ROUNDING = ("ONEDNN_DEFAULT_FPMATH_MODE", "DNNL_DEFAULT_FPMATH_MODE", "TF_SET_ONEDNN_FPMATH_MODE")
_SHORTENING = ("KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH")


def check_backend() -> None:
    """Raise InputError where a setting of Keras or TensorFlow would decide values.

    Called wherever a model is built, pixels are made or a model is read; it imports neither. Where
    they are imported, what they are set to counts, else what they would read.
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
    """Return the file that Keras reads its settings from when it is imported."""
    home = os.path.expanduser("~")  # noqa: PTH111  it leaves an unknown user as it is
    usual = home if os.access(home, os.W_OK) else "/tmp"  # noqa: S108  so Keras does
    path = os.path.join(os.environ.get("KERAS_HOME", f"{usual}/.keras"), "keras.json")  # noqa: PTH118
    return Path(os.path.expanduser(path))  # noqa: PTH111


def configured() -> dict[str, Any]:
    """Return the settings in `keras.json`; raises InputError for a file that Keras stumbles on."""
    path = keras_json()
    if not os.path.exists(path):  # noqa: PTH110  whatever is amiss on the way, as Keras
        return {}
    if not path.is_file():  # a pipe would be waited for
        raise InputError(f"{path}: expected a file of Keras's settings; move it away")
    try:
        settings = json.loads(path.read_text())
    except ValueError:
        return {}  # as Keras does with a file that is no JSON
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
    """Have TensorFlow compute products of float32 in float32: on a GPU it rounds to 10 bits."""
    import tensorflow as tf

    tf.config.experimental.enable_tensor_float_32_execution(enabled=False)


def _check_environment() -> None:
    for name, effect in _SWITCHES.items():
        if os.environ.get(name, "").lower() in _SET:
            raise InputError(f"{name}={os.environ[name]}: {effect}; unset it")
    for name in _ROUNDING:
        if (mode := os.environ.get(name, "strict")).lower() not in {"", "strict"}:
            raise InputError(f"{name}={mode}: float32 would be rounded in products; unset it")
    for name in _SHORTENING:
        if os.environ.get(name):
            raise InputError(f"{name}={os.environ[name]}: Keras would leave steps out; unset it")


def _environment_backend() -> dict[str, str]:
    backend = os.environ.get("KERAS_BACKEND")
    return {"backend": backend} if backend else {}


def _imported() -> dict[str, Any]:
    import keras

    config = keras.config
    return {name: getattr(config, name)() for name in _EXPECTED}


def _of_program() -> Iterator[str]:
    """Yield what a program has set that `keras.json` cannot."""
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
            yield f"keras.config.set_{name} is set: Keras would leave steps out; set it to None"
    options = tf.config.optimizer.get_experimental_options()
    if mixed := [name for name, on in options.items() if on and "mixed_precision" in name]:
        yield (
            f"TensorFlow's optimizer has {mixed[0]} on, which computes in half precision; switch "
            "it off by tf.config.optimizer.set_experimental_options"
        )


def _set_otherwise(name: str, received: object, expected: object) -> str:
    """Return the error for a setting, with where it comes from as far as that can be seen."""
    path = keras_json()
    if name == "backend" and os.environ.get("KERAS_BACKEND") == received:
        where, fix = "KERAS_BACKEND", "unset it"
    elif configured().get(name) == received:
        where, fix = str(path), f'write "{name}": {json.dumps(expected)} there'
    else:
        where, fix = "the program", f"call keras.config.set_{name}({expected!r})"
    return f"Keras's {name} is {received!r}, expected {expected!r}, set by {where}; {fix}"
