import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stores import CorruptStore, NewerFormat
from stores.storage.stamped_parquet import read_table, table_bytes
from tests.support.samples import few

MARK = "gargalo-xxh3-128:"  # what stands before the digest
_texts = st.text(st.characters(codec="utf-8")) | st.just(MARK + "0" * 40)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("tables") / "table.parquet"


def stamped(texts=("a", "b"), **changes):
    options = {"kind": "sample", "version": 1, "metadata": {"x": 1}} | changes
    return table_bytes(pa.table({"text": pa.array(texts, pa.string())}), **options)


@few
@given(st.lists(_texts), st.dictionaries(_texts, _texts | st.integers()))
def test_a_table_and_its_metadata_survive(path, texts, metadata):
    path.write_bytes(stamped(texts, metadata=metadata))
    table, about = read_table(path, kind="sample", version=1)
    assert table["text"].to_pylist() == texts
    assert about == metadata


def test_it_is_plain_parquet(path):
    path.write_bytes(stamped())
    assert pq.read_table(path)["text"].to_pylist() == ["a", "b"]


def test_the_same_table_gives_the_same_bytes():
    assert stamped() == stamped()
    assert stamped() != stamped(metadata={"x": 2})


def test_no_single_byte_can_change_unnoticed(path):
    content = stamped()
    for offset in range(len(content)):
        path.write_bytes(content[:offset] + bytes([content[offset] ^ 4]) + content[offset + 1 :])
        with pytest.raises(CorruptStore, match="damaged"):
            read_table(path, kind="sample", version=1)


@few
@given(st.data())
def test_a_cut_or_lengthened_file_is_noticed(path, data):
    content = stamped()
    start = data.draw(st.integers(0, len(content)))
    path.write_bytes(content[:start] + data.draw(st.binary()) + content[start + 1 :])
    if path.read_bytes() != content:
        with pytest.raises(CorruptStore, match="damaged"):
            read_table(path, kind="sample", version=1)


def test_parquet_without_our_stamp_is_corrupt(path):
    pq.write_table(pa.table({"text": ["a"]}), path)
    with pytest.raises(CorruptStore, match="damaged"):
        read_table(path, kind="sample", version=1)


def test_another_kind_is_corrupt(path):
    path.write_bytes(stamped(kind="other"))
    with pytest.raises(CorruptStore, match="expected a sample, found a other"):
        read_table(path, kind="sample", version=1)


def test_an_older_version_is_read_and_a_newer_one_refused(path):
    path.write_bytes(stamped(version=2))
    assert read_table(path, kind="sample", version=3)[1] == {"x": 1}
    with pytest.raises(NewerFormat, match="version 2, this software knows up to 1; update"):
        read_table(path, kind="sample", version=1)


def test_a_table_that_is_not_there_is_not_found(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_table(tmp_path / "none.parquet", kind="sample", version=1)
