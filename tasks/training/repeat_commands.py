"""What to type to get a run again."""

import json
import shlex
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stores.errors import NotInStore
from stores.layout import locate
from stores.manifest import Manifest
from stores.runs.record import Run
from stores.runs.store import RunStore
from stores.storage.location import StoreLike
from tasks.datasets.folder_layout import AUTO
from tasks.features.job import FEATURE_SETTINGS

# Settings whose default depends on others: that one is off has to be said.
_SAID_EITHER_WAY = {"standardize", "train_batch_norm"}


@dataclass(frozen=True)
class SweepCall:
    """How a sweep was called: its flags, and the bytes of its file, where it had one."""

    flags: dict[str, Any]
    file: bytes | None = None


@dataclass(frozen=True)
class Kept:
    """Files beside a report that its commands name: the splits, and the sweep's file."""

    splits: Path
    sweep: Path | None = None


def to_repeat(run: Run, manifest: Manifest, store: StoreLike, kept: Kept) -> Iterator[list[str]]:
    """Yield what to type to get a run again in a store that has nothing, one after the other.

    A pipeline begins at the folder, and so does what is typed before a training or a sweep. A
    fine-tuning comes after what its head was trained by.
    """
    stored = RunStore(store)
    if start := run.finetuning.get("started_from"):
        with suppress(NotInStore):  # deleted since
            yield from to_repeat(stored.read(start), manifest, store, kept)
    elif "open_test" in run.parameters:
        yield from _before_training(manifest, [run], store, kept)
    opened = bool(stored.openings(run.id))
    yield command_line(run, manifest, store, opened=opened, splits=kept.splits)


def to_repeat_sweep(
    call: SweepCall, manifest: Manifest, runs: Sequence[Run], store: StoreLike, kept: Kept
) -> Iterator[list[str]]:
    """Yield what to type to get a sweep again in a store that has nothing."""
    yield from _before_training(manifest, runs, store, kept)
    file = f" {shlex.quote(str(kept.sweep))}" if kept.sweep else ""
    begun = f"python -m flows.sweep {shlex.quote(manifest.name)}{file}"
    yield [begun, *options(call.flags | {"store": locate(store).show()})]


def command_line(
    run: Run, manifest: Manifest, store: StoreLike, *, opened: bool, splits: Path | None = None
) -> list[str]:
    """Return what to type to get this run again, quoted for a shell: one option a line.

    A fine-tuning begins at the run whose head it started with. A run of `flows.train` or
    `flows.sweep`, which can leave the test split closed, begins at the features; any other at the
    folder, with the splits that its data set has.
    """
    if run.finetuning:
        asked = {**run.parameters["finetuning"], "store": locate(store).show(), "open_test": opened}
        start = run.finetuning["started_from"][:16]
        return [f"python -m flows.finetune {start}", *options(asked)]
    given = {"seed": run.seed, **run.parameters, "store": locate(store).show()}
    given["head"] = given.pop("heads", given.get("head"))
    if "open_test" in given:
        given["open_test"] = opened
        flow = "sweep" if "grid" in given else "train"
        return [f"python -m flows.{flow} {shlex.quote(manifest.name)}", *options(given)]
    # The rule of the data set stands before what was said: the splits may be of another one.
    given |= {"dataset": manifest.name, "split_file": splits}
    folder = shlex.quote(manifest.folder)
    return [f"python -m flows.pipeline {folder}", *options(given | _split_options(manifest))]


def _split_options(manifest: Manifest) -> dict[str, Any]:
    """Return how a data set's splits were made, as options."""
    return {
        "test_split": manifest.test_split,
        "validation_split": manifest.validation_split,
        "layout": None if manifest.layout == AUTO else manifest.layout,
    }


def _before_training(
    manifest: Manifest, runs: Sequence[Run], store: StoreLike, kept: Kept
) -> Iterator[list[str]]:
    """Yield the commands that fill a store with a data set, and with the features of some runs."""
    asked = {
        "dataset": manifest.name,
        "seed": manifest.split_seed,
        **_split_options(manifest),
        "split_file": kept.splits,
        "store": locate(store).show(),
    }
    yield [f"python -m flows.ingest {shlex.quote(manifest.folder)}", *options(asked)]
    taps: dict[str, list[str]] = {}
    for run in runs:
        features = features_asked(run)
        if features.get("weights") == "none":  # they have a seed too
            features["seed"] = run.parameters.get("seed", manifest.split_seed)
        own = features.pop("tap", [])
        known = taps.setdefault(json.dumps(features, sort_keys=True), [])
        known += [tap for tap in own if tap not in known]
    for features_json, several in taps.items():
        features = {**json.loads(features_json), "tap": several, "store": locate(store).show()}
        yield [f"python -m flows.extract {shlex.quote(manifest.name)}", *options(features)]


def features_asked(run: Run) -> dict[str, Any]:
    """Return the requested settings of a run's features."""
    return {name: run.parameters[name] for name in FEATURE_SETTINGS if name in run.parameters}


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
            yield from (f"{option}={shlex.quote(str(one))}" for one in several)
