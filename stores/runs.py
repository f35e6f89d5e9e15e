"""The run store: trained heads with their metrics, history, predictions and models."""

import hashlib
import json
import logging
import os
import re
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from stores.errors import CorruptStore, NotInStore, StoreError, StoreFull, StoreReadOnly
from stores.publish import locked, publish_file, publish_folder
from stores.run import RUN_VERSION, Run, TestOpening
from stores.tables import read_table, table_bytes

log = logging.getLogger("gargalo.store")

_SCHEMA = pa.schema(
    [
        ("run", pa.string()),
        ("dataset", pa.string()),
        ("dataset_digest", pa.string()),
        ("fingerprint", pa.string()),
        ("classes", pa.list_(pa.string())),
        ("head", pa.string()),
        ("head_specification", pa.string()),
        ("seed", pa.int64()),
        ("train_accuracy", pa.float64()),
        ("validation_accuracy", pa.float64()),
        ("test_accuracy", pa.float64()),
        ("test_openings", pa.int64()),
        ("created", pa.string()),
    ]
)
_COPIED = [field.name for field in fields(Run) if field.name in _SCHEMA.names]


class RunStore:
    """The runs of the store at `root`: `runs/<first 16 digits of the run's id>/`."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.folder = Path(root) / "runs"
        self._table_path = self.folder / "runs.parquet"

    def __contains__(self, run: object) -> bool:
        return isinstance(run, str) and (self._path(run) / "run.json").exists()

    def model_folder(self, run: str) -> Path:
        """Return where a run's model lies; writing and reading it is the trainer's business.

        Raises CorruptStore where its files are not those that were written.
        """
        stored = self.read(run)
        folder = self._path(stored.id) / "model"
        expected, found = stored.model_digests, _digests(folder)
        for name in sorted(expected.keys() | found.keys()):
            if expected.get(name) != found.get(name):
                raise CorruptStore(
                    f"{folder / name}: the model is damaged (SHA-256: expected "
                    f"{expected.get(name, 'no file')}, found {found.get(name, 'no file')}); "
                    f"delete {folder.parent}, train again"
                )
        return folder

    def publish(
        self,
        run: Run,
        *,
        history: Sequence[dict[str, float]],
        predictions: pa.Table,
        save_model: Callable[[Path], None],
    ) -> Run:
        """Store a run, whole or not at all, and return it as stored.

        `history` has one row an epoch. `predictions` has the columns key, split, label, predicted
        (both names of classes) and scores (one number a class). `save_model` writes into the
        empty folder that it is given. Where the same run was stored before, that one is kept.
        Raises StoreReadOnly or StoreFull.
        """
        with publish_folder(self._path(run.id), tmp=self.folder / "tmp") as draft:
            (draft / "model").mkdir()
            save_model(draft / "model")
            stored = replace(run, model_digests=_digests(draft / "model"))
            (draft / "history.parquet").write_bytes(
                table_bytes(_epochs(history), kind="history", version=RUN_VERSION)
            )
            (draft / "predictions.parquet").write_bytes(
                table_bytes(predictions, kind="predictions", version=RUN_VERSION)
            )
            (draft / "run.json").write_text(stored.to_json())
        self._bring_table_up_to_date()
        return self.read(run.id)

    def read(self, run: str) -> Run:
        """Return a run by its id or the beginning of it; raises NotInStore or CorruptStore."""
        digits = re.fullmatch("[0-9a-f]{1,64}", run)
        paths = list(self.folder.glob(f"{run[:16]}*/run.json")) if digits else []
        if len(paths) == 1:
            stored = Run.read(paths[0])
            if not stored.id.startswith(paths[0].parent.name):
                raise CorruptStore(f"{paths[0]}: found run {stored.id}; move it away, train again")
            if stored.id.startswith(run):
                return stored
        there = ", ".join(path.parent.name for path in self._records()) or "none"
        raise NotInStore(f"{self.folder}: no run, or more than one, {run!r}; there: {there}")

    def history(self, run: str) -> pa.Table:
        """Return a run's metrics, one row an epoch; without rows for heads that have no epochs."""
        path = self._found(run) / "history.parquet"
        return read_table(path, kind="history", version=RUN_VERSION)[0]

    def predictions(self, run: str) -> pa.Table:
        """Return a run's predictions on its train and validation images, and test if opened."""
        folder = self._found(run)
        tables = [folder / "predictions.parquet"]
        tables += [path.with_suffix(".parquet") for path in _openings(folder)[-1:]]
        return pa.concat_tables(
            read_table(path, kind="predictions", version=RUN_VERSION)[0] for path in tables
        )

    def open_test(
        self, run: str, *, asked_by: str, metrics: dict[str, float], predictions: pa.Table
    ) -> TestOpening:
        """Record, durably, that a run's test split was looked at."""
        stored, now = self.read(run), datetime.now(UTC)
        opening = TestOpening(asked_by, stored.dataset_digest, metrics, now.isoformat())
        stem = f"{now:%Y%m%dT%H%M%S%f}-{uuid.uuid4().hex[:8]}"
        path = self._path(stored.id) / "test" / f"{stem}.json"
        table = table_bytes(predictions, kind="predictions", version=RUN_VERSION)
        publish_file(table, path.with_suffix(".parquet"), tmp=self.folder / "tmp")
        publish_file(opening.to_json().encode(), path, tmp=self.folder / "tmp")
        self._bring_table_up_to_date()
        return opening

    def openings(self, run: str) -> list[TestOpening]:
        """Return each look that was taken at the test split with this run, oldest first."""
        return [TestOpening.read(path) for path in _openings(self._found(run))]

    def times_opened(self, dataset_digest: str) -> int:
        """Count the looks that were taken at a data set's test split, with whatever run."""
        openings = map(TestOpening.read, self.folder.glob("*/test/*.json"))
        return sum(opening.dataset_digest == dataset_digest for opening in openings)

    def table(self) -> pa.Table:
        """Return all runs, one row each, newest last; kept as `runs/runs.parquet` too.

        The file is derived: it is made again whenever it does not hold the runs that there are.
        """
        if not self._table_path.exists() and not self._records():
            return _SCHEMA.empty_table()  # a store without runs is only looked at
        try:
            with locked(self.folder / "lock"):  # an older list must not replace a newer one
                return self._kept_table()
        except (StoreReadOnly, StoreFull) as error:
            log.debug("the table of runs is not kept: %s", error)
            return self._listed()

    def _bring_table_up_to_date(self) -> None:
        try:
            self.table()
        except StoreError as error:  # of another run, or of the table: this run is stored
            log.warning("%s is not brought up to date: %s", self._table_path, error)

    def _kept_table(self) -> pa.Table:
        table = self._listed()
        with suppress(FileNotFoundError, CorruptStore):  # it is derived, and made again
            if read_table(self._table_path, kind="runs", version=RUN_VERSION)[0].equals(table):
                return table
        content = table_bytes(table, kind="runs", version=RUN_VERSION)
        publish_file(content, self._table_path, tmp=self.folder / "tmp")
        return table

    def _listed(self) -> pa.Table:
        rows = []
        for record in self._records():
            with suppress(FileNotFoundError):  # somebody deletes that run just now
                rows.append(self._row(record))
        return pa.Table.from_pylist(sorted(rows, key=lambda row: str(row["created"])), _SCHEMA)

    def _row(self, record: Path) -> dict[str, Any]:
        run = Run.read(record)
        openings = [TestOpening.read(path) for path in _openings(record.parent)]
        chosen = {name: getattr(run, name) for name in _COPIED}
        return chosen | {
            "run": run.id,
            "head": run.head["kind"],
            "head_specification": json.dumps(run.head, sort_keys=True),
            "classes": list(run.classes),
            "train_accuracy": run.metrics.get("train_accuracy"),
            "validation_accuracy": run.metrics.get("validation_accuracy"),
            "test_accuracy": openings[-1].metrics.get("test_accuracy") if openings else None,
            "test_openings": len(openings),
        }

    def _records(self) -> list[Path]:
        return sorted(self.folder.glob("*/run.json"))

    def _found(self, run: str) -> Path:
        return self._path(self.read(run).id)

    def _path(self, run: str) -> Path:
        return self.folder / run[:16]


def _openings(folder: Path) -> list[Path]:
    return sorted((folder / "test").glob("*.json"))


def _digests(folder: Path) -> dict[str, str]:
    digests = {}
    for path in filter(Path.is_file, sorted(folder.rglob("*"))):
        with path.open("rb") as file:
            name = path.relative_to(folder).as_posix()
            digests[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return digests


def _epochs(history: Sequence[dict[str, float]]) -> pa.Table:
    # A metric need not be there in each epoch: Keras validates every nth where it is told to.
    names = dict.fromkeys(name for epoch in history for name in epoch)
    columns = {name: [epoch.get(name) for epoch in history] for name in names}
    return pa.table({"epoch": pa.array(range(1, len(history) + 1), pa.int64()), **columns})
