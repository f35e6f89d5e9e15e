"""Histories and predictions of the runs that tests store."""

import pyarrow as pa

HISTORY = [{"loss": 1.0, "accuracy": 0.5}, {"loss": 0.5, "accuracy": 0.75}]


def predictions(split="validation", keys=(b"k" * 32,), accuracy=0.75):
    """Four rows an image, of which a share, in quarters, is right."""
    columns = {"split": split, "label": "cat", "scores": [0.25, 0.75]}
    rows = [
        {"key": key, **columns, "predicted": "cat" if n < accuracy * 4 else "ação"}
        for key in keys
        for n in range(4)
    ]
    names = ("key", "split", "label", "predicted", "scores")
    return pa.table({name: [row[name] for row in rows] for name in names})
