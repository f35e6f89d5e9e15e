"""Keras and TensorFlow, imported after a check of their settings. No other module imports them.

Keras reads its settings while it is imported, and fails on a wrong one with a long traceback. So
they are checked before. `check_backend` checks again what a program may have changed since.
"""

from tasks.execution.cancellation import interrupts_later
from tasks.execution.keras_backend import check_backend

check_backend()

with interrupts_later():
    import keras
    import tensorflow as tf

__all__ = ["keras", "tf"]
