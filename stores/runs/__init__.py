"""Runs: their records, models, predictions, test evaluations and checkpoints."""
