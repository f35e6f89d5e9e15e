"""Keras must run on TensorFlow, whose decoder gives the pixels; asked before Keras is imported."""

import json
import os
import sys
from pathlib import Path

from tasks.errors import InputError

EXPECTED = "tensorflow"


def check_backend() -> None:
    """Raise InputError where Keras runs, or would run once imported, on another backend."""
    if "keras" in sys.modules:
        import keras

        backend = keras.config.backend()
    else:
        backend = os.environ.get("KERAS_BACKEND") or _configured()
    if backend != EXPECTED:
        raise InputError(
            f"Keras is set to run on {backend!r}, expected {EXPECTED!r}; unset KERAS_BACKEND and "
            f"`backend` in keras.json, or set them to {EXPECTED}"
        )


def _configured() -> str:
    folder = os.environ.get("KERAS_HOME") or "~/.keras"
    try:
        settings = json.loads((Path(folder).expanduser() / "keras.json").read_text())
        return str(settings.get("backend", EXPECTED))
    except (OSError, ValueError, AttributeError, RuntimeError):
        return EXPECTED  # as Keras does with a file that it cannot read
