"""Tables of several labels, and of numbers: what is read, what is kept, and each mistake."""

import json
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stores.manifest import Manifest
from tasks.datasets.ingest import ingest
from tasks.datasets.label_table import LabelRule, labels_csv
from tests.support.images import grow_old, small_png, write, write_classes
from tests.support.ingested import by_path, refusal
from tests.support.packed import structs, write_packed

TAGS = [["dog", "cat"], [], ["cat"], ["eel"], ["cat", "eel"], []]
TEXTS = ["cat|dog", "", "cat", "eel", "cat|eel", ""]
AGES = [0.5, -3.0, 12.0, 1e-9, 7.25, 7.25]
SEVERAL, AGE = {"label_separator": "|"}, {"target": "age"}


@pytest.fixture
def folder(tmp_path):
    folder = write_classes(tmp_path / "pets", count=3)
    grow_old()
    return folder


@pytest.fixture
def paths(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.png"))


def table(tmp_path, paths, name="t.csv", **columns):
    """Write a table with a row for each path; its values are Python's, or an Arrow array."""
    file, columns = tmp_path / name, {"path": paths, **columns}
    if name.endswith("parquet"):
        pq.write_table(pa.table(columns), file)
        return file
    rows = list(zip(*columns.values(), strict=True))
    if name.endswith("jsonl"):
        file.write_text("\n".join(json.dumps(dict(zip(columns, row, strict=True))) for row in rows))
    else:
        mark = "\t" if name.endswith("tsv") else ","
        lines = [mark.join(map(str, row)) for row in [list(columns), *rows]]
        file.write_text("\n".join(lines) + "\n")
    return file


def made(folder, store, file, **rule):
    manifest = ingest(folder, store=store, labels=LabelRule(file, **rule)).manifest
    assert Manifest.read(store, manifest.name) == manifest
    return manifest


def labels_of(manifest):
    return [entry.label for _, entry in sorted(by_path(manifest).items())]


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("t.csv", [" | ".join(tags) for tags in TAGS]),
        ("t.tsv", ["|".join(tags) for tags in TAGS]),
        ("t.jsonl", ["|".join(tags) or None for tags in TAGS]),
        ("lists.jsonl", TAGS),
        ("t.parquet", TEXTS),
        ("lists.parquet", TAGS),
    ],
)
def test_several_labels(tmp_path, folder, paths, store, name, label):
    manifest = made(folder, store, table(tmp_path, paths, name, label=label), **SEVERAL)
    assert (manifest.target, manifest.label_separator) == ("labels", "|")
    assert manifest.classes == ("cat", "dog", "eel")
    assert labels_of(manifest) == TEXTS


@pytest.mark.parametrize(
    ("name", "age"),
    [
        ("t.csv", AGES),
        ("t.jsonl", AGES),
        ("texts.jsonl", list(map(str, AGES))),
        ("t.parquet", AGES),
        ("halves.parquet", pa.array(AGES, pa.float32())),
        ("decimals.parquet", [Decimal(str(age)) for age in AGES[:3] + AGES[4:]] + [Decimal(1)]),
        ("whole.parquet", [1, 2, 3, 4, 5, 6]),
    ],
)
def test_a_number(tmp_path, folder, paths, store, name, age):
    file = table(tmp_path, paths, name, age=age, label=["cat"] * 6)
    manifest = made(folder, store, file, **AGE)
    assert (manifest.target, manifest.classes) == ("number", ("age",))
    found = manifest.select()
    values = [float(one.as_py() if hasattr(one, "as_py") else one) for one in age]
    assert sorted(found.labels.tolist()) == sorted(values)
    assert found.splits.null_count == 0


def test_the_data_set_keeps_it_and_a_report_s_table_gives_it_again(tmp_path, folder, paths, store):
    for name, rule, column in (("tags", SEVERAL, {"label": TEXTS}), ("ages", AGE, {"age": AGES})):
        file = table(tmp_path, paths, **column)
        about = {"store": store, "dataset": name}
        first = ingest(folder, **about, labels=LabelRule(file, **rule)).manifest
        assert ingest(folder, **about).manifest == first
        assert ingest(folder, **about, labels=LabelRule(file)).manifest == first
        write(tmp_path / "again.csv", labels_csv(first))
        again = ingest(folder, **about, labels=LabelRule(tmp_path / "again.csv", **rule)).manifest
        assert again == first
        more = write(folder / "cat" / "new.png", small_png(99))
        file = table(
            tmp_path, [*paths, "cat/new.png"], **{n: [*v, v[0]] for n, v in column.items()}
        )
        after = ingest(folder, **about, labels=LabelRule(file)).manifest
        assert by_path(after).keys() == {*paths, "cat/new.png"}
        assert all(by_path(after)[path].split == by_path(first)[path].split for path in paths)
        more.unlink()


