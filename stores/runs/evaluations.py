"""The test evaluations of a run: each is a record and a table of predictions in `test/`.

Each record names the evaluations before it, so that one whose files are gone is missed.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from stores.errors import CorruptStore, NewerFormat
from stores.runs.parts import check_figure, check_keys, check_predictions
from stores.runs.record import EVALUATION_NAME, RUN_VERSION, Run, TestOpening
from stores.storage.location import Location
from stores.storage.safe_folders import entries
from stores.storage.stamped_parquet import read_table

_ENDINGS = {".json", ".parquet"}
FIX = "evaluate the test split again, with --open-test"


@dataclass(frozen=True)
class Evaluation:
    """A test evaluation that is whole: its record and its predictions."""

    opening: TestOpening
    predictions: pa.Table


@dataclass(frozen=True)
class Evaluations:
    """All test evaluations of a run that are known of, by their names."""

    whole: dict[str, Evaluation]
    damaged: dict[str, Exception]  # or gone, and the test split was not evaluated again since
    replaced: tuple[str, ...]  # those that were damaged or gone when it was evaluated again

    @property
    def count(self) -> int:
        """How many there were, whatever became of them."""
        return len(self.whole) + len(self.damaged) + len(self.replaced)

    @property
    def complete(self) -> list[Evaluation]:
        """Those of the whole test split, oldest first; raises where one is damaged or lost.

        Predictions of some test images are none of them.
        """
        if self.damaged:
            raise next(iter(self.damaged.values()))
        return [evaluation for evaluation in self.whole.values() if not evaluation.opening.partial]


def known_evaluations(folder: Location) -> dict[str, TestOpening | None]:
    """Return the record of each evaluation by its name, oldest first; None where it is lost.

    `folder` is the run's. Each is known by either of its files, or by a later record.
    """
    # An evaluation whose record was deleted was one all the same.
    there = [path for path, _ in entries((folder / "test").path) if path.suffix in _ENDINGS]
    found: dict[str, TestOpening | None] = dict.fromkeys(
        path.stem for path in there if EVALUATION_NAME.fullmatch(path.stem)
    )
    for name in found:
        with suppress(OSError, CorruptStore, NewerFormat):
            found[name] = TestOpening.read(folder / "test" / f"{name}.json")
    for opening in [opening for opening in found.values() if opening]:
        for name in (*opening.earlier, *opening.lost):
            found.setdefault(name, None)
    return {name: found[name] for name in sorted(found)}


def evaluations_of(folder: Location, run: Run) -> Evaluations:
    """Return the evaluations in a run's folder, each of them checked."""
    whole: dict[str, Evaluation] = {}
    damaged: dict[str, Exception] = {}
    for name in known_evaluations(folder):
        try:
            whole[name] = _evaluation(folder / "test" / f"{name}.json", run)
        except (CorruptStore, NewerFormat, OSError) as error:
            damaged[name] = error
    replaced = {name for found in whole.values() for name in found.opening.lost} - whole.keys()
    left = {name: error for name, error in damaged.items() if name not in replaced}
    return Evaluations(whole, left, tuple(sorted(replaced)))


def findings(found: Evaluations, folder: Location, *, listed: int) -> Iterator[str]:
    """Yield what is wrong with evaluations; `listed` is how many the table of runs has."""
    yield from map(str, found.damaged.values())
    if listed > found.count:
        yield (
            f"{folder / 'test'}: found {found.count} test evaluations, runs.parquet lists "
            f"{listed}; bring them back from a backup, or {FIX}"
        )


def may_have_seen(folder: Location, name: str, wanted: pa.Array) -> bool:
    """Return whether a run's evaluation had any of these images, as far as anybody can tell."""
    try:
        keys = _predictions(folder / "test" / f"{name}.parquet", columns=["key"])["key"]
        check_keys(keys)
    except (CorruptStore, NewerFormat, OSError, KeyError, ValueError):
        return True
    return bool(pc.any(pc.is_in(keys.cast(wanted.type), wanted)).as_py())


def _evaluation(record: Location, run: Run) -> Evaluation:
    """Return the evaluation of a record's path; raises CorruptStore, NewerFormat or OSError."""
    try:
        opening = TestOpening.read(record)
    except FileNotFoundError as error:
        raise CorruptStore(f"{record}: the record of a test evaluation is gone; {FIX}") from error
    table = record.parent / f"{record.path.stem}.parquet"
    try:
        if opening.run not in {"", run.id}:
            raise ValueError(f"it is of run {opening.run[:16]}")  # noqa: TRY301
        sha256 = opening.predictions_sha256
        predictions = _predictions(table, sha256=sha256, in_a_list=len(run.classes))
        check_predictions(predictions, run.classes, run.target)
        if opening.metrics or not opening.partial:
            check_figure(predictions, opening.metrics, "test", run.target)
    except FileNotFoundError as error:
        raise CorruptStore(
            f"{table}: the predictions of a test evaluation are gone; {FIX}"
        ) from error
    except NewerFormat:
        raise
    except CorruptStore as error:
        raise CorruptStore(f"{error}; {FIX}") from error
    except ValueError as error:
        raise CorruptStore(f"{table}: a test evaluation is damaged: {error}; {FIX}") from error
    return Evaluation(opening, predictions)


def _predictions(place: Location, **what: Any) -> pa.Table:  # noqa: ANN401  as of read_table
    def read(path: Path) -> pa.Table:
        return read_table(path, kind="predictions", version=RUN_VERSION, **what)[0]

    return place.reread(read)
