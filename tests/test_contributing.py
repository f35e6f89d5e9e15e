"""CONTRIBUTING.md: what it names is there."""

import re

from tests.support.places import ROOT
from tests.test_imports import ROOMS

TEXT = (ROOT / "CONTRIBUTING.md").read_text()


def test_each_file_and_folder_that_it_names_is_there():
    named = set(re.findall(r"[`(]([\w./-]+(?:/|\.(?:py|md|txt|toml|yaml|jinja)))[`)]", TEXT))
    assert len(named) > 25
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_each_constant_stands_in_the_file_that_it_names():
    """The kind: a constant moves, and the guide leads to where it was."""
    found = re.findall(r"((?:`[A-Z_]+`(?: and )?)+)[^`|]* in `([\w/]+\.py)`", TEXT)
    named = [(name, file) for names, file in found for name in re.findall("[A-Z_]+", names)]
    assert len(named) == 6
    for name, file in named:
        assert re.search(rf"^{name}\b", (ROOT / file).read_text(), re.MULTILINE), (name, file)


def test_it_names_each_room():
    rooms = {room for rooms in ROOMS.values() for room in rooms if not room.startswith("manifest")}
    assert {room for room in rooms if f"`{room}`" not in TEXT} == set()
