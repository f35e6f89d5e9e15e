"""Dense heads: Keras's networks, trained by NumPy, many at a time."""

from tasks.heads.dense.trained import KIND

__all__ = ["KIND"]
