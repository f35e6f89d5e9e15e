"""CONTRIBUTING.md: what it names is there."""

import re

from tests.support.places import ROOT
from tests.test_imports import ROOMS

TEXT = (ROOT / "CONTRIBUTING.md").read_text()


def test_each_file_and_folder_that_it_names_is_there():
    named = set(re.findall(r"[`(]([\w./-]+(?:/|\.(?:py|md|txt|toml|yaml|jinja)))[`)]", TEXT))
    assert len(named) > 25
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_it_names_each_room():
    rooms = {room for rooms in ROOMS.values() for room in rooms if not room.startswith("manifest")}
    assert {room for room in rooms if f"`{room}`" not in TEXT} == set()
