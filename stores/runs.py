"""The run store: trained heads with their metrics, history, predictions and models."""

import os
import re
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from stores.checksums import damage, file_digests
from stores.errors import CorruptStore, NewerFormat, NotInStore, StoreError
from stores.keys import Keys
from stores.mirror import pull, store_path
from stores.publish import publish_file, publish_folder
from stores.rereading import reread
from stores.run import RUN_VERSION, Run, TestOpening, opening_paths, record_paths
from stores.run_table import bring_up_to_date, current_table
from stores.safe_files import status, write_new
from stores.safe_folders import entries, folders, make_one_folder
from stores.tables import read_table, table_bytes

_MOST_NAMED = 10  # runs, in a message
_RUN_FOLDER = re.compile("[0-9a-f]{16}$")


class RunStore:
    """The runs of the store at `root`: `runs/<first 16 digits of the run's id>/`."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = store_path(root)
        self.folder = self.root / "runs"

    def __contains__(self, run: object) -> bool:
        """Tell whether a run is stored, and whole; raises NewerFormat."""
        try:
            for part in (self.model_folder, self.history, self._own_predictions):
                part(str(run))
        except (NotInStore, CorruptStore):
            return False
        return True

    def model_folder(self, run: str) -> Path:
        """Return where a run's model lies; writing and reading it is the trainer's business.

        Raises CorruptStore where its files are not those that were written.
        """
        stored = self.read(run)
        return checked_model(self._path(stored.id) / "model", stored.model_digests)

    def publish(
        self,
        run: Run,
        *,
        history: Sequence[dict[str, float]],
        predictions: pa.Table,
        save_model: Callable[[Path], None],
    ) -> Run:
        """Store a run, whole or not at all, and return it as stored; `table` lists it.

        `history` has one row an epoch. `predictions` has the columns key, split, label, predicted
        (both names of classes) and scores (one number a class). `save_model` writes into the
        empty folder that it is given. Where the same run was stored before, that one is kept; of
        one that is damaged, only the looks at the test split are. Raises StoreReadOnly or
        StoreFull.
        """
        final, tmp = self._path(run.id), self.folder / "tmp"
        with publish_folder(final, tmp=tmp, is_whole=lambda: run.id in self) as draft:
            make_one_folder(draft / "model")
            save_model(draft / "model")
            stored = replace(run, model_digests=file_digests(draft / "model"))
            for kind, table in (("history", _epochs(history)), ("predictions", predictions)):
                content = table_bytes(table, kind=kind, version=RUN_VERSION)
                write_new(draft / f"{kind}.parquet", content)
            write_new(draft / "run.json", stored.to_json().encode())
        return self.read(run.id)

    def read(self, run: str) -> Run:
        """Return a run by its id or the beginning of it; raises NotInStore or CorruptStore."""
        pull(self.folder)
        paths: list[Path] = []
        if re.fullmatch("[0-9a-f]{1,64}", run):
            # A whole name is looked up, and not looked for among all.
            named = self._path(run) / "run.json"
            if len(run) >= 16 and status(named):
                paths = [named]
            else:
                there = record_paths(self.folder)
                paths = [path for path in there if path.parent.name.startswith(run[:16])]
        if len(paths) == 1:
            stored = Run.read(paths[0])
            if not stored.id.startswith(paths[0].parent.name):
                raise CorruptStore(f"{paths[0]}: found run {stored.id}; move it away, train again")
            if stored.id.startswith(run):
                return stored
        found = f"no run {run!r}"
        if len(paths) > 1:
            found = f"{len(paths)} runs begin with {run!r}"
        else:
            paths = record_paths(self.folder)
        names = [path.parent.name for path in paths]
        some = ", ".join(names[:_MOST_NAMED]) + (", …" if len(names) > _MOST_NAMED else "")
        raise NotInStore(f"{self.folder}: {found}; there: {some or 'none'}")

    def history(self, run: str) -> pa.Table:
        """Return a run's metrics, one row an epoch; without rows for heads that have no epochs."""
        return read_part(self._found(run), "history")

    def predictions(self, run: str) -> pa.Table:
        """Return a run's predictions on its train and validation images, and test if opened."""
        tested = [looked_at(path) for path in opening_paths(self._found(run))[-1:]]
        return pa.concat_tables([self._own_predictions(run), *tested])

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
        return opening

    def openings(self, run: str) -> list[TestOpening]:
        """Return each look that was taken at the test split with this run, oldest first."""
        return [TestOpening.read(path) for path in opening_paths(self._found(run))]

    def times_opened(self, keys: Keys) -> int:
        """Count the looks, with whatever run, at a test split that has any of these images.

        So a data set that has grown, was split anew or has another name keeps its count.
        """
        pull(self.folder)
        wanted = set(map(bytes, keys))
        looks = (look for folder in folders(self.folder) for look in look_paths(folder))
        return sum(_may_have_seen(path, wanted) for path in looks)

    def table(self) -> pa.Table:
        """Return all runs, one row each, newest last; kept as `runs/runs.parquet` too.

        A run whose record is damaged, or newer than this software, is left out and said.
        """
        return current_table(self.folder)

    def bring_up_to_date(self) -> None:
        """Write `runs.parquet` anew, for whoever reads it; a failure is said, and no run's."""
        bring_up_to_date(self.folder)

    def verify(self) -> dict[str, list[str]]:
        """Read every file of every run; return what is wrong with each, by its folder's name."""
        pull(self.folder)
        return {f"run {path.name}": list(self._findings(path)) for path in run_folders(self.folder)}

    def _findings(self, folder: Path) -> Iterator[str]:
        parts = (self.model_folder, self.history, self._own_predictions, self.openings)
        try:
            if not status(folder / "run.json"):
                raise NotInStore(f"{folder}: run.json is gone; train again")
            self.read(folder.name)
            pull(folder / "model")  # it may be another by now than the one that was used here
        except (StoreError, OSError) as error:
            yield str(error)
            return
        for part in parts:
            try:
                part(folder.name)
            except (StoreError, OSError) as error:
                yield str(error)

    def _own_predictions(self, run: str) -> pa.Table:
        return read_part(self._found(run), "predictions")

    def _found(self, run: str) -> Path:
        return self._path(self.read(run).id)

    def _path(self, run: str) -> Path:
        return self.folder / run[:16]


