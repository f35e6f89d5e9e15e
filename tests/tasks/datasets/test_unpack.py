"""Images in Parquet files become files in a folder, once, and are then a data set as any other."""

import os
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stores.manifest import Manifest
from stores.storage.publish import publish_file
from tasks.datasets import packed_rows, unpack
from tasks.datasets.ingest import ingest
from tasks.datasets.label_table import LabelRule
from tasks.datasets.seen_folder import IngestRequest, count_unread
from tasks.datasets.splits import SplitRule
from tasks.errors import InputError
from tests.support.images import every_kind, small_png, write, write_classes
from tests.support.ingested import by_path, refusal
from tests.support.packed import features, structs, write_packed, write_pets

NAMES = features(image="Image", label=["cat", "dog"])


@pytest.fixture
def folder(tmp_path):
    """A folder that is not there yet."""
    return tmp_path / "photos"


@pytest.fixture
def counted(monkeypatch):
    """The names of Parquet files whose images are read, and of files that are written."""
    read, written = [], []

    def images(file):
        read.append(file.path.name)
        return packed_rows.images(file)

    def publish(content, final, *, tmp):
        written.append(final.name)
        publish_file(content, final, tmp=tmp)

    monkeypatch.setattr(unpack, "images", images)
    monkeypatch.setattr(unpack, "publish_file", publish)
    return read, written


def with_labels(path, **columns):
    return {"labels": LabelRule(path, columns)}


