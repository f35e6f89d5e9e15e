"""Dense heads: Keras's networks, trained by NumPy, many at a time."""
