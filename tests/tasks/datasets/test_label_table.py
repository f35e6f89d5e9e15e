"""Tables of labels: what is read, what is kept, and each mistake in one line."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stores.manifest import Manifest
from tasks.datasets.ingest import ingest
from tasks.datasets.label_table import LabelRule, read_label_table
from tasks.datasets.path_table import PathTable, in_folder
from tasks.errors import InputError
from tests.support.entries import as_entries
from tests.support.images import write_classes
from tests.support.ingested import by_path

PETS = Path("/data/pets")
ROWS = [
    {"path": f"cat/{n:03}.png", "label": "odd" if n % 2 else "even", "group": f"g{n // 2}"}
    for n in range(4)
] + [{"path": f"dog/{n:03}.png", "label": "odd", "group": None} for n in range(5, 9)]


@pytest.fixture
def folder(tmp_path):
    return write_classes(tmp_path / "pets", count=5)


def written(tmp_path, rows=ROWS, name="labels.csv"):
    path = tmp_path / name
    if name.endswith("parquet"):
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif name.endswith("jsonl"):
        path.write_text("\n".join(map(json.dumps, rows)))
    else:
        mark = {"labels.tsv": "\t", "semicolons.csv": ";"}.get(name, ",")
        lines = [mark.join(rows[0]), *(mark.join(v or "" for v in r.values()) for r in rows)]
        path.write_bytes(("\ufeff" + "\r\n".join(lines) + "\r\n").encode())
    return path


def labelled(folder, store, table, **columns):
    return ingest(folder, store=store, labels=LabelRule(table, columns)).manifest


@pytest.mark.parametrize(
    "name", ["labels.csv", "semicolons.csv", "labels.tsv", "labels.jsonl", "labels.parquet"]
)
def test_a_table_gives_labels_and_groups(tmp_path, folder, store, name):
    manifest = labelled(folder, store, written(tmp_path, name=name))
    found = {e.path: (e.label, e.group) for e in as_entries(manifest.of_status("accepted"))}
    assert found == {row["path"]: (row["label"], row["group"]) for row in ROWS}
    assert manifest.classes == ("even", "odd")
    left = {e.path: e.reason for e in as_entries(manifest.of_status("ignored"))}
    assert left == dict.fromkeys(["cat/004.png", "dog/009.png"], "not in the table of labels")


def test_the_table_is_kept_with_the_data_set_until_the_folders_are_asked_for(
    tmp_path, folder, store
):
    before = labelled(folder, store, written(tmp_path))
    assert ingest(folder, store=store).manifest == before
    assert labelled(folder, store, written(tmp_path)) == before
    (folder / "dog" / "008.png").unlink()
    after = ingest(folder, store=store).manifest
    assert len(after.of_status("accepted")) == 7
    assert by_path(after)["cat/001.png"].label == "odd"
    folders = ingest(folder, store=store, layout="auto").manifest
    assert folders.classes == ("cat", "dog")
    assert Manifest.read(store, "pets") == folders


def test_names_of_columns_numbers_and_paths_of_the_table_s_own_folder(tmp_path, folder, store):
    rows = [{"file": f"pets/{r['path']}", "y": n % 2, "split": "train"} for n, r in enumerate(ROWS)]
    rows = [*rows[:-2], *({**row, "split": "test"} for row in rows[-2:])]
    path = written(tmp_path, rows, "labels.parquet")
    manifest = labelled(folder, store, path, path="file", label="y")
    assert manifest.classes == ("0", "1")
    assert len(manifest.select("test").keys) == 2
    assert len(manifest.select("validation").keys) == 2  # a part of train


def test_a_text_that_no_manifest_holds_is_refused(tmp_path):
    """The kind: what is written to the store, and cannot be read from it again."""
    path = tmp_path / "labels.csv"
    for text in ("é" * 2049, "x" * 4097):
        path.write_text(f"path,label\ncat/1.png,{text}\n")
        with pytest.raises(InputError, match=r"row 1: a text of .* characters, .*at most 4,096"):
            read_label_table(LabelRule(path))
    path.write_text(f"path,label\ncat/1.png,{'é' * 2048}\n")
    assert read_label_table(LabelRule(path)).rows["label"][0].as_py() == "é" * 2048


@pytest.mark.parametrize("name", ["labels.parquet", "labels.jsonl"])
def test_true_and_false_are_labels(tmp_path, folder, store, name):
    rows = [{"path": row["path"], "label": n % 2 == 0} for n, row in enumerate(ROWS)]
    assert labelled(folder, store, written(tmp_path, rows, name)).classes == ("false", "true")


def test_a_split_that_changes_in_the_table_is_seen(tmp_path, folder, store):
    rows = [{**row, "split": ["train", "validation", "test"][n % 3]} for n, row in enumerate(ROWS)]
    before = labelled(folder, store, written(tmp_path, rows, "labels.jsonl"))
    rows[1]["split"] = "train"
    after = labelled(folder, store, written(tmp_path, rows, "labels.jsonl"))
    assert [len(m.select("validation").keys) for m in (before, after)] == [3, 2]


def test_a_table_without_labels_gives_groups_to_class_folders(tmp_path, folder, store):
    path = written(tmp_path, [{"path": r["path"], "group": r["group"] or ""} for r in ROWS])
    manifest = labelled(folder, store, path)
    assert manifest.classes == ("cat", "dog")
    assert by_path(manifest)["cat/002.png"].group == "g1"
    assert ingest(folder, store=store).manifest == manifest
    without = ingest(folder, store=store, labels=LabelRule(group_pattern="none")).manifest
    assert without.select().groups is None


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("path,label\ncat/9.png,a\n", r"'cat/9.png': no such file in"),
        ("path,label\ncat/9.png,a\n../x.png,a\n", r"'cat/9.png' and 1 more: no such file in"),
        ("path,label\n/etc/passwd,a\n", "'/etc/passwd': no such file in"),
        ("path,label\ncat/000.png,a\ncat/000.png,b\n", "two values of label, 'a' and 'b'"),
        ("path,label,split\ncat/000.png,a,dev\n", "one of train, validation, test"),
        ("path,label,split\ncat/000.png,a,train\ncat/001.png,b,\n", "no split for 'cat/001.png'"),
        ("path,label\ncat/000.png,a\ncat/001.png,\n", "row 2: 'cat/001.png' has no label"),
        ("path,label\n,a\n", "row 1 has no path"),
        ("file,label\nx,a\n", "no column 'path'; name it with --column path=NAME"),
        ("path,species\nx,a\n", "expected a column label, split, group or time"),
        ("path,label,label\nx,a,b\n", "column label is repeated"),
        ("path,label\n", "the table has no rows"),
        ("", "no column 'path'"),
    ],
)
def test_each_mistake_is_one_line_and_nothing_is_lost(tmp_path, folder, store, lines, reason):
    before = ingest(folder, store=store).manifest
    path = tmp_path / "labels.csv"
    path.write_text(lines)
    with pytest.raises(InputError, match=reason) as error:
        labelled(folder, store, path)
    assert "\n" not in str(error.value)
    assert Manifest.read(store, "pets") == before


def test_other_mistakes_of_files(tmp_path, folder, store):
    for name, content, reason in (
        ("labels.xlsx", b"x", "ends in .csv, .tsv, .jsonl, .parquet"),
        ("labels.jsonl", b'{"path": "cat/000.png", "label": 1.5}', "a text or a whole number"),
        ("labels.jsonl", b"[1]", "expected an object in each line"),
        ("labels.jsonl", b"[" * 9000, "cannot be read as a table of labels"),
        ("labels.parquet", b"x", "cannot be read as a table of labels"),
        ("labels.csv", b"path,label\n\xff,a\n", "cannot be read as a table of labels"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=reason):
            labelled(folder, store, tmp_path / name)
    with pytest.raises(InputError, match="no column 'y' for label"):
        labelled(folder, store, written(tmp_path), label="y")
    with pytest.raises(InputError, match="table of labels not found"):
        labelled(folder, store, tmp_path / "none.csv")
    with pytest.raises(InputError, match="give one of the two"):
        ingest(folder, store=store, layout="classes", labels=LabelRule(written(tmp_path)))


def test_many_paths_of_the_table_s_own_folder_are_matched_at_once():
    """The kind: a search through all files for each row, hours for a table of 100,000."""
    paths = [f"{n}.png" for n in range(100_000)]
    rows = pa.table({"path": [f"pets/{path}" for path in paths], "label": ["a"] * len(paths)})
    found = in_folder(PathTable("/data/t.csv", rows, ()), pa.chunked_array([paths]), PETS)
    assert set(found["path"].to_pylist()) == set(paths)


def test_very_many_lines_are_read(tmp_path, folder, store):
    lines = "".join(f"cat/{n % 5:03}.png,a\n" for n in range(200_000))
    (tmp_path / "labels.csv").write_text(f"path,label\n{lines}dog/005.png,b\n")
    manifest = labelled(folder, store, tmp_path / "labels.csv")
    assert len(manifest.of_status("accepted")) == 6
