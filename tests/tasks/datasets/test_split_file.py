"""A split file: what it gives, and each mistake in one line."""

from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from stores.keys import ImageKey
from stores.manifest import Manifest
from tasks.datasets.ingest import ingest
from tasks.datasets.split_file import read_split_file, split_csv
from tasks.datasets.splits import SplitRule
from tasks.errors import InputError
from tests.support.entries import as_entries, entries_of, entry, images, rows_of, split, splits_of
from tests.support.images import write_classes

SPLITS = ["train", "validation", "test"]


@pytest.fixture
def folder(tmp_path):
    return write_classes(tmp_path / "pets")


@pytest.fixture
def table(tmp_path):
    def table(text, name="splits.csv"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return table


def given(entries, path):
    """Return the split of each distinct accepted image, by key."""
    rows = rows_of(entries)
    accepted = rows.filter(pc.equal(rows["status"], "accepted"))
    codes = read_split_file(path).codes_of(rows, accepted)
    keys = map(ImageKey, accepted["key"].to_pylist())
    return dict(zip(keys, (SPLITS[code] for code in codes), strict=True))


@pytest.mark.parametrize("ending", ["csv", "parquet"])
@pytest.mark.parametrize("by", ["path", "key"])
def test_each_image_gets_the_split_that_the_table_gives_it(tmp_path, ending, by):
    entries, path = images(9), tmp_path / f"splits.{ending}"
    rows = [
        {by: e.path if by == "path" else str(e.key), "split": SPLITS[n % 3], "note": "x"}
        for n, e in enumerate(entries)
    ]
    if ending == "csv":
        lines = [",".join(row) for row in ([*rows[0]], *(row.values() for row in rows))]
        path.write_text("\ufeff" + "\r\n".join(lines))
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)
    assert list(given(entries, path).values()) == SPLITS * 3


def test_what_a_report_writes_is_read_again(tmp_path):
    manifest = split([*images(20), *images(20, "dog"), entry("cat/twin", "cat/00001")])
    (tmp_path / "splits.csv").write_bytes(split_csv(manifest))
    splits = given(entries_of(manifest), tmp_path / "splits.csv")
    assert {e.path: splits[e.key] for e in entries_of(manifest)} == splits_of(manifest)


@pytest.mark.parametrize("written", ["stored", "upright"])
def test_a_photograph_is_found_by_its_key_as_stored_or_upright(table, written):
    """The kind: a key of before a photograph was turned finds nothing any more."""
    cat, dog = images(2)
    turned = replace(cat, key=cat.key.upright())
    here, there = (turned, cat) if written == "stored" else (cat, turned)
    path = table(f"key,split\n{there.key},test\n{dog.key},train\n")
    assert given([here, dog], path) == {here.key: "test", dog.key: "train"}
    both = table(f"key,split\n{there.key},test\n{here.key},train\n{dog.key},train\n")
    with pytest.raises(InputError, match=f"'{there.key}' is not in the folder"):
        given([here, dog], both)


WHOLE = "path,split\ncat/00000,train\ncat/00001,test\n"


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (WHOLE + "cat/9,test\n", "'cat/9' is not in the folder"),
        (WHOLE + "cat/8,test\ncat/9,test\n", "'cat/8' and 1 more are not in the folder"),
        ("path,split\ncat/00000,train\n", "no split for 'cat/00001'"),
        (WHOLE.replace("test", "dev"), "row 2: the split of 'cat/00001' must be one of train,"),
        (WHOLE.replace(",test", ""), "Received: None"),
        (WHOLE + "cat/00001,test\n", "row 3: 'cat/00001' is repeated"),
        (WHOLE.replace("path", "file"), "expected the columns path and split"),
        (WHOLE.replace("cat/00001", ""), "row 2 has no path"),
        ("", "the split file has no rows"),
        ("path,split\n", "the split file has no rows"),
        ("path,split\n\0\udc80", "cannot be read as a split file"),
    ],
)
def test_each_mistake_is_one_line(tmp_path, text, match):
    path = tmp_path / "splits.csv"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(InputError, match=match) as told:
        given(images(2), path)
    assert "\n" not in str(told.value)
    assert str(path) in str(told.value)


def test_the_same_bytes_have_one_split(table):
    entries = [entry("cat/1", "same"), entry("cat/2", "same")]
    with pytest.raises(InputError, match="'cat/2' is in test, but an identical file is in train"):
        given(entries, table("path,split\ncat/1,train\ncat/2,test\n"))
    assert len(given(entries, table("path,split\ncat/1,train\ncat/2,train\n"))) == 1


@pytest.mark.parametrize("name", ["splits.txt", "splits.parquet", "nothing.csv", "."])
def test_what_is_no_table_is_refused(tmp_path, table, name):
    if name not in {"nothing.csv", "."}:
        table("path,split", name)
    with pytest.raises(InputError, match="split file"):
        read_split_file(tmp_path / name)


def test_files_that_are_no_accepted_images_need_no_row(table):
    entries = [
        *images(2),
        entry("cat/bad", status="rejected"),
        entry("cat/x.txt", status="ignored"),
    ]
    assert len(given(entries, table(WHOLE))) == 2


def test_a_data_set_takes_the_splits_of_the_file_and_keeps_them(store, folder, table):
    manifest = ingest(folder, store=store).manifest
    accepted = as_entries(manifest.of_status("accepted"))
    rows = [f"{e.path},{SPLITS[n % 3]}" for n, e in enumerate(accepted)]
    path = table("\n".join(["path,split", *rows]))
    expected = [SPLITS[n % 3] for n in range(len(accepted))]
    for rule in (SplitRule(file=path), SplitRule(file=path), SplitRule()):
        ingest(folder, store=store, rule=rule)
        found = as_entries(Manifest.read(store, folder.name).of_status("accepted"))
        assert [e.split for e in found] == expected
    path.write_text(path.read_text() + "\nother/1.png,train\n")
    with pytest.raises(InputError, match="not in the folder"):
        ingest(folder, store=store, rule=SplitRule(file=path))
