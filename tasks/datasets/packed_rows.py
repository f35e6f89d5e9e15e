"""The rows of Parquet files with images: their labels as texts, and their images batch by batch."""

from collections.abc import Iterator, Mapping, Sequence
from io import BufferedReader
from itertools import islice
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stores.manifest import SPLITS
from tasks.datasets.label_notation import in_notation
from tasks.datasets.label_table import COLUMNS, IMAGE, KIND
from tasks.datasets.packed_images import PackedFile
from tasks.datasets.path_table import PathTable, TableMistake, as_text, mistakes_of
from tasks.datasets.table_rows import largest_unpacked, parquet_rows
from tasks.execution.user_files import opened, size_of
from tasks.images.image_files import LARGEST_BYTES

LABELS = pa.schema([(name, pa.string()) for name in COLUMNS[1:]])
NOT_LABELLED = -1  # of a ClassLabel: `datasets` has it where an image has no label
_ROWS_AT_ONCE, _IMAGES_AT_ONCE = 2**16, 64
_BYTES_AT_ONCE = 2**26
_READ_AHEAD = 2**20  # bytes: a part of a file that holds many images is not read as a whole


class PackedImage(NamedTuple):
    """The image of a row: its bytes, None where it has none, and the name that it is given."""

    content: bytes | None
    name: str | None


def label_rows(file: PackedFile) -> pa.Table:
    """Return the label, split, group and time of each row, null where there is none.

    Of several labels, only a file that has no labels at all has null. Raises InputError for a label
    that is not valid, a number that stands for no class, and for a split that is none.
    """
    with mistakes_of(file.path, KIND), opened(file.path) as packed:
        there = [name for name in LABELS.names if name in file.columns]
        if not there:
            return pa.table({name: pa.nulls(file.rows, pa.string()) for name in LABELS.names})
        _, rows = parquet_rows(packed)
        typed = [file.columns["label"]] if file.is_typed else []
        found = enumerate(rows(*(file.columns[name] for name in there), typed=typed), 1)
        parts = [LABELS.empty_table()]
        while some := [_row(file, n, there, row) for n, row in islice(found, _ROWS_AT_ONCE)]:
            parts.append(pa.Table.from_pylist(some, LABELS))
    table = pa.concat_tables(parts)
    if not file.is_typed or table["label"].null_count == len(table):
        return table
    return in_notation(PathTable(str(file.path), table, ("label",)), file.notation).rows


def images(file: PackedFile) -> Iterator[list[PackedImage]]:
    """Yield the images of all rows, in order, some at a time; memory is bounded.

    Raises ValueError for an image that is larger than any, and for more of them than a file of its
    size holds.
    """
    some, size = list[PackedImage](), 0
    for one in _images(file):
        some.append(one)
        size += len(one.content or b"")
        if len(some) == _IMAGES_AT_ONCE or size >= _BYTES_AT_ONCE:
            yield some
            some, size = [], 0
    if some:
        yield some


def _images(file: PackedFile) -> Iterator[PackedImage]:
    wanted = [file.columns[name] for name in (IMAGE, "path") if name in file.columns]
    # A batch may hold one large image as often as it has rows.
    count = max(1, min(_IMAGES_AT_ONCE, _BYTES_AT_ONCE // max(1, file.largest)))
    with opened(file.path) as packed, _opened(packed) as table:
        left, number = largest_unpacked(size_of(packed)), 0
        for batch in table.iter_batches(count, columns=wanted, use_threads=False):
            contents, names = _columns(batch, file.columns)
            sizes = pc.binary_length(contents)
            left -= pc.sum(sizes).as_py() or 0
            if (largest := pc.max(sizes).as_py() or 0) > LARGEST_BYTES:
                row = number + pc.index(sizes, largest).as_py() + 1
                raise ValueError(
                    f"row {row}: an image of {largest:,} bytes, expected at most {LARGEST_BYTES:,}"
                )
            if left < 0:
                raise ValueError("its images have far more bytes than the file itself")
            for content, name in zip(contents, names, strict=True):
                yield PackedImage(content.as_py(), name)
            number += len(batch)


def _opened(packed: BufferedReader) -> pq.ParquetFile:
    return pq.ParquetFile(packed, buffer_size=_READ_AHEAD, pre_buffer=False)


def _columns(
    batch: pa.RecordBatch, columns: Mapping[str, str]
) -> tuple[pa.Array, Sequence[str | None]]:
    """Return the images' bytes, and their names: of the column of paths, else beside the bytes."""
    image = batch.column(columns[IMAGE])
    parts = {"bytes": image}
    if pa.types.is_struct(image.type):
        parts = dict(zip((field.name for field in image.type), image.flatten(), strict=True))
    names = batch.column(columns["path"]) if "path" in columns else parts.get("path")
    if names is not None and names.type in {pa.string(), pa.large_string()}:
        return parts["bytes"], names.to_pylist()
    return parts["bytes"], [None] * len(batch)


def _row(
    file: PackedFile, number: int, names: Sequence[str], values: Sequence[Any]
) -> dict[str, str | None]:
    row = {
        name: _text(value, number, name, file) for name, value in zip(names, values, strict=True)
    }
    if file.split:
        row["split"] = file.split
    if row.get("split") and row["split"] not in SPLITS:
        raise TableMistake(
            f"row {number}: the split must be one of {', '.join(SPLITS)}. "
            f"Received: {row['split']!r}"
        )
    return row


def _text(value: object, number: int, name: str, file: PackedFile) -> str | None:
    classes = file.class_names.get(name)
    if classes and isinstance(value, list):
        value = [_class_name(one, number, name, classes) for one in value]
    elif classes:
        value = _class_name(value, number, name, classes)
    return (file.notation.cell if name == "label" else as_text)(value, number) or None


def _class_name(value: object, number: int, name: str, classes: Sequence[str]) -> object:
    """Return the name of a class by its number; what is no number stays as it is."""
    if not isinstance(value, int):
        return value
    if value == NOT_LABELLED:
        return None
    if not 0 <= value < len(classes):
        raise TableMistake(
            f"row {number}: {name} {value}, but the file names {len(classes)} classes; expected "
            f"0 to {len(classes) - 1}, or {NOT_LABELLED} without a label; mend the row or the names"
        )
    return classes[value]
