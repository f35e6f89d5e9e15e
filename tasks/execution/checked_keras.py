"""Keras and TensorFlow, once their settings are known to be ours: nothing else here imports them.

Keras reads its settings while it is imported, and TensorFlow imports it: on a wrong one it ends in
many lines of its own. Whoever comes first has them checked here; the check at each door is for
what a program sets later.
"""

from tasks.execution.cancellation import interrupts_later
from tasks.execution.keras_backend import check_backend

check_backend()

with interrupts_later():
    import keras
    import tensorflow as tf

__all__ = ["keras", "tf"]
