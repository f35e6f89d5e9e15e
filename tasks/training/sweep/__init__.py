"""Sweeps: the heads that are tried, and in which order."""
