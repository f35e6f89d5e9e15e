"""Dense heads: Keras's networks, trained many at once by NumPy."""

from tasks.heads.dense.trained import KIND

__all__ = ["KIND"]
