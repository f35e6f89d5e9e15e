"""Parquet files with images in them, in the form in which `datasets` 5 writes them."""

import json

import pyarrow as pa
import pyarrow.parquet as pq

from tests.support.images import grow_old, small_png

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def features(**columns):
    """Return a schema's metadata as `datasets` writes it: a type, or the names of a ClassLabel."""
    about = {
        name: {"names": kind, "_type": "ClassLabel"} if isinstance(kind, list) else {"_type": kind}
        for name, kind in columns.items()
    }
    return {"huggingface": json.dumps({"info": {"features": about}})}


def structs(contents, paths=None):
    """Return images as a column of `datasets`; None is no image."""
    paths = paths or [None] * len(contents)
    rows = zip(contents, paths, strict=True)
    return pa.array(
        [None if content is None else {"bytes": content, "path": path} for content, path in rows],
        IMAGE,
    )


def write_packed(path, /, *, names=("cat", "dog"), metadata=None, rows=100, **columns):
    """Write a Parquet file of columns; `names` are those of the numbers in the column label."""
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = {name: pa.array(column) for name, column in columns.items()}
    if metadata is None:
        metadata = features(image="Image", label=list(names))
    table = pa.table(columns).replace_schema_metadata(metadata)
    pq.write_table(table, path, row_group_size=rows)
    grow_old()
    return path


def write_pets(path, count=10, first=0, **options):
    """Write images of two classes in turn, without names of their own."""
    numbers = range(first, first + count)
    images = structs([small_png(number) for number in numbers])
    return write_packed(path, image=images, label=[number % 2 for number in numbers], **options)
