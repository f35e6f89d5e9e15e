"""What cannot be written is refused before the work, and one that can leaves no trace."""

from pathlib import Path

import pytest

from tasks.errors import InputError
from tasks.execution.output_paths import check_output
from tasks.export.write import check_new

TABLES = (".csv", ".json")


@pytest.mark.parametrize("name", ["grid.docx", "grid.jpg", "grid", "grid.png.txt"])
def test_a_picture_has_the_ending_of_what_is_written(name, tmp_path):
    with pytest.raises(InputError, match=r"expected a file name that ends in \.png"):
        check_output(tmp_path / name, endings=(".png",))


IMPOSSIBLE = ["none/said.csv", f"{'a' * 300}.csv", "file/said.csv", "/proc/self/said.csv"]


@pytest.mark.parametrize("name", IMPOSSIBLE)
@pytest.mark.parametrize("check", [check_output, lambda path: check_new(path, force=False)])
def test_a_place_where_nothing_can_be_made_is_refused(tmp_path, name, check):
    """The kind: what fails only after everything is computed."""
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"not found; create it first|cannot be written: "):
        check(tmp_path / name)


def test_a_folder_is_no_place_for_a_file(tmp_path):
    (tmp_path / "said.csv").mkdir()
    with pytest.raises(InputError, match="expected a file, found a folder"):
        check_output(tmp_path / "said.csv", endings=TABLES)


def test_a_dangling_link_is_no_place_for_a_folder(tmp_path):
    (tmp_path / "model").symlink_to("gone")
    with pytest.raises(InputError, match="already exists"):
        check_new(tmp_path / "model", force=False)


def test_a_file_that_can_be_written_leaves_no_trace(tmp_path, monkeypatch):
    (tmp_path / "old.csv").write_text("old")
    (tmp_path / "link.csv").symlink_to("gone")
    monkeypatch.chdir(tmp_path)
    for name in ("new.json", "old.csv", "link.csv"):
        check_output(Path(name), endings=TABLES)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.csv", "old.csv"]
    assert (tmp_path / "old.csv").read_text() == "old"
