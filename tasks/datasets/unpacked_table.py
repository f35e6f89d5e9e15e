"""The table beside unpacked images: their labels, and what the Parquet files looked like.

It is a file of the user's folder, and may be anybody's: what is not as it was written is nothing.
"""

import os
from pathlib import Path
from typing import Any

import pyarrow as pa

from stores.errors import StoreError
from stores.manifest import SPLITS
from stores.storage.stamped_parquet import read_table, table_bytes
from tasks.datasets.known_files import CLOCK_TICK_NS
from tasks.datasets.label_table import COLUMNS, LabelRule, Unpacked
from tasks.datasets.packed_images import PackedImages
from tasks.datasets.path_table import PathTable

TABLE = ".gargalo-images.parquet"  # in the folder; a listing passes over it
SCHEMA = pa.schema([(name, pa.string()) for name in COLUMNS])
_STAMPED, _VERSION = "table of unpacked images", 1


def as_file(
    table: pa.Table, *, looks: list[dict[str, Any]], began_ns: int, notes: tuple[str, ...]
) -> bytes:
    """Return the file of a table; `looks` are those of the Parquet files when it was begun."""
    about = {"looks": looks, "began_ns": began_ns, "notes": notes}
    return table_bytes(table, kind=_STAMPED, version=_VERSION, metadata=about)


def remembered(folder: Path, packed: PackedImages, rule: LabelRule) -> Unpacked | None:
    """Return what was unpacked of the same files; None if they changed, or an image is gone."""
    try:
        table, about = read_table(folder / TABLE, kind=_STAMPED, version=_VERSION)
        began, notes = about["began_ns"], tuple(map(str, about["notes"]))
    except (OSError, StoreError, KeyError, TypeError):
        return None
    looks = looks_of(packed)
    if about.get("looks") != looks or not isinstance(began, int):
        return None
    # A file that changed while it was read may look the same.
    if max(look["ctime_ns"] for look in looks) >= began - CLOCK_TICK_NS:
        return None
    if table.schema.remove_metadata() != SCHEMA or not _is_whole(table, needed=rule.needed):
        return None
    if not all(os.path.lexists(folder / path) for path in table["path"].to_pylist()):
        return None
    return unpacked_of(packed, table, notes)


def unpacked_of(packed: PackedImages, table: pa.Table, notes: tuple[str, ...]) -> Unpacked:
    """Return what was unpacked; a column of labels without any is none."""
    bare = table["label"].null_count == len(table)
    columns = tuple(name for name in packed.columns if name != "label" or not bare)
    return Unpacked(PathTable(str(packed.given), table, columns), notes)


def looks_of(packed: PackedImages) -> list[dict[str, Any]]:
    """Return what decides what is unpacked, as JSON has it."""
    return [
        {
            "name": file.path.name,
            "size": (about := file.path.stat()).st_size,
            "mtime_ns": about.st_mtime_ns,
            "ctime_ns": about.st_ctime_ns,
            "inode": about.st_ino,
            "columns": dict(file.columns),
            "split": file.split,
            **(
                {"labels": [file.notation.target, file.notation.separator]} if file.is_typed else {}
            ),
        }
        for file in packed.files
    ]


def _is_whole(table: pa.Table, *, needed: bool) -> bool:
    bare = table["label"].null_count
    strange = set(table["split"].unique().to_pylist()) - {None, *SPLITS}
    labelled = not bare or (bare == len(table) and not needed)
    return len(table) > 0 and not table["path"].null_count and labelled and not strange
