"""How tasks run: retries, cancellation, progress, and the settings of Keras."""
