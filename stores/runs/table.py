"""The table of all runs: made from their records, kept as Parquet, and deciding nothing."""

import json
import logging
from contextlib import suppress
from dataclasses import fields
from typing import Any

import pyarrow as pa

from stores.errors import CorruptStore, NewerFormat, StoreError, StoreFull, StoreReadOnly
from stores.runs.evaluations import known_evaluations
from stores.runs.record import RUN_VERSION, Run, records
from stores.storage.json_files import ABSURD
from stores.storage.location import Location
from stores.storage.safe_files import status
from stores.storage.stamped_parquet import read_table, table_bytes
from stores.targets import MAIN_FIGURE

log = logging.getLogger("gargalo.store")

# Those of train and validation that a run may have; the rest of its metrics stand in its record.
_METRICS = (
    "train_accuracy",
    "validation_accuracy",
    "validation_balanced_accuracy",
    "validation_macro_f1",
    "validation_roc_area",
    "validation_pr_area",
    "validation_log_loss",
    "validation_rms_calibration_error",
    "validation_calibration_error",  # of runs before that: of few images too large
    "validation_mean_average_precision",  # of several labels
    "validation_micro_f1",
    "validation_exact_match",
    "validation_mean_absolute_error",  # of numbers
    "validation_root_mean_squared_error",
    "validation_r2",
)
_TEST_METRICS = tuple(f"test_{figure.name}" for figure in MAIN_FIGURE.values())
_SCHEMA = pa.schema(
    [
        ("run", pa.string()),
        ("dataset", pa.string()),
        ("dataset_digest", pa.string()),
        ("fingerprint", pa.string()),
        ("target", pa.string()),
        ("classes", pa.list_(pa.string())),
        ("head", pa.string()),
        ("head_specification", pa.string()),
        ("parameters", pa.string()),
        ("finetuning", pa.string()),
        ("seed", pa.int64()),
        ("folds", pa.int64()),
        ("fold_seed", pa.int64()),
        ("groups", pa.string()),
        ("failure", pa.string()),
        *((name, pa.float64()) for name in _METRICS),
        *((name, pa.float64()) for name in _TEST_METRICS),
        ("test_openings", pa.int64()),
        ("created", pa.string()),
    ]
)
_COPIED = [field.name for field in fields(Run) if field.name in _SCHEMA.names]


def current_table(folder: Location) -> pa.Table:
    """Return all runs of a folder, one row each, newest last; kept there as `runs.parquet`.

    The file is made again whenever it does not hold the runs that there are. A run whose record is
    damaged or newer is left out, and said. Raises NewerFormat where the file itself is newer.
    """
    folder.refresh()
    if not status(_place(folder).path) and not records(folder):
        return _SCHEMA.empty_table()  # a store without runs is only looked at
    try:
        with (folder / "lock").locked():  # an older list must not replace a newer one
            return _kept_table(folder)
    except (StoreReadOnly, StoreFull) as error:
        log.debug("the table of runs is not kept: %s", error)
        return _listed(folder)


def bring_up_to_date(folder: Location) -> None:
    """Make `runs.parquet` again after a change; a failure is said and is none of the run's."""
    try:
        current_table(folder)
    except StoreError as error:
        log.warning("%s is not brought up to date: %s", _place(folder), error)


def _kept_table(folder: Location) -> pa.Table:
    table = _listed(folder)
    with suppress(OSError, CorruptStore):  # it is derived, and made again
        if _stored(folder).equals(table):
            return table
    content = table_bytes(table, kind="runs", version=RUN_VERSION)
    _place(folder).publish(content, tmp=folder / "tmp")
    return table


def listed_evaluations(folder: Location) -> dict[str, int]:
    """Return how many test evaluations of each run were ever listed, by the run's id."""
    try:
        table = _stored(folder, columns=["run", "test_openings"])
        return {row["run"]: int(row["test_openings"]) for row in table.to_pylist()}
    except (OSError, StoreError, *ABSURD):  # the runs' own files say the same
        return {}


def _stored(folder: Location, *, columns: list[str] | None = None) -> pa.Table:
    return read_table(_place(folder).path, kind="runs", version=RUN_VERSION, columns=columns)[0]


def _listed(folder: Location) -> pa.Table:
    rows, counts = [_SCHEMA.empty_table()], listed_evaluations(folder)
    for record in records(folder):
        try:
            rows.append(pa.Table.from_pylist([_row(record, counts)], _SCHEMA))
        except FileNotFoundError:
            continue  # somebody deletes that run just now
        except (CorruptStore, NewerFormat) as error:
            log.warning("%s; left out of the table of runs", error)
        except (pa.ArrowException, OverflowError) as error:  # a value that no column holds
            log.warning("%s: %s; left out of the table of runs", record, error)
    return pa.concat_tables(rows).sort_by("created").combine_chunks()


def _row(record: Location, counts: dict[str, int]) -> dict[str, Any]:
    run = Run.read(record)
    known = known_evaluations(record.parent)
    openings = [opening for opening in known.values() if opening and not opening.partial]
    chosen = {name: getattr(run, name) for name in _COPIED}
    return chosen | {
        "run": run.id,
        "head": run.head["kind"],
        "head_specification": json.dumps(run.head, sort_keys=True),
        "parameters": json.dumps(run.parameters, sort_keys=True),
        "finetuning": json.dumps(run.finetuning, sort_keys=True),
        "classes": list(run.classes),
        **{name: run.metrics.get(name) for name in _METRICS},
        **{name: openings[-1].metrics.get(name) if openings else None for name in _TEST_METRICS},
        # One whose files are gone is counted all the same: this table is the last to know of it.
        "test_openings": max(len(known), counts.get(run.id, 0)),
    }


def _place(folder: Location) -> Location:
    return folder / "runs.parquet"
