"""Predictions of new images."""
