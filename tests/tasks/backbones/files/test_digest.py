"""The digest of a file is that of all that its network is, wherever it lies."""

import hashlib
import shutil

import onnx
import pytest

from tasks.backbones.files.digest import file_digest, files_of
from tasks.errors import InputError
from tests.support.onnx_files import as_ir, network, save


def outside(path, data="weights.bin"):
    """Write a network whose tensors are in another file."""
    return save(
        onnx.load(network(path)),
        path,
        save_as_external_data=True,
        location=data,
        size_threshold=0,
    )


def test_a_file_alone_has_its_own(tmp_path):
    path = network(tmp_path / "m.onnx")
    assert file_digest(path) == f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    assert files_of(path) == [path]


def test_data_in_another_file_count_and_are_found_after_a_move(tmp_path):
    path = outside(tmp_path / "m.onnx")
    assert files_of(path) == [path, tmp_path.resolve() / "weights.bin"]
    before = file_digest(path)
    moved = shutil.copytree(tmp_path, tmp_path / "other") / "m.onnx"
    assert file_digest(moved) == before
    data = moved.with_name("weights.bin")
    data.write_bytes(data.read_bytes()[:-1] + b"!")
    assert file_digest(moved) != before


def test_both_files_of_an_ir_count(tmp_path):
    path = as_ir(network(tmp_path / "m.onnx"), tmp_path / "m.xml")
    before = file_digest(path)
    data = path.with_suffix(".bin")
    data.write_bytes(data.read_bytes()[:-1] + b"!")
    assert file_digest(path) != before


def spoil(name, change):
    """Return what spoils a file of those in a folder."""
    return lambda folder: change(folder / name)


@pytest.mark.parametrize(
    ("name", "change", "match"),
    [
        ("m.onnx", spoil("m.onnx", lambda p: p.unlink()), "--backbone .*m.onnx: file not found"),
        ("m.xml", spoil("m.bin", lambda p: p.unlink()), "m.bin: file not found; it has the weig"),
        ("m.onnx", spoil("m.onnx", lambda p: p.write_bytes(b"")), "m.onnx: the file is empty"),
        (
            "m.onnx",
            spoil("m.onnx", lambda p: p.write_bytes(p.read_bytes()[:300])),
            "m.onnx: the file is cut off, or not an ONNX file; copy or export it again",
        ),
        ("m.onnx", spoil("m.onnx", lambda p: p.write_bytes(b"hello")), "cut off, or not an ONNX"),
        (
            "far.onnx",
            spoil("weights.bin", lambda p: p.unlink()),
            "weights.bin: file not found; it has the weights of far.onnx: copy it beside it",
        ),
        (
            "far.onnx",
            spoil("weights.bin", lambda p: p.write_bytes(p.read_bytes()[:-1])),
            r"weights.bin: [\d,]+ bytes, expected at least [\d,]+: it has the weights of far.onnx",
        ),
    ],
)
def test_what_is_missing_or_damaged_is_one_line(tmp_path, name, change, match):
    as_ir(network(tmp_path / "m.onnx"), tmp_path / "m.xml")
    outside(tmp_path / "far.onnx")
    change(tmp_path)
    with pytest.raises(InputError, match=match) as error:
        file_digest(tmp_path / name)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("place", ["../secret.bin", "/etc/passwd", "link.bin"])
def test_data_outside_the_folder_are_refused(tmp_path, place):
    folder = tmp_path / "folder"
    folder.mkdir()
    model = onnx.load(network(folder / "m.onnx"))
    (tmp_path / "secret.bin").write_bytes(bytes(2000))
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    tensor = model.graph.initializer[0]
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.ClearField("raw_data")
    tensor.external_data.add(key="location", value=place)
    (folder / "m.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match="outside its folder; refused"):
        file_digest(folder / "m.onnx")
