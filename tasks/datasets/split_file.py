"""Split files: tables with the split of each image, such as those written with a report."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from stores.keys import ImageKey
from stores.manifest import SPLITS, Entry, Manifest, Split
from tasks.datasets.table_rows import Rows, table_of
from tasks.errors import InputError
from tasks.execution.user_files import opened

_HOW = "expected the columns path and split, or key and split"


@dataclass(frozen=True)
class SplitFile:
    """The rows of a split file, by the images' paths or by their keys."""

    file: Path
    by: Literal["path", "key"]
    splits: Mapping[str, Split]

    def of(self, entry: Entry) -> Split | None:
        """Return the split of a file, if it has a row."""
        return self.splits.get(entry.path if self.by == "path" else str(entry.key))

    def agrees_with(self, manifest: Manifest) -> bool:
        """Return whether a data set has these splits; raises as `splits_of`."""
        splits = self.splits_of(e for e in manifest.entries if e.status != "absent")
        accepted = manifest.of_status("accepted")
        return all(entry.key and entry.split == splits[entry.key] for entry in accepted)

    def splits_of(self, entries: Iterable[Entry]) -> dict[ImageKey, Split]:
        """Return the split of each distinct accepted image.

        Raises InputError for a row without an image, an image without a row, and different splits
        of identical files.
        """
        entries = list(entries)
        there = {e.path if self.by == "path" else str(e.key) for e in entries}
        if unknown := [name for name in self.splits if name not in there]:
            raise InputError(
                f"{self.file}: {self._named(unknown)} not in the folder; expected paths relative "
                "to the folder, such as class/1.jpg, or SHA-256 digests; remove these rows"
            )
        accepted = {e.path: e for e in entries if e.key and e.status == "accepted"}
        if missing := [path for path, entry in accepted.items() if self.of(entry) is None]:
            raise InputError(
                f"{self.file}: no split for {_several(missing)}; add rows, or remove the images"
            )
        splits: dict[ImageKey, Split] = {}
        for path, entry in accepted.items():
            split, key = self.of(entry), entry.key
            if key and split and splits.setdefault(key, split) != split:
                raise InputError(
                    f"{self.file}: {path!r} is in {split}, but an identical file is in "
                    f"{splits[key]}; give both the same split"
                )
        return splits

    def _named(self, names: list[str]) -> str:
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
    sink = io.StringIO()
    rows = csv.writer(sink, lineterminator="\n")
    rows.writerow(["key", "split"])
    splits = {entry.key: entry.split for entry in manifest.of_status("accepted")}
    rows.writerows(sorted((str(key), split) for key, split in splits.items()))
    return sink.getvalue().encode()


def _several(names: list[str]) -> str:
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{names[0]!r}{more}"
