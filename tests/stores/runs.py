"""Runs to store in tests."""

from dataclasses import replace

import pyarrow as pa

from tests.stores.test_run import RUN

OTHER = replace(RUN, seed=8, created="2026-01-02T00:00:00+00:00")
HISTORY = [{"loss": 1.0, "accuracy": 0.5}, {"loss": 0.5, "accuracy": 0.75}]


def predictions(split="validation", keys=(b"k" * 32,)):
    columns = {"split": split, "label": "cat", "predicted": "ação", "scores": [0.25, 0.75]}
    return pa.table({"key": list(keys)} | {name: [v] * len(keys) for name, v in columns.items()})


def save_model(folder):
    (folder / "model.txt").write_text("the model")


def publish(store, run=RUN, *, history=HISTORY, save=save_model):
    """Store a run as training does."""
    stored = store.publish(run, history=history, predictions=predictions(), save_model=save)
    store.bring_up_to_date()
    return stored


def look(store, run=RUN.id, accuracy=0.5, keys=(b"k" * 32,)):
    opening = store.open_test(
        run,
        asked_by="report",
        metrics={"test_accuracy": accuracy},
        predictions=predictions("test", keys),
    )
    store.bring_up_to_date()
    return opening
