"""Which Parquet files hold images, which columns, and which split: read from footers alone."""

import json

import pyarrow as pa
import pytest

from tasks.datasets.label_table import LabelRule
from tasks.datasets.packed_images import packed_images
from tasks.errors import InputError
from tests.support.images import small_png
from tests.support.packed import features, structs, write_packed, write_pets

PNG = [small_png(0)]


def packed(path, **columns):
    return packed_images(LabelRule(path, columns))


def refused(path, **columns):
    with pytest.raises(InputError) as error:
        packed(path, **columns)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_columns_and_names_are_those_of_datasets(tmp_path):
    path = write_packed(tmp_path / "a.parquet", image=structs(PNG), label=[1], id=[7])
    (file,) = packed(path).files
    assert (file.columns, file.class_names) == (
        {"image": "image", "label": "label"},
        {"label": ("cat", "dog")},
    )
    assert (file.rows, file.split, packed(path).columns) == (1, None, ("path", "label"))


def test_other_names_and_more_columns(tmp_path):
    columns = {"img": structs(PNG), "fine": [0], "who": ["a"], "taken": ["2024-01-01"]}
    names = features(img="Image", fine=["x"])
    path = write_packed(tmp_path / "a.parquet", metadata=names, **columns)
    given = {"image": "img", "label": "fine", "group": "who", "time": "taken"}
    found = packed(path, **given)
    assert dict(found.files[0].columns) == given
    assert found.files[0].class_names == {"label": ("x",)}
    assert found.columns == ("path", "label", "group", "time")
    assert "--column image=img. Received: img, fine, who, taken" in refused(path, label="fine")


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary()])
def test_plain_bytes_are_images_unless_there_are_paths(tmp_path, kind):
    image = pa.array(PNG, kind)
    assert packed(write_packed(tmp_path / "a.parquet", image=image, label=[0]))
    path = write_packed(tmp_path / "b.parquet", image=image, label=[0], path=["x.png"])
    assert packed(path) is None
    assert packed(path, image="image").files[0].columns["path"] == "path"
    path = write_packed(tmp_path / "c.parquet", image=structs(PNG), label=[0], path=["x.png"])
    assert packed(path).files


def test_tables_of_paths_are_left_to_others(tmp_path):
    path = write_packed(tmp_path / "a.parquet", path=["x.png"], label=["a"], image=[7])
    assert packed(path) is None
    (tmp_path / "a.csv").write_text("path,label\n")
    assert packed(tmp_path / "a.csv") is None
    assert packed(None) is None


@pytest.mark.parametrize(
    ("columns", "given", "reason"),
    [
        ({"id": [1], "label": [1]}, {}, "no column 'path' of files, and none of images"),
        ({"id": [1], "label": [1]}, {}, "or --column image=NAME. Received: id, label"),
        ({"image": [1], "label": [1]}, {}, "column 'image' holds int64, expected the bytes"),
        ({"image": [PNG], "label": [1]}, {}, "holds list<"),
        ({"image": PNG, "y": [1]}, {}, "no column 'label'; name it with --column label=NAME"),
        ({"image": PNG, "y": [1]}, {"label": "z"}, "no column 'z' for label. Received: image, y"),
        ({"image": PNG, "y": [1]}, {"image": "y"}, "column 'y' holds int64"),
        ({"image": PNG, "y": [1]}, {"group": "g"}, "no column 'g' for group"),
    ],
)
def test_columns_that_fit_nothing_are_one_line(tmp_path, columns, given, reason):
    assert reason in refused(write_packed(tmp_path / "a.parquet", **columns), **given)