def run_folders(folder: Path) -> list[Path]:
    """Return the folders of runs, whole or not, below the folder of all runs."""
    return [path for path in folders(folder) if _RUN_FOLDER.match(path.name)]


def look_paths(folder: Path) -> list[Path]:
    """Return the record of each look at the test split in a run's folder, there or not."""
    # By their stems: a look of which one file was deleted was a look all the same.
    files = (path for path, _ in entries(folder / "test") if path.suffix)
    return sorted({path.with_suffix(".json") for path in files})


def checked_model(folder: Path, digests: dict[str, str]) -> Path:
    """Return the folder of a run's model; raises CorruptStore where its files are others."""
    pull(folder)

    def check(model: Path) -> Path:
        if damaged := damage(model, digests, file_digests(model)):
            raise CorruptStore(f"{damaged}; train again")
        return model

    return reread(folder, check)


def read_part(folder: Path, kind: str) -> pa.Table:
    """Return a run's `history` or `predictions`; raises CorruptStore or NewerFormat."""
    try:
        return _table(folder / f"{kind}.parquet", kind)
    except FileNotFoundError as error:
        raise CorruptStore(f"{error.filename}: the file is gone; train again") from error
    except CorruptStore as error:
        raise CorruptStore(f"{error}; train again") from error


def looked_at(opening: Path) -> pa.Table:
    """Return the predictions of one look at the test split."""
    path = opening.with_suffix(".parquet")
    try:
        return _table(path, "predictions")
    except (CorruptStore, FileNotFoundError) as error:
        raise CorruptStore(
            f"{path}: damaged or gone; delete {opening}, open the test split again"
        ) from error


def _table(path: Path, kind: str) -> pa.Table:
    return reread(path, lambda path: read_table(path, kind=kind, version=RUN_VERSION)[0])


def _may_have_seen(opening: Path, wanted: set[bytes]) -> bool:
    try:
        seen = looked_at(opening)["key"].to_pylist()
    except (CorruptStore, NewerFormat):
        return True  # nobody can tell any more
    return not wanted.isdisjoint(seen)


def _epochs(history: Sequence[dict[str, float]]) -> pa.Table:
    # A metric need not be there in each epoch: Keras validates every nth where it is told to.
    names = dict.fromkeys(name for epoch in history for name in epoch)
    columns = {name: [epoch.get(name) for epoch in history] for name in names}
    return pa.table({"epoch": pa.array(range(1, len(history) + 1), pa.int64()), **columns})
