"""The run store: trained heads with their metrics, history, predictions and models."""

import os
import re
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pyarrow as pa

from stores.errors import CorruptStore, NotInStore, StoreError
from stores.keys import Keys
from stores.runs.evaluations import evaluations_of, findings, known_evaluations, may_have_seen
from stores.runs.parts import history_of, model_of, part_contents, predictions_of
from stores.runs.record import RUN_VERSION, Run, TestOpening, record_paths
from stores.runs.table import bring_up_to_date, current_table, listed_evaluations
from stores.storage.digests import file_digests
from stores.storage.publish import publish_file, publish_folder
from stores.storage.remote.mirror import pull, store_path
from stores.storage.safe_files import status, write_new
from stores.storage.safe_folders import folders, make_one_folder
from stores.storage.stamped_parquet import table_bytes

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
            stored, folder = self._found(str(run))
            for part in (model_of, history_of, predictions_of):
                part(folder, stored)
        except (NotInStore, CorruptStore):
            return False
        return True

    def model_folder(self, run: str) -> Path:
        """Return where a run's model lies; writing and reading it is the trainer's business.

        Raises CorruptStore where its files are not those that were written.
        """
        stored, folder = self._found(run)
        return model_of(folder, stored)

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
            parts = part_contents(history, predictions)
            for name, content in parts.items():
                write_new(draft / name, content)
            stored = replace(
                run,
                model_digests=file_digests(draft / "model"),
                part_digests={name: sha256(parts[name]).hexdigest() for name in parts},
            )
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
        stored, folder = self._found(run)
        return history_of(folder, stored)

    def predictions(self, run: str) -> pa.Table:
        """Return a run's predictions on its train and validation images, and test if opened.

        Raises CorruptStore where they, or a test evaluation, are damaged or lost.
        """
        stored, folder = self._found(run)
        found = evaluations_of(folder, stored)
        tested = [evaluation.predictions for evaluation in found.complete[-1:]]
        own = predictions_of(folder, stored)
        return pa.concat_tables([own, *tested], promote_options="permissive")

    def open_test(
        self,
        run: str,
        *,
        asked_by: str,
        metrics: dict[str, float],
        predictions: pa.Table,
        partial: bool = False,
    ) -> TestOpening:
        """Record a test evaluation of a run, durably; with `partial`, of some test images only.

        The record names those before it, and which of them were damaged or lost.
        """
        (stored, folder), now = self._found(run), datetime.now(UTC)
        name = f"{now:%Y%m%dT%H%M%S%f}-{uuid.uuid4().hex[:8]}"
        before = evaluations_of(folder, stored)
        gone = range(before.count, listed_evaluations(self.folder).get(stored.id, 0))
        table = table_bytes(predictions, kind="predictions", version=RUN_VERSION)
        opening = TestOpening(
            asked_by,
            stored.dataset_digest,
            metrics,
            now.isoformat(),
            run=stored.id,
            predictions_sha256=sha256(table).hexdigest(),
            earlier=tuple(before.whole),
            lost=(*before.not_whole, *(f"{name}-lost-{number}" for number in gone)),
            partial=partial,
        )
        path = folder / "test" / f"{name}.json"
        publish_file(table, path.with_suffix(".parquet"), tmp=self.folder / "tmp")
        publish_file(opening.to_json().encode(), path, tmp=self.folder / "tmp")
        return opening

    def openings(self, run: str) -> list[TestOpening]:
        """Return each test evaluation of this run, oldest first.

        Raises CorruptStore where one is damaged or lost, and none was made since.
        """
        stored, folder = self._found(run)
        return evaluations_of(folder, stored).openings

    def tested_keys(self, run: str) -> set[bytes]:
        """Return the keys of the test images of which this run's predictions are recorded."""
        stored, folder = self._found(run)
        return evaluations_of(folder, stored).tested_keys

    def times_opened(self, keys: Keys) -> int:
        """Count the test evaluations, of whatever run, that had any of these images.

        So a data set that has grown, was split anew or has another name keeps its count.
        """
        pull(self.folder)
        wanted = set(map(bytes, keys))
        return sum(
            may_have_seen(folder, name, wanted)
            for folder in folders(self.folder)
            for name in known_evaluations(folder)
        )

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
        listed = listed_evaluations(self.folder)
        paths = run_folders(self.folder)
        return {f"run {path.name}": list(self._findings(path, listed)) for path in paths}

    def _findings(self, folder: Path, listed: dict[str, int]) -> Iterator[str]:
        try:
            if not status(folder / "run.json"):
                raise NotInStore(f"{folder}: run.json is gone; train again")
            stored = self.read(folder.name)
            pull(folder / "model")  # it may be another by now than the one that was used here
        except (StoreError, OSError) as error:
            yield str(error)
            return
        for part in (model_of, history_of, predictions_of):
            try:
                part(folder, stored)
            except (StoreError, OSError) as error:
                yield str(error)
        try:
            found = evaluations_of(folder, stored)
            yield from findings(found, folder, listed=listed.get(stored.id, 0))
        except OSError as error:
            yield str(error)

    def _found(self, run: str) -> tuple[Run, Path]:
        stored = self.read(run)
        return stored, self._path(stored.id)

    def _path(self, run: str) -> Path:
        return self.folder / run[:16]


def run_folders(folder: Path) -> list[Path]:
    """Return the folders of runs, whole or not, below the folder of all runs."""
    return [path for path in folders(folder) if _RUN_FOLDER.match(path.name)]