def test_other_files_are_one_line(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    assert "cannot be read as a table of labels" in refused(tmp_path / "a.parquet")
    assert "table of labels not found" in refused(tmp_path / "none.parquet")
    (tmp_path / "a.csv").touch()
    assert "no .parquet file; expected one that holds" in refused(tmp_path / "a.csv", image="x")
    twice = pa.table([pa.array(PNG), pa.array(PNG), pa.array([0])], ["image", "image", "label"])
    pa.parquet.write_table(twice, tmp_path / "b.parquet")
    assert "column image is repeated" in refused(tmp_path / "b.parquet")


DEEP = '{"info": ' + "[" * 100_000


@pytest.mark.parametrize(
    "metadata",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        DEEP.encode(),
        json.dumps({"info": {"features": [1]}}).encode(),
        json.dumps({"info": {"features": {"label": {"names": "ab"}}}}).encode(),
        json.dumps({"info": {"features": {"label": {"names": ["a", 1]}}}}).encode(),
        json.dumps({"info": {"features": {"label": {"names": ["a", " a"]}}}}).encode(),
        json.dumps({"info": {"features": {"label": {"names": ["a", ""]}}}}).encode(),
        json.dumps({"info": {"features": {"label": {"names": ["a" * 1001]}}}}).encode(),
        b'{"x": "' + b"," * 2**23 + b'"}',
    ],
    ids=lambda metadata: metadata[:50],
)
def test_what_is_nobodys_names_is_ignored(tmp_path, metadata):
    path = write_pets(tmp_path / "a.parquet", 2, metadata={"huggingface": metadata})
    assert packed(path).files[0].class_names == {}


def splits(folder):
    return {file.path.name: file.split for file in packed(folder).files}


@pytest.mark.parametrize("inner", [".", "data"])
def test_files_of_splits(tmp_path, inner):
    names = ["test-00000-of-00001", "train-00000-of-00002", "train-00001-of-00002", "valid"]
    for name in names:
        write_pets(tmp_path / inner / f"{name}.parquet", 2)
    found = packed(tmp_path)
    assert [file.split for file in found.files] == ["test", "train", "train", "validation"]
    assert found.columns == ("path", "label", "split")
    assert found.notes == ()


def test_folders_of_splits(tmp_path):
    for name in ("train", "test"):
        write_pets(tmp_path / name / "0000.parquet", 2)
    assert [file.split for file in packed(tmp_path).files] == ["test", "train"]
    write_pets(tmp_path / "other" / "0.parquet", 2)
    assert f"there are some in {tmp_path / 'other'}, " in refused(tmp_path)


def test_one_split_alone_is_none_and_a_column_has_precedence(tmp_path):
    write_pets(tmp_path / "a" / "train-0.parquet", 2)
    write_pets(tmp_path / "a" / "more.parquet", 2)
    assert set(splits(tmp_path / "a").values()) == {None}
    for name in ("train", "test"):
        images = structs([small_png(0)])
        write_packed(tmp_path / "b" / f"{name}.parquet", image=images, label=[0], split=["test"])
    assert set(splits(tmp_path / "b").values()) == {None}
    write_pets(tmp_path / "a" / "test.parquet", 2)
    assert "more.parquet does not say its split, but others do" in refused(tmp_path / "a")


def test_a_part_of_a_download_is_remarked(tmp_path):
    write_pets(tmp_path / "train-00001-of-00003.parquet", 2)
    expected = f"{tmp_path}: only 1 of the 3 files train-…-of-00003.parquet"
    assert packed(tmp_path).notes == (expected,)
    assert packed(tmp_path / "train-00001-of-00003.parquet").notes == ()


def test_a_folder_without_such_files(tmp_path):
    (tmp_path / ".hidden.parquet").touch()
    assert f"{tmp_path}: no file that ends in .parquet" in refused(tmp_path)
    write_packed(tmp_path / "a.parquet", path=["x.png"], label=["a"])
    expected = "a.parquet: no column of images; name it with --column image=NAME. Received: path"
    assert expected in refused(tmp_path)
    (tmp_path / "a.parquet").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:1")
    assert "a pointer of Git LFS, not the file itself; run git lfs pull" in refused(tmp_path)