def test_corrections_are_in_the_same_notation(tmp_path, folder, paths, store):
    right = tmp_path / "right.csv"
    made(folder, store, table(tmp_path, paths, label=TEXTS), **SEVERAL)
    right.write_text(f"path,label\n{paths[0]},eel | dog\n{paths[2]},\n{paths[3]},exclude\n")
    manifest = made(folder, store, None, corrections=right)
    assert labels_of(manifest)[:4] == ["dog|eel", "", "", "eel"]
    assert by_path(manifest)[paths[3]].status == "excluded"
    assert ingest(folder, store=store).manifest == manifest
    right.write_text(f"path,label\n{paths[0]},cow\n")
    told = refusal(folder, store, labels=LabelRule(corrections=right))
    assert "unknown label 'cow'" in told
    right.write_text(f"path,label\n{paths[0]},old\n")
    made(folder, store / "ages", table(tmp_path, paths, age=AGES), **AGE)
    told = refusal(folder, store / "ages", labels=LabelRule(corrections=right))
    assert f"right.csv: row 1: the age of {paths[0]!r}: expected a finite number" in told
    right.write_text(f"path,label\n{paths[0]},99\n{paths[1]},exclude\n")
    manifest = made(folder, store / "ages", None, corrections=right)
    assert labels_of(manifest)[:2] == ["99.0", "-3.0"]
    assert len(manifest.select().keys) == 5


MISTAKES = [
    (
        SEVERAL,
        {"label": ["cat||dog", *TEXTS[1:]]},
        "row 1: the labels of 'cat/000.png': a label betw",
    ),
    (SEVERAL, {"label": [*TEXTS[:5], "cat|cat"]}, "row 6: the labels of 'dog/005.png': the label"),
    (SEVERAL, {"label": [""] * 6}, "no image has a label"),
    (SEVERAL, {"tags": TEXTS}, "name it with --column label=NAME"),
    (AGE, {"age": [*AGES[:5], "old"]}, "row 6: the age of 'dog/005.png': expected a finite number"),
    (AGE, {"age": [*AGES[:5], "nan"]}, "Received: 'nan'"),
    (AGE, {"age": [*AGES[:5], ""]}, "Received: ''"),
    (AGE, {"size": AGES}, "no column 'age' for label. Received: path, size"),
    ({"target": "group"}, {"group": AGES}, "--target group: a column of this name has the group"),
    (SEVERAL | AGE, {"age": AGES}, "give one of the two"),
    ({"label_separator": "\n"}, {"label": TEXTS}, "expected printable characters"),
    (AGE | {"columns": {"label": "x"}}, {"age": AGES}, "--column label=x: both name the column"),
]


@pytest.mark.parametrize(("rule", "columns", "told"), MISTAKES)
def test_mistakes_are_one_line(tmp_path, folder, paths, store, rule, columns, told):
    file = table(tmp_path, paths, **columns)
    assert told in refusal(folder, store, labels=LabelRule(file, **rule))
    assert not store.exists()


def test_numbers_and_lists_are_no_classes(tmp_path, folder, paths, store):
    for label in (AGES, TAGS):
        file = table(tmp_path, paths, "t.parquet", label=label)
        assert "expected columns of strings" in refusal(folder, store, labels=LabelRule(file))
    lists = table(tmp_path, paths, "t.parquet", label=[["a|b"]] * 6)
    told = refusal(folder, store, labels=LabelRule(lists, **SEVERAL))
    assert "row 1: expected a list of labels without '|' in them. Received: 'a|b'" in told


def test_the_target_of_a_data_set_is_for_good(tmp_path, folder, paths, store):
    file = table(tmp_path, paths, label=TEXTS, age=AGES)
    classes = ingest(folder, store=store, dataset="classes").manifest
    told = refusal(folder, store, dataset="classes", labels=LabelRule(file, **AGE))
    assert told == (
        "--target age: data set 'classes' has classes; leave the flag out, or give a new name with "
        "--dataset"
    )
    assert Manifest.read(store, "classes") == classes
    made(folder, store, file, **SEVERAL)
    told = refusal(folder, store, labels=LabelRule(file, label_separator=";"))
    assert "--label-separator ';': data set 'pets' has several labels with '|' between them" in told
    told = refusal(folder, store, layout="auto")
    assert "--layout auto: the data set has several labels with '|' between them, which" in told
    told = refusal(folder, store, dataset="new", labels=LabelRule(**SEVERAL))
    assert "--label-separator '|': only a table gives several labels" in told


def test_files_of_images_have_several_labels_or_numbers_too(tmp_path, store):
    images = structs([small_png(n) for n in range(6)])
    of_each = {"feature": {"names": ["cat", "dog", "eel"], "_type": "ClassLabel"}}
    about = {"huggingface": json.dumps({"info": {"features": {"label": of_each}}})}
    numbers = [[["cat", "dog", "eel"].index(tag) for tag in tags] for tags in TAGS]
    named = write_packed(
        tmp_path / "named.parquet", metadata=about, image=images, label=numbers, age=AGES
    )
    lists = write_packed(tmp_path / "lists.parquet", image=images, label=TAGS)
    for file in (named, lists):
        manifest = made(tmp_path / file.stem, store, file, **SEVERAL)
        assert sorted(labels_of(manifest)) == sorted(TEXTS)
        assert ingest(tmp_path / file.stem, store=store, labels=LabelRule(file)).read == 0
    manifest = made(tmp_path / "aged", store, named, **AGE)
    assert sorted(manifest.select().labels.tolist()) == sorted(AGES)
    bad = write_packed(tmp_path / "bad.parquet", image=images, age=[*AGES[:5], None])
    told = refusal(tmp_path / "new", store, labels=LabelRule(bad, **AGE))
    assert "bad.parquet: row 6: the age: expected a finite number such as 3.5. Received: ''" in told
    assert not (tmp_path / "new").exists()
