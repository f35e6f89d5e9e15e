import hashlib
import time
from dataclasses import replace

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stores import CorruptStore, ImageKey, Manifest, NewerFormat, NotInStore, StoreError
from stores.dataset_places import dataset_lock, datasets, manifest_place
from stores.dataset_summary import FileReason, RemarkCount
from stores.manifest import MANIFEST_VERSION, SPLITS
from stores.storage.safe_files import leads_out
from stores.storage.stamped_parquet import read_table, table_bytes
from tests.stores.storage.test_publish import other_process
from tests.support.entries import Entry, entries_of, rows_of, with_entries
from tests.support.samples import few, flip, in_child, snapshot

HOLD_A_DATASET = """
import sys; from stores.dataset_places import dataset_lock
with dataset_lock(sys.argv[1], "pets"):
    print("held", flush=True); input()
"""
_names = st.text(st.characters(codec="utf-8"), min_size=1)
_paths = _names.filter(lambda path: not leads_out(path))


def entry(path, content=b"", **changes):
    """Return an accepted training image of a cat, but for the changes."""
    fields = {"label": "cat", "split": "train", "status": "accepted", "reason": ""}
    stamp = {"size": 10, "mtime_ns": 1, "ctime_ns": 2, "inode": 3}
    return Entry(**{"path": path, "key": ImageKey.of(content)} | fields | stamp | changes)


def manifest(*entries, **changes):
    rule = {"split_seed": 0, "test_split": 0.2, "validation_split": 0.2, "listed_ns": 5}
    about = {"name": "pets", "folder": "/pets", "classes": ("cat", "dog"), **rule}
    return Manifest(**about | {"rows": rows_of(entries)} | changes)


PETS = manifest(
    entry("cat/1.jpg", b"1"),
    entry("cat/2.jpg", b"2", split="validation"),
    entry("cat/copy of 1.jpg", b"1", reason="the same bytes as cat/1.jpg"),
    entry("dog/3.jpg", b"3", label="dog", split="test"),
    entry("dog/4.jpg", b"4", label="dog", split=None, status="rejected", reason="no JPEG"),
    entry("dog/5.jpg", key=None, label="dog", split=None, status="rejected", reason="unreadable"),
    entry("dog/6.jpg", b"6", label="dog", split=None, status="conflicting", reason="two labels"),
    entry("dog/7.webp", b"7", label="dog", split=None, status="ignored", reason=".webp"),
    entry("dog/8.jpg", b"8", label="dog", status="absent"),
)


@few
@given(
    st.lists(
        st.builds(
            entry,
            _paths,
            st.binary(),
            label=st.none() | _names,
            split=st.none() | st.sampled_from(SPLITS),
            status=st.sampled_from(["accepted", "rejected", "conflicting", "ignored", "absent"]),
            reason=st.text(st.characters(codec="utf-8")),
            mtime_ns=st.integers(-(2**63), 2**63 - 1),
            inode=st.integers(0, 2**64 - 1),
        )
        | st.builds(entry, _paths, key=st.none(), status=st.just("rejected")),
        unique_by=(lambda e: e.path, lambda e: e.key or e.path),
    ),
    st.lists(_names, unique=True, min_size=1),
    _names,
)
def test_a_manifest_survives_the_disk(tmp_path_factory, entries, classes, folder):
    store = tmp_path_factory.mktemp("store")
    fitting = [
        replace(e, label=classes[0], split=e.split or "train") if e.status == "accepted" else e
        for e in entries
    ]
    before = manifest(*fitting, classes=tuple(classes), folder=folder)
    before.write(store)
    after = Manifest.read(store, "pets")
    assert after == before
    assert after.digest == before.digest
    assert all(isinstance(e.key, ImageKey) for e in entries_of(after) if e.key)


@pytest.mark.parametrize(
    "path",
    [
        "cat/a b.jpg",
        "gatinho/ação.jpg",
        "cat/line\nbreak\t.jpg",
        "cat/" + "x" * 251 + ".jpg",
        "cat/gargalo-xxh3-128:" + "0" * 40,
        "cat/\U0001f431'\".jpg",
    ],
)
def test_odd_names_survive(tmp_path, path):
    before = manifest(entry(path, label=path, reason=path), classes=(path,), folder=f"/{path}")
    before.write(tmp_path)
    assert Manifest.read(tmp_path, "pets") == before


def test_an_inode_may_have_64_bits(tmp_path):
    before = manifest(entry("cat/1.jpg", inode=2**64 - 1))  # some network file systems' have
    before.write(tmp_path)
    assert Manifest.read(tmp_path, "pets") == before


def test_anybody_can_read_it_as_parquet(tmp_path):
    PETS.write(tmp_path)
    table = pq.read_table(tmp_path / "datasets" / "pets" / "manifest.parquet")
    assert table["path"].to_pylist() == [e.path for e in entries_of(PETS)]
    assert table["key"].to_pylist() == [e.key for e in entries_of(PETS)]


