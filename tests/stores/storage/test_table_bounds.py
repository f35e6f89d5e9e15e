"""The kind: a table of some kB announces, or comes to, more than such a file can hold."""

import resource
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stores import CorruptStore, Manifest
from stores.storage.stamped_parquet import _BLANK, _DIGITS, _MARK, _digest, read_table, table_bytes
from tests.stores.test_manifest import PETS, entry, manifest
from tests.support.entries import entries_of
from tests.support.samples import in_child


def stamped(table, metadata="{}", **options):
    """Return what `table_bytes` does, from whoever writes it otherwise."""
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, table.schema, store_schema=False, **options) as writer:
        writer.write_table(table)
        stamps = {"kind": "sample", "version": "1", "metadata": metadata}
        stamps["digest"] = (_MARK + _BLANK).decode()
        writer.add_key_value_metadata({f"gargalo.{name}": text for name, text in stamps.items()})
    content = sink.getvalue().to_pybytes()
    place = content.rfind(_MARK) + len(_MARK)
    return content[:place] + _digest(content, place) + content[place + _DIGITS :]


def equal_rows(value, count, kind):
    return pa.table({"x": pa.array([value], kind).take(pa.array(np.zeros(count, np.int64)))})


NUMBERS = ",".join(["{}"] * 2_000_000)
BOMBS = {
    "equal rows": stamped(equal_rows(b"k" * 32, 10_000_000, pa.binary(32))),
    "equal nulls": stamped(equal_rows(None, 10_000_000, pa.string())),
    "one long text": stamped(
        equal_rows("x" * 2**19, 1000, pa.string()), dictionary_pagesize_limit=2**22
    ),
    "long texts": stamped(pa.table({"x": [f"{n}" + "x" * 2**19 for n in range(400)]})),
    "another compression": stamped(pa.table({"x": ["x"]}), compression="ZSTD"),
    "a long list": stamped(pa.table({"x": [np.zeros(20_000_000)]})),
    "JSON": stamped(pa.table({"x": ["x"]}), f'{{"a": [{NUMBERS},{NUMBERS},{NUMBERS}]}}'),
}


@pytest.mark.parametrize("name", BOMBS)
def test_it_is_refused_before_it_takes_the_memory(tmp_path, name):
    path = tmp_path / "table.parquet"
    path.write_bytes(BOMBS[name])

    def read():
        held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (held + 2**30, held + 2**30))
        read_table(path, kind="sample", version=1)

    with pytest.raises(CorruptStore, match="not a sample, though its digest is right"):
        in_child(read, seconds=5)


def test_what_is_distinct_in_each_row_is_read_whatever_its_size(tmp_path):
    count = 300_000
    table = pa.table(
        {
            "path": [f"class_{n // 1000:04}/image_{n:08}.jpg" for n in range(count)],
            "reason": ["an ending that Keras passes over"] * count,
            "size": pa.nulls(count, pa.int64()),
        }
    )
    (tmp_path / "table.parquet").write_bytes(table_bytes(table, kind="sample", version=1))
    assert read_table(tmp_path / "table.parquet", kind="sample", version=1)[0].equals(table)


def test_columns_can_be_read_alone(tmp_path):
    table = pa.table({"a": ["x", None], "b": [["p", "q"], []], "c": [1, 2]})
    (tmp_path / "table.parquet").write_bytes(table_bytes(table, kind="sample", version=1))
    found, _ = read_table(tmp_path / "table.parquet", kind="sample", version=1, columns=["b", "a"])
    assert found.select(["a", "b"]).equals(table.select(["a", "b"]))


def test_a_file_is_in_a_manifest_once_and_again_where_it_is_absent(tmp_path):
    one, other = entry("cat/1.jpg", b"1"), entry("cat/1.jpg", b"2")
    manifest(one, other).write(tmp_path)
    with pytest.raises(CorruptStore, match="two files have the same path"):
        Manifest.read(tmp_path, PETS.name)
    manifest(one, entry("cat/1.jpg", b"2", status="absent")).write(tmp_path)
    assert len(entries_of(Manifest.read(tmp_path, PETS.name))) == 2


def test_a_text_in_a_manifest_has_an_end(tmp_path):
    manifest(entry("cat/" + "x" * 2**15, b"1")).write(tmp_path)
    with pytest.raises(CorruptStore, match="column path has more than 16384 bytes"):
        Manifest.read(tmp_path, PETS.name)


def test_what_packs_too_well_to_be_read_again_is_not_packed(tmp_path, monkeypatch):
    """The kind: what is written to the store, and refused when it is read."""
    monkeypatch.setattr("stores.storage.table_bounds._SMALL", 2**16)
    paths = [f"{'a long folder/' * 40}{n:06}.txt" for n in range(5000)]
    table, path = pa.table({"path": paths}), tmp_path / "table.parquet"
    path.write_bytes(table_bytes(table, kind="manifest", version=1))
    assert read_table(path, kind="manifest", version=1)[0].equals(table)
    assert pq.ParquetFile(path).metadata.row_group(0).column(0).compression == "UNCOMPRESSED"
