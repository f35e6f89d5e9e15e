"""Split files: tables with the split of each image, such as those written with a report."""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from stores.keys import ImageKey, from_arrow, in_order
from stores.manifest import SPLITS, Manifest, Split
from stores.manifest_rows import first_of_each
from tasks.datasets.table_rows import Rows, table_of
from tasks.errors import InputError
from tasks.execution.user_files import opened

_KEY = re.compile("[0-9a-f]{64}")
_ROWS_AT_ONCE = 2**16
_HOW = "expected the columns path and split, or key and split"


@dataclass(frozen=True)
class SplitFile:
    """The rows of a split file, by the images' paths or by their keys."""

    file: Path
    by: Literal["path", "key"]
    splits: Mapping[str, Split]

    def agrees_with(self, manifest: Manifest) -> bool:
        """Return whether a data set has these splits; raises as `codes_of`."""
        rows = manifest.rows.filter(pc.not_equal(manifest.rows["status"], "absent"))
        accepted = manifest.of_status("accepted")
        given = pa.array(SPLITS, pa.string()).take(pa.array(self.codes_of(rows, accepted)))
        return bool(pc.all(pc.equal(accepted["split"], pa.chunked_array([given]))).as_py())

    def codes_of(self, rows: pa.Table, images: pa.Table) -> NDArray[np.int8]:
        """Return the split of each of some images, as positions in SPLITS; -1: not accepted.

        `rows` are all files of the folder. Raises InputError for a row without an image, an image
        without a row, and different splits of identical files.
        """
        there = self._names(rows)
        given = self._given(there)
        unknown = given.filter(pc.invert(pc.is_in(given, there.combine_chunks())))
        if len(unknown):
            raise InputError(
                f"{self.file}: {self._named(unknown)} not in the folder; expected paths relative "
                "to the folder, such as class/1.jpg, or SHA-256 digests; remove these rows"
            )
        accepted = rows.filter(pc.equal(rows["status"], "accepted"))
        splits = pa.array(list(self.splits.values()), pa.string())
        own = splits.take(pc.index_in(self._names(accepted), given).combine_chunks())
        if own.null_count:
            missing = accepted["path"].filter(pc.is_null(own))
            raise InputError(
                f"{self.file}: no split for {_several(missing)}; add rows, or remove the images"
            )
        keys = accepted["key"].combine_chunks()
        first = pc.index_in(keys, keys)
        if not own.equals(own.take(first)):
            at = pc.index(pc.not_equal(own, own.take(first)), True).as_py()
            raise InputError(
                f"{self.file}: {accepted['path'][at].as_py()!r} is in {own[at]}, but an identical "
                f"file is in {own[first[at].as_py()]}; give both the same split"
            )
        found = own.take(pc.index_in(images["key"].combine_chunks(), keys))
        codes = pc.fill_null(pc.index_in(found, pa.array(SPLITS), skip_nulls=True), -1)
        return np.asarray(codes.to_numpy(), np.int8)

    def _names(self, rows: pa.Table) -> pa.ChunkedArray:
        """Return what the file names rows by."""
        if self.by == "path":
            return rows["path"]
        keys = rows["key"].to_pylist()
        return pa.chunked_array([[key.hex() if key else None for key in keys]], pa.string())

    def _given(self, there: pa.ChunkedArray) -> pa.Array:
        """Return what the file names images by, as the folder's files are named.

        A photograph has one key as stored and another turned upright: either finds it.
        """
        given = pa.array(list(self.splits), pa.string())
        if self.by == "path" or pc.all(pc.is_in(given, there.combine_chunks())).as_py():
            return given
        unnamed = set(there.filter(pc.invert(pc.is_in(there, given))).unique().to_pylist()) - {None}
        stored = {_upright(key): key for key in unnamed}
        known = set(there.unique().to_pylist())

        def found(name: str) -> str:
            if name in known:
                return name
            turned = _upright(name)
            return turned if turned in unnamed else stored.get(name, name)

        return pa.array(map(found, self.splits), pa.string())

    def _named(self, names: pa.Array) -> str:
        return f"{_several(names)} {'is' if len(names) == 1 else 'are'}"


def read_split_file(path: Path) -> SplitFile:
    """Read a split file, .csv or .parquet; raises InputError if it is not valid."""
    try:
        with opened(path) as file:
            by, splits = _splits(*table_of(path, file))
    except FileNotFoundError:
        raise InputError(f"{path}: split file not found") from None
    except _Mistake as error:
        raise InputError(f"{path}: {error}") from None
    except (OSError, ValueError, csv.Error) as error:  # Arrow's errors are ValueErrors
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path}: cannot be read as a split file: {reason}") from None
    return SplitFile(path, by, splits)


class _Mistake(ValueError):
    """A mistake in the content of a readable table."""


def _splits(names: Sequence[str], rows: Rows) -> tuple[Literal["path", "key"], dict[str, Split]]:
    by: Literal["path", "key"] = "key" if "key" in names else "path"
    if twice := [name for name in (by, "split") if names.count(name) > 1]:
        raise _Mistake(f"column {twice[0]} is repeated; {_HOW}")
    whole = {by, "split"} <= set(names)
    splits: dict[str, Split] = {}
    for number, (name, split) in enumerate(rows(by, "split"), 1):
        if not whole:
            break
        if not isinstance(name, str) or not name:
            raise _Mistake(f"row {number} has no {by}")
        if "\0" in name:
            raise _Mistake(f"row {number}: {name!r} has a NUL character; expected an image's {by}")
        if split not in SPLITS:
            raise _Mistake(
                f"row {number}: the split of {name!r} must be one of {', '.join(SPLITS)}. "
                f"Received: {split!r}"
            )
        if name in splits:
            raise _Mistake(f"row {number}: {name!r} is repeated; remove one of the rows")
        splits[name] = cast("Split", split)
    else:
        if not splits:
            raise _Mistake("the split file has no rows")
        return by, splits
    raise _Mistake(f"{_HOW}. Received: {', '.join(names)}")


def split_csv(manifest: Manifest) -> bytes:
    """Return the split file of a data set, by the images' keys, which do not change with names."""
    images = first_of_each(manifest.of_status("accepted"))
    images = images.take(in_order(from_arrow(images["key"])))
    sink = io.StringIO()
    rows = csv.writer(sink, lineterminator="\n")
    rows.writerow(["key", "split"])
    for batch in images.select(["key", "split"]).to_batches(_ROWS_AT_ONCE):
        columns = (column.to_pylist() for column in batch)
        rows.writerows((key.hex(), split) for key, split in zip(*columns, strict=True))
    return sink.getvalue().encode()


def _upright(name: str) -> str:
    """Return the key of the image turned upright, from its key as stored; '' where it is no key."""
    return str(ImageKey.fromhex(name).upright()) if _KEY.fullmatch(name) else ""


def _several(names: pa.Array) -> str:
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{names[0].as_py()!r}{more}"
