"""The commands that repeat a run."""

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
from tasks.datasets.folder_layout import AUTO, TABLE
from tasks.features.request import FEATURE_SETTINGS

# Settings whose default depends on others, so that False needs a flag too.
_WITH_NEGATIVE_FLAG = {"standardize", "train_batch_norm"}


@dataclass(frozen=True)
class SweepCall:
    """How a sweep was called: its flags, and the content of its file, if it had one."""

    flags: dict[str, Any]
    file: bytes | None = None


@dataclass(frozen=True)
class Kept:
    """Files of a report that its commands use: splits, labels with groups, and the sweep's file."""

    splits: Path | None = None
    labels: Path | None = None
    sweep: Path | None = None


def to_repeat(run: Run, manifest: Manifest, store: StoreLike, kept: Kept) -> Iterator[list[str]]:
    """Yield the commands that repeat a run in an empty store, in order.

    They begin with the folder of images. A fine-tuning comes after the training of its head.
    """
    stored = RunStore(store)
    if start := run.finetuning.get("started_from"):
        with suppress(NotInStore):  # it was deleted
            yield from to_repeat(stored.read(start), manifest, store, kept)
    elif "open_test" in run.parameters:
        yield from _before_training(manifest, [run], store, kept)
    opened = bool(stored.openings(run.id))
    yield command_line(run, manifest, store, opened=opened, kept=kept)


def to_repeat_sweep(
    call: SweepCall, manifest: Manifest, runs: Sequence[Run], store: StoreLike, kept: Kept
) -> Iterator[list[str]]:
    """Yield the commands that repeat a sweep in an empty store."""
    yield from _before_training(manifest, runs, store, kept)
    file = f" {shlex.quote(str(kept.sweep))}" if kept.sweep else ""
    begun = f"python -m flows.sweep {shlex.quote(manifest.name)}{file}"
    yield [begun, *options(call.flags | {"store": locate(store).show()})]


def command_line(
    run: Run, manifest: Manifest, store: StoreLike, *, opened: bool, kept: Kept = Kept()
) -> list[str]:
    """Return the command that repeats a run, quoted for a shell, one option per line.

    A fine-tuning starts with the run of its head. A run of `flows.train` or `flows.sweep`, where
    the test evaluation is optional, starts with the features. Any other starts with the folder, and
    the splits of its data set.
    """
    if run.finetuning:
        flags = {**run.parameters["finetuning"], "store": locate(store).show(), "open_test": opened}
        start = run.finetuning["started_from"][:16]
        return [f"python -m flows.finetune {start}", *options(flags)]
    given = {"seed": run.seed, **run.parameters, "store": locate(store).show()}
    given["head"] = given.pop("heads", given.get("head"))
    if "open_test" in given:
        given["open_test"] = opened
        given.pop("orientation", None)  # of the data set, which is ingested already
        flow = "sweep" if "grid" in given else "train"
        return [f"python -m flows.{flow} {shlex.quote(manifest.name)}", *options(given)]
    # The rule of the data set is used, because the run's parameters may not be that of its splits.
    given |= {"dataset": manifest.name, "split_file": kept.splits}
    folder = shlex.quote(manifest.folder)
    return [f"python -m flows.pipeline {folder}", *options(given | _split_options(manifest, kept))]


def _split_options(manifest: Manifest, kept: Kept) -> dict[str, Any]:
    """Return the options of a data set's splits, labels and groups.

    The kept labels are corrected, and their columns have our names: no table of the user's is read.
    """
    users = dict.fromkeys(("column", "group", "corrections", "keep_together"))
    by_pattern = manifest.group_pattern and manifest.keep_together == "none"
    return users | {
        "test_split": manifest.test_split,
        "validation_split": manifest.validation_split,
        "layout": None if manifest.layout in {AUTO, TABLE} or kept.labels else manifest.layout,
        "labels": kept.labels,
        "label_separator": manifest.label_separator or None,
        "target": manifest.classes[0] if manifest.target == "number" else None,
        "split_by": None if kept.splits or manifest.split_by == "chance" else manifest.split_by,
        "group_pattern": manifest.group_pattern if by_pattern else None,
        "orientation": None if manifest.orientation == "upright" else manifest.orientation,
    }


def _before_training(
    manifest: Manifest, runs: Sequence[Run], store: StoreLike, kept: Kept
) -> Iterator[list[str]]:
    """Yield the commands that fill a store with a data set, and with the features of some runs."""
    flags = {
        "dataset": manifest.name,
        "seed": manifest.split_seed,
        **_split_options(manifest, kept),
        "split_file": kept.splits,
        "store": locate(store).show(),
    }
    yield [f"python -m flows.ingest {shlex.quote(manifest.folder)}", *options(flags)]
    taps: dict[str, list[str]] = {}
    for run in runs:
        features = requested_features(run)
        if features.get("weights") == "none":  # untrained weights have a seed
            features["seed"] = run.parameters.get("seed", manifest.split_seed)
        own = features.pop("tap", [])
        known = taps.setdefault(json.dumps(features, sort_keys=True), [])
        known += [tap for tap in own if tap not in known]
    for features_json, several in taps.items():
        features = {**json.loads(features_json), "tap": several, "store": locate(store).show()}
        yield [f"python -m flows.extract {shlex.quote(manifest.name)}", *options(features)]


def requested_features(run: Run) -> dict[str, Any]:
    """Return the parameters of a run that concern its features."""
    return {name: run.parameters[name] for name in FEATURE_SETTINGS if name in run.parameters}


def options(given: dict[str, Any], prefix: str = "--") -> Iterator[str]:
    """Yield parameters as flags of a command line, quoted for a shell."""
    for name, value in given.items():
        option = prefix + name.replace("_", "-")
        if isinstance(value, dict):
            yield from options(value, f"{option}.")
        elif value is True:
            yield option
        elif value is False and name in _WITH_NEGATIVE_FLAG:
            yield f"{prefix}no-{name.replace('_', '-')}"
        elif value is not None and value is not False:
            several = value if isinstance(value, list | tuple) else [value]
            yield from (f"{option}={shlex.quote(str(one))}" for one in several)
