"""What several tests of the tasks share."""

import tempfile
from pathlib import Path

import pytest


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """The tiny backbone under the name `tiny`, with a diary for this test."""
    from tasks.backbones import BACKBONES
    from tests.tasks import tiny

    monkeypatch.setitem(BACKBONES, "tiny", tiny.TINY)
    monkeypatch.setattr(tiny, "diary", tmp_path / "diary")
    tiny.diary.touch()
    return tiny


@pytest.fixture
def public():
    """A folder that everybody may read; below pytest's tmp_path only its owner may."""
    with tempfile.TemporaryDirectory(prefix="gargalo-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def store(tmp_path):
    return tmp_path / "store"