def found(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def labels_of(manifest):
    return {path: entry.label for path, entry in by_path(manifest).items()}


def test_images_become_files_and_labels_those_of_their_names(tmp_path, folder, store):
    images = structs([small_png(n) for n in range(4)], ["a.png", "b/1.png", "../x.png", None])
    path = write_packed(tmp_path / "a.parquet", image=images, label=[0, 1, 0, 1])
    done = ingest(folder, store=store, **with_labels(path))
    there = found(folder)
    del there[unpack.TABLE]
    assert sorted(there.values()) == sorted(small_png(n) for n in range(4))
    assert [labels_of(done.manifest)[name] for name in ("a.png", "b/1.png")] == ["cat", "dog"]
    assert done.manifest.classes == ("cat", "dog")
    assert (done.manifest.layout, done.manifest.notes, done.read) == ("table", (), 4)


def test_unchanged_files_are_not_opened_again(tmp_path, folder, store, counted):
    path = write_pets(tmp_path / "train.parquet")
    request = IngestRequest(folder=folder, store=store, **with_labels(path))
    assert count_unread(request) == 10
    first = ingest(folder, store=store, **with_labels(path))
    again = ingest(folder, store=store, **with_labels(path))
    assert (again.manifest, again.read) == (first.manifest, 0)
    assert ingest(folder, store=store).manifest == first.manifest
    assert count_unread(request) == 0
    assert ingest(folder, store=store, dataset="b", **with_labels(path)).read == 10
    read, written = counted
    assert read == ["train.parquet"]
    assert len(written) == 11


@pytest.mark.parametrize("change", ["touched", "table gone", "table damaged", "another's table"])
def test_what_is_there_is_not_written_again(tmp_path, folder, store, counted, change):
    path = write_pets(tmp_path / "train.parquet")
    first = ingest(folder, store=store, **with_labels(path)).manifest
    if change == "touched":
        os.utime(path)
    elif change == "table gone":
        (folder / unpack.TABLE).unlink()
    elif change == "table damaged":
        (folder / unpack.TABLE).write_bytes(b"PAR1")
    else:
        pq.write_table(pa.table({"path": ["../x"], "label": ["a"]}), folder / unpack.TABLE)
    again = ingest(folder, store=store, **with_labels(path))
    read, written = counted
    assert (again.manifest, again.read) == (first, 0)
    assert (len(read), written[11:]) == (2, [unpack.TABLE])


def test_a_killed_run_is_continued(tmp_path, folder, store, counted, monkeypatch):
    path = write_pets(tmp_path / "train.parquet")
    _, written = counted

    def publish(content, final, *, tmp):
        if len(written) == 5:
            raise KeyboardInterrupt
        written.append(final.name)
        publish_file(content, final, tmp=tmp)

    with monkeypatch.context() as patched:
        patched.setattr(unpack, "publish_file", publish)
        patched.setattr(unpack, "_THREADS", 1)
        with pytest.raises(KeyboardInterrupt):
            ingest(folder, store=store, **with_labels(path))
    write(folder / unpack._DRAFTS / "left.draft", b"half")
    half = set(found(folder))
    done = ingest(folder, store=store, **with_labels(path)).manifest
    assert len(half) == 6
    assert set(written[5:]).isdisjoint(half)
    assert len(done.of_status("accepted")) == 10
    assert not (folder / unpack._DRAFTS).exists()


def test_a_removed_image_comes_back(tmp_path, folder, store):
    path = write_pets(tmp_path / "train.parquet")
    first = ingest(folder, store=store, **with_labels(path)).manifest
    gone = folder / first.rows["path"][3].as_py()
    gone.unlink()
    assert len(ingest(folder, store=store).manifest.of_status("accepted")) == 9
    ingest(folder, store=store, **with_labels(path))
    assert gone.exists()


def test_no_file_is_replaced(tmp_path, folder, store):
    path = write_packed(
        tmp_path / "a.parquet",
        image=structs([small_png(0), small_png(1)], ["1.png", "b/2.png"]),
        label=[0, 1],
    )
    for name, content in (("1.png", small_png(9)), ("b", b"a file"), ("1.png/x.png", b"")):
        write(folder / name, content)
        told = refusal(folder, store, **with_labels(path))
        assert "move it away" in told
        assert found(folder)[name] == content
        os.system(f"rm -r {folder}")
    (tmp_path / "elsewhere").mkdir()
    folder.mkdir()
    (folder / "b").symlink_to(tmp_path / "elsewhere")
    assert f"{folder / 'b'}: a link, expected a folder" in refusal(
        folder, store, **with_labels(path)
    )
    assert not found(tmp_path / "elsewhere")


def test_splits_of_file_names_and_of_a_column(tmp_path, folder, store):
    for first, name in enumerate(["train-00000-of-00001", "validation-00000-of-00001", "test"]):
        write_pets(tmp_path / "hub" / "data" / f"{name}.parquet", 4, first=10 * first)
    manifest = ingest(folder, store=store, **with_labels(tmp_path / "hub")).manifest
    assert [len(manifest.select(s).keys) for s in ("train", "validation", "test")] == [4, 4, 4]
    images = structs([small_png(n) for n in range(8)])
    splits = ["train"] * 6 + ["test"] * 2
    path = write_packed(tmp_path / "a.parquet", image=images, label=[0, 1] * 4, split=splits)
    manifest = ingest(tmp_path / "b", store=store, **with_labels(path)).manifest
    assert [len(manifest.select(s).keys) for s in ("train", "validation", "test")] == [4, 2, 2]


def test_groups_times_and_texts_as_labels(tmp_path, folder, store):
    count = 8
    path = write_packed(
        tmp_path / "a.parquet",
        img=structs([small_png(n) for n in range(count)]),
        kind=["a", "b"] * 4,
        who=[n // 2 for n in range(count)],
        taken=pa.array(range(count), pa.timestamp("s")),
    )
    columns = {"image": "img", "label": "kind", "group": "who", "time": "taken"}
    rule = SplitRule(by="time")
    manifest = ingest(folder, store=store, rule=rule, **with_labels(path, **columns)).manifest
    assert manifest.classes == ("a", "b")
    test = manifest.rows.filter(pa.compute.equal(manifest.rows["split"], "test"))
    assert set(test["group"].to_pylist()) == {"3"}
    assert set(test["time"].to_pylist()) == {6_000_000, 7_000_000}


def test_numbers_without_names_are_their_decimals(tmp_path, folder, store):
    path = write_pets(tmp_path / "a.parquet", metadata={})
    assert ingest(folder, store=store, **with_labels(path)).manifest.classes == ("0", "1")


def test_rows_without_an_image_are_counted_and_the_remark_is_kept(tmp_path, folder, store):
    contents = [small_png(0), None, small_png(1), None]
    path = write_packed(tmp_path / "a.parquet", image=structs(contents), label=[0, 1, 1, 0])
    note = "unpacked: 2 rows without an image are left out (for one, row 2 of a.parquet)"
    for rule in (with_labels(path), with_labels(path), {}):
        assert ingest(folder, store=store, **rule).manifest.notes == (note,)
    images = structs([None, None])
    path = write_packed(tmp_path / "b.parquet", image=images, label=[0, 1])
    assert "no row has the bytes of an image" in refusal(tmp_path / "b", store, **with_labels(path))


def test_bytes_that_are_no_image_are_rejected(tmp_path, folder, store):
    contents = [small_png(0), small_png(1), b"no image", b"", every_kind()["rgb.jpg"][:99]]
    path = write_packed(tmp_path / "a.parquet", image=structs(contents), label=[0, 1, 0, 1, 0])
    manifest = ingest(folder, store=store, **with_labels(path)).manifest
    assert len(manifest.of_status("accepted")) == 2
    assert len(manifest.of_status("rejected")) == 3


def test_a_file_without_any_label_is_left_out(tmp_path, folder, store):
    write_pets(tmp_path / "hub" / "train.parquet", 4)
    images = structs([small_png(9)] * 3)
    write_packed(tmp_path / "hub" / "test.parquet", image=images, label=[-1, -1, -1])
    manifest = ingest(folder, store=store, **with_labels(tmp_path / "hub")).manifest
    assert manifest.notes == ("unpacked: test.parquet has no labels: its 3 images are left out",)
    assert len(manifest.rows) == 4


@pytest.mark.parametrize("columns", [{"label": [-1] * 4}, {"split": ["test"] * 4}, {"id": [1] * 4}])
def test_images_without_labels_have_features_only(tmp_path, folder, store, columns):
    images = structs([small_png(n) for n in range(4)])
    path = write_packed(tmp_path / "a.parquet", image=images, metadata=NAMES, **columns)
    refused = "no label" if "label" in columns else "no column 'label'"
    assert refused in refusal(folder, store, **with_labels(path))
    rule = LabelRule(path, needed=False)
    manifests = [ingest(folder, store=store, labels=rule).manifest for _ in range(2)]
    assert (manifests[0].classes, len(manifests[0].select().keys)) == ((), 4)
    assert manifests[1] == manifests[0]
    assert count_unread(IngestRequest(folder=folder, store=store, labels=rule)) == 0
    assert refused in refusal(folder, store, **with_labels(path))


@pytest.mark.parametrize(
    ("label", "more", "reason"),
    [
        ([0, None], {}, "row 2 has no label in the column label; fill it in"),
        ([0, -1], {}, "row 2 has no label in the column label"),
        ([-1, -1], {}, "row 1 has no label in the column label"),
        ([0, 2], {}, "row 2: label 2, but the file names 2 classes; expected 0 to 1"),
        ([0, 2**62], {}, "row 2: label 4611686018427387904, but the file names 2"),
        ([0, 1], {"split": ["train", "dev"]}, "row 2: the split must be one of train, validation"),
        ([0.5, 1.0], {}, "expected columns of strings, found double"),
        ([[0], [1]], {}, "expected columns of strings, found list<"),
    ],
)
def test_mistakes_are_one_line_and_nothing_is_written(tmp_path, folder, store, label, more, reason):
    images = structs([small_png(0), small_png(1)])
    path = write_packed(tmp_path / "a.parquet", image=images, label=label, **more)
    told = refusal(folder, store, **with_labels(path))
    assert told.startswith(f"{path}: ")
    assert reason in told
    assert not folder.exists()


def test_other_mistakes(tmp_path, folder, store):
    path = write_pets(tmp_path / "a.parquet")
    both = refusal(folder, store, layout="classes", **with_labels(path))
    assert "a.parquet has the labels; give one of the two" in both
    assert not folder.exists()
    write(tmp_path / "file", b"")
    told = refusal(tmp_path / "file", store, **with_labels(path))
    assert "expected a folder, found a file" in told
    empty = write_packed(tmp_path / "b.parquet", image=structs([]), label=pa.array([], pa.int64()))
    assert "the table has no rows" in refusal(folder, store, **with_labels(empty))


def test_images_join_others_that_the_table_does_not_name(tmp_path, store):
    """The kind: a folder of images that are somebody's already."""
    folder = write_classes(tmp_path / "pets", count=2)
    before = found(folder)
    path = write_pets(tmp_path / "a.parquet")
    manifest = ingest(folder, store=store, **with_labels(path)).manifest
    assert (len(manifest.of_status("accepted")), len(manifest.of_status("ignored"))) == (10, 4)
    assert before.items() <= found(folder).items()


def test_bombs(tmp_path, folder, store, monkeypatch):
    """The kind: some bytes that become very many, in one row or in all."""
    path = tmp_path / "a.parquet"
    image = pa.DictionaryArray.from_arrays(np.zeros(10**5, np.int32), [small_png(0) + bytes(10**6)])
    table = pa.table({"image": image, "label": ["a"] * len(image)})
    pq.write_table(table, path, compression="zstd", store_schema=False)
    assert path.stat().st_size < 2**16
    told = refusal(folder, store, **with_labels(path))
    assert "its images have far more bytes than the file itself" in told
    assert len(found(folder)) < 100
    monkeypatch.setattr(packed_rows, "LARGEST_BYTES", 500)
    write_packed(path, image=structs([b"x" * 9, b"x" * 501]), label=[0, 1])
    told = refusal(folder, store, **with_labels(path))
    assert "row 2: an image of 501 bytes, expected at most 500" in told


def test_memory_is_bounded_by_a_batch(tmp_path, monkeypatch):
    """The kind: as many images at once as there are, however large."""
    write = partial(write_packed, tmp_path / "a.parquet", rows=1000)
    from tasks.datasets.packed_images import packed_images

    def sizes(count, each):
        contents = [os.urandom(each) for _ in range(count)]
        rule = LabelRule(write(image=structs(contents), label=[0] * count))
        (file,) = packed_images(rule).files
        return [len(batch) for batch in packed_rows.images(file)]

    monkeypatch.setattr(packed_rows, "_BYTES_AT_ONCE", 1000)
    assert sizes(5, 400) == [3, 2]
    assert sizes(3, 2000) == [1, 1, 1]
    monkeypatch.undo()
    assert sizes(130, 10) == [64, 64, 2]


def test_a_folder_that_cannot_be_written(tmp_path, store, monkeypatch):
    folder = tmp_path / "photos"
    folder.mkdir()

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr("stores.storage.publish.create", refuse)
    told = refusal(folder, store, **with_labels(write_pets(tmp_path / "a.parquet", 2)))
    assert f"{folder}: the images of {tmp_path / 'a.parquet'} cannot be written there" in told


def test_two_features_named_by_datasets(tmp_path, folder, store):
    """The kind: a column of groups that has names too."""
    images = structs([small_png(n) for n in range(6)])
    names = features(image="Image", label=["x", "y"], group=["anna", "ben", "cleo"])
    columns = {"label": [0, 1] * 3, "group": [0, 0, 1, 1, 2, 2]}
    path = write_packed(tmp_path / "a.parquet", image=images, metadata=names, **columns)
    ingest(folder, store=store, **with_labels(path))
    rows = Manifest.read(store, "photos").rows
    assert set(rows["group"].to_pylist()) == {"anna", "ben", "cleo"}
    with pytest.raises(InputError, match="no column 'g' for group"):
        ingest(folder, store=store, **with_labels(path, group="g"))