@pytest.mark.parametrize("name", ["pets", "Cats & Dogs", "ação", "é" * 100, "a.b", "x" * 200])
def test_a_data_set_may_have_an_odd_name(tmp_path, name):
    replace(PETS, name=name).write(tmp_path)
    assert Manifest.read(tmp_path, name).name == name
    assert datasets(tmp_path) == [name]


@pytest.mark.parametrize("name", ["", ".", "..", ".x", "a/b", "a\nb", "a\0b", "x" * 201, "é" * 101])
def test_what_cannot_name_a_folder_names_no_data_set(tmp_path, name):
    for call in (Manifest.read, manifest_place):
        with pytest.raises(StoreError, match=r"cannot name a data set.*give another --dataset"):
            call(tmp_path, name)
    with pytest.raises(StoreError), dataset_lock(tmp_path, name):
        pass
    assert not list(tmp_path.iterdir())


def test_a_new_manifest_replaces_the_old_one(tmp_path):
    PETS.write(tmp_path)
    replace(PETS, split_seed=1).write(tmp_path)
    assert Manifest.read(tmp_path, "pets").split_seed == 1
    assert datasets(tmp_path) == ["pets"]


def test_an_unknown_data_set_is_not_in_store(tmp_path):
    with pytest.raises(NotInStore, match=r"no data set 'pets'; ingest .*in the store: none"):
        Manifest.read(tmp_path, "pets")
    replace(PETS, name="birds").write(tmp_path)
    with pytest.raises(NotInStore, match="in the store: birds"):
        Manifest.read(tmp_path, "pets")
    assert datasets(tmp_path / "nowhere") == []


@pytest.mark.parametrize("place", [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.9999])
def test_a_damaged_manifest_says_the_ways_out(tmp_path, place):
    PETS.write(tmp_path)
    path = manifest_place(tmp_path, "pets").path
    flip(path, int(place * path.stat().st_size), bit=3)
    with pytest.raises(CorruptStore, match="from a backup, or delete it and ingest again"):
        Manifest.read(tmp_path, "pets")


def test_a_newer_manifest_is_refused_and_stays(tmp_path):
    PETS.write(tmp_path)
    path = manifest_place(tmp_path, "pets").path
    table, about = read_table(path, kind="manifest", version=MANIFEST_VERSION)
    newer = MANIFEST_VERSION + 1
    path.write_bytes(table_bytes(table, kind="manifest", version=newer, metadata=about))
    before = snapshot(tmp_path)
    with pytest.raises(NewerFormat, match="update gargalo"):
        Manifest.read(tmp_path, "pets")
    assert snapshot(tmp_path) == before


def test_a_manifest_of_format_1_is_read(tmp_path):
    replace(PETS, examination=2).write(tmp_path)
    path = manifest_place(tmp_path, "pets").path
    table, about = read_table(path, kind="manifest", version=MANIFEST_VERSION)
    new = {"layout", "notes", "examination"}
    first = {name: value for name, value in about.items() if name not in new}
    assert len(first) == len(about) - 3
    path.write_bytes(table_bytes(table, kind="manifest", version=1, metadata=first))
    assert Manifest.read(tmp_path, "pets") == replace(PETS, examination=1)


def test_reading_writes_nothing(tmp_path):
    PETS.write(tmp_path)
    before = snapshot(tmp_path)
    Manifest.read(tmp_path, "pets")
    assert snapshot(tmp_path) == before


def test_the_digest_is_what_it_says():
    lines = {f"{e.key}\t{e.split}\t{e.label}" for e in entries_of(PETS) if e.status == "accepted"}
    assert len(lines) == 3
    assert PETS.digest == hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


@pytest.mark.parametrize(
    "change",
    [{"label": "dog"}, {"split": "test"}, {"key": ImageKey.of(b"x")}, {"status": "rejected"}],
)
def test_the_digest_changes_with_what_is_learned(change):
    first, *others = entries_of(PETS)
    entries = (replace(first, **change), *(e for e in others if e.key != first.key))
    assert with_entries(PETS, entries=entries).digest != PETS.digest


@given(st.permutations(entries_of(PETS)), st.lists(_names, min_size=9, max_size=9))
def test_the_digest_stays_with_names_order_and_the_rest(entries, names):
    renamed = [replace(e, path=n, inode=7) for e, n in zip(entries, names, strict=True)]
    kept = [e for e in renamed if e.status == "accepted"]
    for chosen in renamed, kept, [*renamed, *kept]:
        other = with_entries(
            PETS, entries=tuple(chosen), name="x", folder="y", split_seed=9, listed_ns=9
        )
        assert other.digest == PETS.digest


def test_images_are_distinct_with_their_label_and_first_path():
    images = PETS.select()
    assert images.paths.to_pylist() == ["cat/1.jpg", "cat/2.jpg", "dog/3.jpg"]
    assert images.labels.tolist() == [0, 0, 1]
    assert [key.tobytes() for key in images.keys] == [ImageKey.of(c) for c in (b"1", b"2", b"3")]


