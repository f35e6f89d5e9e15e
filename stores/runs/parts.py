"""The parts of a run beside its record: its model, its history and its predictions.

Each is compared with the digests in the record, and checked for what it must hold, when it is read.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from stores.errors import CorruptStore
from stores.keys import KEY_BYTES
from stores.manifest import SPLITS
from stores.runs.record import RUN_VERSION, Run
from stores.storage.digests import damage, file_digests
from stores.storage.location import Location
from stores.storage.stamped_parquet import read_table, table_bytes
from stores.targets import MAIN_FIGURE, Target

HISTORY, PREDICTIONS = "history.parquet", "predictions.parquet"
_ROUNDING = 1e-6  # of a metric that was computed as float32

_is_numeric: Callable[[pa.DataType], bool] = lambda kind: (  # noqa: E731
    pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind)
)
_is_numbers: Callable[[pa.DataType], bool] = lambda kind: (  # noqa: E731
    pa.types.is_list(kind) and pa.types.is_float64(kind.value_type)
)
_COLUMNS: dict[str, Callable[[pa.DataType], bool]] = {
    "key": lambda kind: kind in {pa.binary(), pa.binary(KEY_BYTES)},
    "split": pa.types.is_string,
    "scores": _is_numbers,
}
_OF_CLASSES = _COLUMNS | {"label": pa.types.is_string, "predicted": pa.types.is_string}
_OF_OTHERS = _COLUMNS | {"truth": _is_numbers}


def part_contents(history: Sequence[dict[str, float]], predictions: pa.Table) -> dict[str, bytes]:
    """Return the files of a run's history and predictions, by their names."""
    tables = {HISTORY: ("history", _epochs(history)), PREDICTIONS: ("predictions", predictions)}
    return {
        name: table_bytes(table, kind=kind, version=RUN_VERSION)
        for name, (kind, table) in tables.items()
    }


def model_of(folder: Location, run: Run) -> Path:
    """Return the folder of a run's model; raises CorruptStore where its files are others."""
    place = folder / "model"
    place.refresh()

    def check(model: Path) -> Path:
        if damaged := damage(model, run.model_digests, file_digests(model)):
            raise CorruptStore(f"{damaged}; train again")
        return model

    return place.reread(check)


def history_of(folder: Location, run: Run) -> pa.Table:
    """Return a run's history; raises CorruptStore or NewerFormat."""
    return _part(folder / HISTORY, "history", run, _check_history)


def predictions_of(folder: Location, run: Run) -> pa.Table:
    """Return a run's own predictions; raises CorruptStore or NewerFormat.

    That is also where the accuracy in the run's record is not theirs.
    """

    def check(table: pa.Table) -> None:
        check_predictions(table, run.classes, run.target)
        if run.failure:
            return  # it has no figures
        train = pc.equal(table["split"], "train")
        validation = pc.equal(table["split"], "validation")
        held_out = table.filter(pc.or_(validation, train) if run.folds else validation)
        check_figure(held_out, run.metrics, "validation", run.target)
        if not run.folds and (learned := table.filter(train)).num_rows:  # with folds by others
            check_figure(learned, run.metrics, "train", run.target)

    return _part(folder / PREDICTIONS, "predictions", run, check)


def check_predictions(table: pa.Table, classes: Sequence[str], target: Target) -> None:
    """Raise ValueError where predictions are not what a run of these classes has."""
    of_classes = target == "classes"
    for name, fits in (_OF_CLASSES if of_classes else _OF_OTHERS).items():
        if name not in table.column_names or not fits(table.schema.field(name).type):
            raise ValueError(f"no column {name} of its type")
        if table[name].null_count:
            raise ValueError(f"column {name} has empty cells")
    _check_names(table, "split", SPLITS)
    if of_classes:
        _check_names(table, "label", classes)
        _check_names(table, "predicted", classes)
    if "group" in table.column_names:  # only where the data set has groups
        numbers = table["group"]
        if not pa.types.is_int64(numbers.type) or numbers.null_count:
            raise ValueError("column group has no numbers")
    if table.num_rows:
        for name in ("scores",) if of_classes else ("scores", "truth"):
            _check_widths(table, name, len(classes))
        check_keys(table["key"])
    if target == "labels" and set(pc.list_flatten(table["truth"]).unique().to_pylist()) - {0, 1}:
        raise ValueError("truth: expected 0 or 1 for each label")


