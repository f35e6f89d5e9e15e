"""The run store: trained heads with their metrics, history, predictions and models."""

import re
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow as pa

from stores.errors import CorruptStore, NotInStore, StoreError
from stores.keys import KEY_BYTES, Keys, as_arrow, as_keys, from_arrow
from stores.layout import locate
from stores.runs.evaluations import evaluations_of, findings, known_evaluations, may_have_seen
from stores.runs.parts import history_of, model_of, part_contents, predictions_of
from stores.runs.record import RUN_VERSION, Run, TestOpening, records
from stores.runs.table import bring_up_to_date, current_table, listed_evaluations
from stores.storage.digests import file_digests
from stores.storage.location import Location, StoreLike
from stores.storage.safe_files import status, write_new
from stores.storage.safe_folders import folders, make_one_folder
from stores.storage.stamped_parquet import table_bytes

_MOST_NAMED = 10  # runs, in a message
_RUN_FOLDER = re.compile("[0-9a-f]{16}$")


class RunStore:
    """The runs of the store at `root`: `runs/<first 16 digits of the run's id>/`.

    Example:
        >>> RunStore("feature-store").read("2730fe6eb052eeff").metrics["validation_accuracy"]
    """

    def __init__(self, root: StoreLike) -> None:
        self.root = locate(root)
        self.place = self.root / "runs"

    @property
    def folder(self) -> Path:
        """Where that is on this machine."""
        return self.place.path

    def __contains__(self, run: object) -> bool:
        """Return whether a run is stored, and whole; raises NewerFormat."""
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
        (both names of classes) and scores (one number a class); of another target truth instead of
        label and predicted (a number for each score). `save_model` writes into the empty folder
        that it is given. Where the same run was stored before, that one is kept; of
        one that is damaged, only the looks at the test split are. Raises StoreReadOnly or
        StoreFull.
        """
        final, tmp = self._place_of(run.id), self.place / "tmp"
        with final.publish_folder(tmp=tmp, is_whole=lambda: run.id in self) as draft:
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
        self.place.refresh()
        found: list[Location] = []
        if re.fullmatch("[0-9a-f]{1,64}", run):
            # A whole name is looked up, and not looked for among all.
            named = self._place_of(run) / "run.json"
            if len(run) >= 16 and status(named.path):
                found = [named]
            else:
                there = records(self.place)
                found = [record for record in there if record.parent.name.startswith(run[:16])]
        if len(found) == 1:
            stored = Run.read(found[0])
            if not stored.id.startswith(found[0].parent.name):
                raise CorruptStore(f"{found[0]}: found run {stored.id}; move it away, train again")
            if stored.id.startswith(run):
                return stored
        reason = f"no run {run!r}"
        if len(found) > 1:
            reason = f"{len(found)} runs begin with {run!r}"
        else:
            found = records(self.place)
        names = [record.parent.name for record in found]
        some = ", ".join(names[:_MOST_NAMED]) + (", …" if len(names) > _MOST_NAMED else "")
        raise NotInStore(f"{self.place}: {reason}; there: {some or 'none'}")

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
        gone = range(before.count, listed_evaluations(self.place).get(stored.id, 0))
        table = table_bytes(predictions, kind="predictions", version=RUN_VERSION)
        opening = TestOpening(
            asked_by,
            stored.dataset_digest,
            metrics,
            now.isoformat(),
            run=stored.id,
            predictions_sha256=sha256(table).hexdigest(),
            earlier=tuple(before.whole),
            lost=(
                *sorted({*before.damaged, *before.replaced}),
                *(f"{name}-lost-{number}" for number in gone),
            ),
            partial=partial,
        )
        place, tmp = folder / "test", self.place / "tmp"
        (place / f"{name}.parquet").publish(table, tmp=tmp)
        (place / f"{name}.json").publish(opening.to_json().encode(), tmp=tmp)
        return opening

    def openings(self, run: str) -> list[TestOpening]:
        """Return each test evaluation of this run, oldest first.

        Raises CorruptStore where one is damaged or lost, and none was made since.
        """
        stored, folder = self._found(run)
        return [evaluation.opening for evaluation in evaluations_of(folder, stored).complete]

    def tested_keys(self, run: str) -> Keys:
        """Return the keys of the test images of which this run's predictions are recorded."""
        stored, folder = self._found(run)
        whole = evaluations_of(folder, stored).whole.values()
        found = [from_arrow(one.predictions["key"].cast(pa.binary(KEY_BYTES))) for one in whole]
        return np.concatenate([as_keys([]), *found])

    def times_opened(self, keys: Keys) -> int:
        """Count the test evaluations, of whatever run, that had any of these images.

        So a data set that has grown, was split anew or has another name keeps its count.
        """
        self.place.refresh()
        wanted = as_arrow(as_keys(keys))
        return sum(
            may_have_seen(folder, name, wanted)
            for folder in _folders(self.place)
            for name in known_evaluations(folder)
        )

    def table(self) -> pa.Table:
        """Return all runs, one row each, newest last; kept as `runs/runs.parquet` too.

        A run whose record is damaged, or newer than this software, is left out and said.
        """
        return current_table(self.place)

    def bring_up_to_date(self) -> None:
        """Write `runs.parquet` anew, for whoever reads it; a failure is said, and no run's."""
        bring_up_to_date(self.place)

    def verify(self) -> dict[str, list[str]]:
        """Read every file of every run; return what is wrong with each, by its folder's name."""
        self.place.refresh()
        listed = listed_evaluations(self.place)
        there = run_folders(self.place)
        return {f"run {run.name}": list(self._findings(run, listed)) for run in there}

    def _findings(self, folder: Location, listed: dict[str, int]) -> Iterator[str]:
        try:
            if not status((folder / "run.json").path):
                raise NotInStore(f"{folder}: run.json is gone; train again")
            stored = self.read(folder.name)
            (folder / "model").refresh()  # it may be another by now than the one that was used here
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

    def _found(self, run: str) -> tuple[Run, Location]:
        stored = self.read(run)
        return stored, self._place_of(stored.id)

    def _place_of(self, run: str) -> Location:
        return self.place / run[:16]


def run_folders(folder: Location) -> list[Location]:
    """Return the folders of runs, whole or not, below the folder of all runs."""
    return [found for found in _folders(folder) if _RUN_FOLDER.match(found.name)]


def _folders(folder: Location) -> list[Location]:
    return [folder / path.name for path in folders(folder.path)]
