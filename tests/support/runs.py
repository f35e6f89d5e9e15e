"""Runs to store in tests."""

from dataclasses import replace

from tests.stores.runs.test_record import RUN
from tests.support.parts import HISTORY, predictions

OTHER = replace(RUN, seed=8, created="2026-01-02T00:00:00+00:00")


def save_model(folder):
    (folder / "model.txt").write_text("the model")


def publish(store, run=RUN, *, history=HISTORY, save=save_model):
    """Store a run as training does."""
    said = predictions(accuracy=run.metrics.get("validation_accuracy", 0.75))
    stored = store.publish(run, history=history, predictions=said, save_model=save)
    store.bring_up_to_date()
    return stored


def look(store, run=RUN.id, accuracy=0.5, keys=(b"k" * 32,)):
    opening = store.open_test(
        run,
        asked_by="report",
        metrics={"test_accuracy": accuracy},
        predictions=predictions("test", keys, accuracy),
    )
    store.bring_up_to_date()
    return opening


def opening_paths(folder):
    """Return the records of the test evaluations in a run's folder, oldest first."""
    return sorted((folder / "test").glob("*.json"))