def _check_names(table: pa.Table, column: str, known: Sequence[str]) -> None:
    if strange := set(table[column].unique().to_pylist()) - set(known):
        raise ValueError(f"column {column} has {min(strange)!r}")


def _check_widths(table: pa.Table, column: str, expected: int) -> None:
    widths = pc.unique(pc.list_value_length(table[column])).to_pylist()
    if widths != [expected] or pc.list_flatten(table[column]).null_count:
        raise ValueError(f"{column}: expected {expected} a row, found {widths}")


def check_keys(keys: pa.ChunkedArray) -> None:
    """Raise ValueError where a key is none, before they are taken out of their table."""
    if not _COLUMNS["key"](keys.type) or keys.null_count:
        raise ValueError("column key has no keys")
    if len(keys) and pc.unique(pc.binary_length(keys)).to_pylist() != [KEY_BYTES]:
        raise ValueError(f"column key has a key that is not {KEY_BYTES} bytes")


def check_figure(rows: pa.Table, metrics: dict[str, float], split: str, target: Target) -> None:
    """Raise ValueError where a record has another figure than the one of its predictions.

    That is the accuracy, or of numbers the mean absolute error. Those of several labels need more
    than a sum; there the digest of the predictions in the record has to do.
    """
    if target == "labels":
        return
    name = f"{split}_{MAIN_FIGURE[target].name}"
    if name not in metrics:
        if rows.num_rows:
            raise ValueError(f"the record has no {name} of these {rows.num_rows} predictions")
        return
    if target == "classes":
        each = pc.cast(pc.equal(rows["label"], rows["predicted"]), pa.float64())
    else:
        difference = pc.subtract(pc.list_flatten(rows["truth"]), pc.list_flatten(rows["scores"]))
        each = pc.abs(difference)
    found = pc.mean(each).as_py() if rows.num_rows else float("nan")
    if not abs(found - metrics[name]) <= _ROUNDING * max(1.0, abs(metrics[name])):
        raise ValueError(
            f"{name} is {found:.4f} by these predictions, {metrics[name]:.4f} in the record"
        )


def _check_history(table: pa.Table) -> None:
    strange = [field.name for field in table.schema if not _is_numeric(field.type)]
    if strange or "epoch" not in table.column_names:
        raise ValueError(f"expected an epoch and numbers, found {table.column_names}")


def _part(place: Location, kind: str, run: Run, check: Callable[[pa.Table], None]) -> pa.Table:
    def read(path: Path) -> pa.Table:
        sha256 = run.part_digests.get(path.name, "")
        if run.part_digests and not sha256:
            raise CorruptStore(f"{path}: the run's record has no digest of it")
        classes = len(run.classes)
        table, _ = read_table(
            path, kind=kind, version=RUN_VERSION, sha256=sha256, in_a_list=classes
        )
        try:
            check(table)
        except ValueError as error:
            raise CorruptStore(f"{path}: the file is damaged: {error}") from error
        return table

    try:
        return place.reread(read)
    except FileNotFoundError as error:
        raise CorruptStore(f"{error.filename}: the file is gone; train again") from error
    except CorruptStore as error:
        raise CorruptStore(f"{error}; train again") from error


def _epochs(history: Sequence[dict[str, float]]) -> pa.Table:
    # A metric need not be there in each epoch: Keras validates every nth where it is told to.
    names = dict.fromkeys(name for epoch in history for name in epoch)
    columns = {name: [epoch.get(name) for epoch in history] for name in names}
    return pa.table({"epoch": pa.array(range(1, len(history) + 1), pa.int64()), **columns})
