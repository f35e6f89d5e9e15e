"""What several tests of the tasks share."""

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
