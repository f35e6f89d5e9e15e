"""The kind: a table of a few bytes that is gigabytes, or millions of rows, once it is read."""

import os
import time
import tracemalloc

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.datasets.split_file import read_split_file
from tasks.errors import InputError


def repeated(count, text="a"):
    """Return a column of one text, which takes next to nothing packed."""
    return pa.array([text]).take(pa.array(np.zeros(count, np.int64)))


def sparse(path):
    path.write_text("path,split\n")
    os.truncate(path, 2**31)


def parquet(**columns):
    return lambda path: pq.write_table(pa.table(columns), path, compression="zstd")


TABLES = {
    "sparse.csv": (sparse, "line 2 has more than 1,048,576 characters"),
    "too large.csv": (lambda path: os.truncate(path, 2**40), "expected at most 4,294,967,296"),
    "blank.csv": (lambda path: path.write_text("path,split\n" + "\n" * 10**6), "blank lines"),
    "nul.csv": (lambda path: path.write_text("path,split\na\0b,train\n"), "a NUL character"),
    "twice.csv": (lambda path: path.write_text("path,path,split\na,b,test\n"), "path is repe"),
    "rows.parquet": (
        parquet(path=repeated(4_000_000), split=repeated(4_000_000, "train")),
        "cannot have 4,000,000 rows",
    ),
    "same.parquet": (
        parquet(path=repeated(1_000_000), split=repeated(1_000_000, "train")),
        "row 2: 'a' is repeated",
    ),
    "long.parquet": (
        parquet(path=repeated(1000, "x" * 100_000), split=repeated(1000, "train")),
        "strings of more than 65,536 bytes",
    ),
    "packed.parquet": (parquet(path=["x" * 2**27], split=["train"]), "that unpacks to"),
    "nested.parquet": (parquet(path=[["a"]], split=["train"]), "expected columns of strings"),
    "numbers.parquet": (parquet(path=["a"], split=[1.5]), "expected columns of strings"),
    "null.parquet": (parquet(path=[None], split=["train"]), "row 1 has no path"),
}


@pytest.mark.parametrize("name", TABLES)
def test_it_is_refused_at_once(tmp_path, name):
    make, expected = TABLES[name]
    path = tmp_path / name
    path.touch()
    make(path)
    tracemalloc.start()
    began = time.process_time()
    with pytest.raises(InputError, match=expected) as told:
        read_split_file(path)
    assert time.process_time() - began < 5
    assert tracemalloc.get_traced_memory()[1] < 2**27
    tracemalloc.stop()
    assert "\n" not in str(told.value)


DELTA = {"use_dictionary": ["split"], "column_encoding": {"path": "DELTA_BYTE_ARRAY"}}


@pytest.mark.parametrize("how", [{}, {"compression": "zstd"}, {"use_dictionary": False}, DELTA])
def test_a_long_honest_table_is_read(tmp_path, how):
    names = [f"class_{n % 100}/{n:08}.jpg" for n in range(300_000)]
    splits = ["train", "validation", "test"] * 100_000
    pq.write_table(pa.table({"path": names, "split": splits}), tmp_path / "a.parquet", **how)
    assert dict(read_split_file(tmp_path / "a.parquet").splits) == dict(
        zip(names, splits, strict=True)
    )
