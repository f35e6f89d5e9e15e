"""A split file: a table that gives each image its split, as a report writes it."""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from stores.keys import ImageKey
from stores.manifest import SPLITS, Entry, Manifest, Split
from tasks.errors import InputError

_HOW = "expected the columns path and split, or key and split"


@dataclass(frozen=True)
class SplitFile:
    """The rows of a split file: by the images' paths in their folder, or by their keys."""

    file: Path
    by: Literal["path", "key"]
    splits: Mapping[str, Split]

    def of(self, entry: Entry) -> Split | None:
        """Return the split that it gives a file."""
        return self.splits.get(entry.path if self.by == "path" else str(entry.key))

    def agrees_with(self, manifest: Manifest) -> bool:
        """Tell whether a data set is split as it says; raises as `splits_of`."""
        splits = self.splits_of(e for e in manifest.entries if e.status != "absent")
        accepted = manifest.of_status("accepted")
        return all(entry.key and entry.split == splits[entry.key] for entry in accepted)

    def splits_of(self, entries: Iterable[Entry]) -> dict[ImageKey, Split]:
        """Return the split of each distinct accepted image.

        Raises InputError for a row of no image, for an image without a row, and for two splits of
        the same bytes.
        """
        entries = list(entries)
        there = {e.path if self.by == "path" else str(e.key) for e in entries}
        if unknown := [name for name in self.splits if name not in there]:
            raise InputError(
                f"{self.file}: {self._named(unknown)} not in the folder; expected paths as "
                "class/1.jpg, below the folder, or SHA-256 digests; remove these rows"
            )
        accepted = {e.path: e for e in entries if e.key and e.status == "accepted"}
        if missing := [path for path, entry in accepted.items() if self.of(entry) is None]:
            raise InputError(
                f"{self.file}: no split of {_several(missing)}; add rows, or remove the images"
            )
        splits: dict[ImageKey, Split] = {}
        for path, entry in accepted.items():
            split, key = self.of(entry), entry.key
            if key and split and splits.setdefault(key, split) != split:
                raise InputError(
                    f"{self.file}: {path!r} is {split}, and a file of the same bytes is "
                    f"{splits[key]}; give both one split"
                )
        return splits

    def _named(self, names: list[str]) -> str:
        return f"{_several(names)} {'is' if len(names) == 1 else 'are'}"


def read_split_file(path: Path) -> SplitFile:
    """Read a split file, .csv or .parquet; raises InputError that says what is wrong with it."""
    try:
        rows = _rows(path)
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such split file") from None
    except (OSError, ValueError, csv.Error) as error:  # Arrow's errors are ValueErrors
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path} cannot be read as a split file: {reason}") from None
    if not rows:
        raise InputError(f"{path}: a split file without rows")
    by: Literal["path", "key"] = "key" if "key" in rows[0] else "path"
    if not {by, "split"} <= rows[0].keys():
        raise InputError(f"{path}: {_HOW}. Received: {', '.join(map(str, rows[0]))}")
    splits: dict[str, Split] = {}
    for number, row in enumerate(rows, 1):
        name, split = row[by], row["split"]
        if not isinstance(name, str) or not name:
            raise InputError(f"{path}: row {number} has no {by}")
        if split not in SPLITS:
            raise InputError(
                f"{path}: row {number}: the split of {name!r} must be one of {', '.join(SPLITS)}. "
                f"Received: {split!r}"
            )
        if name in splits:
            raise InputError(f"{path}: row {number}: {name!r} is there twice")
        splits[name] = cast("Split", split)
    return SplitFile(path, by, splits)


def split_csv(manifest: Manifest) -> bytes:
    """Return a split file of a data set, by the images' keys: so it outlives new names."""
    sink = io.StringIO()
    rows = csv.writer(sink, lineterminator="\n")
    rows.writerow(["key", "split"])
    splits = {entry.key: entry.split for entry in manifest.of_status("accepted")}
    rows.writerows(sorted((str(key), split) for key, split in splits.items()))
    return sink.getvalue().encode()


def _rows(path: Path) -> list[dict[Any, Any]]:
    if path.exists() and not path.is_file():
        raise ValueError("it is no regular file")
    if path.suffix.lower() == ".parquet":
        import pyarrow.parquet as pq

        return cast("list[dict[Any, Any]]", pq.read_table(path).to_pylist())
    if path.suffix.lower() != ".csv":
        raise ValueError("its name must end in .csv or .parquet")
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [dict(row) for row in csv.DictReader(file)]


def _several(names: list[str]) -> str:
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{names[0]!r}{more}"
