"""What to type to get a run again."""

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stores.manifest import Manifest
from stores.mirror import shown
from stores.run import Run
from tasks.folder_layout import AUTO

# What is asked of the features, of all that a run's parameters hold.
OF_FEATURES = (
    "backbone",
    "weights",
    "image_size",
    "tap",
    "pooling",
    "dtype",
    "precision",
    "decode",
)
# Settings whose default depends on others: that one is off has to be said.
_SAID_EITHER_WAY = {"standardize", "train_batch_norm"}


def command_line(run: Run, manifest: Manifest, store: Path, *, opened: bool) -> list[str]:
    """Return what to type to get this run again, quoted for a shell: one option a line.

    A fine-tuning begins at the run whose head it started with. A run of `flows.train` or
    `flows.sweep`, which can leave the test split closed, begins at the features; any other at the
    folder, with the seed and the shares that its data set was split by.
    """
    if run.finetuning:
        asked = {**run.parameters["finetuning"], "store": shown(store), "open_test": opened}
        start = run.finetuning["started_from"][:16]
        return [f"python -m flows.finetune {start}", *options(asked)]
    given = {"seed": run.seed, **run.parameters, "store": shown(store)}
    if "open_test" in given:
        given["open_test"] = opened
        flow = "sweep" if "grid" in given else "train"
        return [f"python -m flows.{flow} {shlex.quote(manifest.name)}", *options(given)]
    split = {
        "dataset": manifest.name,
        "test_split": manifest.test_split,
        "validation_split": manifest.validation_split,
        "layout": None if manifest.layout == AUTO else manifest.layout,
    }
    folder = shlex.quote(manifest.folder)
    return [f"python -m flows.pipeline {folder}", *options(split | given)]


def features_asked(run: Run) -> dict[str, Any]:
    """Return what was asked of a run's features."""
    return {name: run.parameters[name] for name in OF_FEATURES if name in run.parameters}


def options(given: dict[str, Any], prefix: str = "--") -> Iterator[str]:
    """Yield parameters as what is typed on a command line, quoted for a shell."""
    for name, value in given.items():
        option = prefix + name.replace("_", "-")
        if isinstance(value, dict):
            yield from options(value, f"{option}.")
        elif value is True:
            yield option
        elif value is False and name in _SAID_EITHER_WAY:
            yield f"{prefix}no-{name.replace('_', '-')}"
        elif value is not None and value is not False:
            several = value if isinstance(value, list | tuple) else [value]
            yield from (
                f"{option}={shlex.quote(shown(one) if isinstance(one, Path) else str(one))}"
                for one in several
            )