LOOSE = manifest(
    *(entry(f"{n}.jpg", bytes([n]), label=None, split=None) for n in range(3)),
    entry("copy.jpg", b"\0", label=None, split=None),
    classes=(),
)


def test_a_data_set_without_labels_has_neither_classes_nor_splits(tmp_path):
    LOOSE.write(tmp_path)
    assert Manifest.read(tmp_path, "pets") == LOOSE
    images = LOOSE.select()
    assert (images.labels.tolist(), images.splits.null_count) == ([-1] * 3, 3)
    assert len(LOOSE.select(*SPLITS).keys) == 0
    summary = LOOSE.summary()
    assert (summary.images, summary.duplicates, summary.train) == (4, 1, 0)
    lines = sorted(f"{e.key}\t\t" for e in entries_of(LOOSE)[:3])
    assert LOOSE.digest == hashlib.sha256("\n".join(lines).encode()).hexdigest()
    page = LOOSE._repr_html_()
    assert "<td>4</td><td>1</td><td>0</td>" in page
    assert "By class" not in page


@pytest.mark.parametrize(
    ("classes", "change", "reason"),
    [
        (("cat",), {"label": None}, "no label"),
        (("cat",), {"split": None}, "no split"),
        ((), {"label": None}, "a split, though there are no classes"),
        ((), {"split": None}, "a label, though there are no classes"),
        ((), {"label": None, "split": None, "key": None}, "no key"),
    ],
)
def test_labels_and_splits_are_all_there_or_none_is(tmp_path, classes, change, reason):
    manifest(entry("1.jpg", **change), classes=classes).write(tmp_path)
    with pytest.raises(CorruptStore, match=f"an accepted image has {reason}"):
        Manifest.read(tmp_path, "pets")


def test_images_are_selected_by_split():
    assert PETS.select("train").paths.to_pylist() == ["cat/1.jpg"]
    assert PETS.select("validation", "test").paths.to_pylist() == ["cat/2.jpg", "dog/3.jpg"]
    assert manifest().select().keys.shape == (0, 32)
    with pytest.raises(ValueError, match="no split trian; expected train, validation, test"):
        PETS.select("trian")


def test_counts_are_of_distinct_images():
    assert PETS.counts() == {
        "cat": {"train": 1, "validation": 1, "test": 0},
        "dog": {"train": 0, "validation": 0, "test": 1},
    }


def test_the_summary_has_what_is_left_out():
    summary = PETS.summary()
    assert summary.images == 4
    assert summary.duplicates == 1
    assert [summary.train, summary.validation, summary.test] == [1, 1, 1]
    assert [file.reason for file in summary.rejected] == [
        "no JPEG",
        "unreadable",
        "two labels",
    ]
    assert summary.ignored == (FileReason("dog/7.webp", ".webp"),)
    assert [file.path for file in summary.remarks] == ["cat/copy of 1.jpg"]
    assert [(about.images, about.example) for about in summary.remark_counts] == [
        (1, "cat/copy of 1.jpg")
    ]
    assert summary.absent == 1


def test_remarks_are_counted_whatever_their_numbers():
    reasons = ["animated, 3 frames: the first is used", "", "animated, 5 frames: the first is used"]
    reasons.append("CMYK: converted to RGB; animated, 3 frames: the first is used")
    entries = [entry(str(n), reason=reason) for n, reason in enumerate(reasons)]
    assert manifest(*entries).summary().remark_counts == (
        RemarkCount("animated, N frames: the first is used", 3, "0"),
        RemarkCount("CMYK: converted to RGB", 1, "3"),
    )


def test_a_notebook_shows_what_a_data_set_has():
    page = PETS._repr_html_()
    assert "Data set pets: 4 images in /pets" in page
    assert "<td>1</td><td>1</td><td>1</td><td>1</td><td>2</td>" in page  # the last: classes
    assert "<td>cat</td><td>1</td><td>1</td><td>0</td>" in page
    assert "<td>dog/4.jpg</td><td>no JPEG</td>" in page


def test_no_name_in_a_data_set_acts_on_the_page():
    evil = "<b onclick=x>"
    strange = entry(evil, label=evil, split=None, status="rejected", reason=evil)
    page = manifest(strange, name=evil, folder=evil, classes=(evil,))._repr_html_()
    assert page.count("&lt;b onclick=x&gt;") == 5
    assert evil not in page


def test_a_data_set_is_held_against_another_process(tmp_path):
    def take(name):
        with dataset_lock(tmp_path, name):
            return time.monotonic()

    with other_process(HOLD_A_DATASET, tmp_path) as process:
        assert in_child(lambda: take("birds"))
        with pytest.raises(AssertionError, match="signal"):  # it waits until its alarm
            in_child(lambda: take("pets"), seconds=1)
        process.kill()
        process.wait()
        assert in_child(lambda: take("pets"))


def test_a_lock_is_no_data_set(tmp_path):
    with dataset_lock(tmp_path, "pets"):
        assert datasets(tmp_path) == []
