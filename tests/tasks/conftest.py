"""What several tests of the tasks share."""

import tempfile
from pathlib import Path

import numpy as np
import pytest

from stores.features.store import FeatureStore
from stores.keys import ImageKey
from stores.manifest import Manifest
from tests.support.entries import Entry, rows_of
from tests.support.samples import RECIPE


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """The tiny backbone under the name `tiny`, with a diary for this test."""
    from tasks.backbones.registry import BACKBONES
    from tests.support import tiny

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


@pytest.fixture
def pets():
    """Ten images of each of two classes; no file of theirs exists."""
    entries = [
        Entry(
            f"{name}/{n}",
            ImageKey.of(f"{name}{n}".encode()),
            name,
            (["train"] * 6 + ["validation"] * 2 + ["test"] * 2)[n],
            "accepted",
            "",
            n,
            0,
            0,
            0,
        )
        for name in ("cats", "dogs")
        for n in range(10)
    ]
    return Manifest("pets", "/nowhere", ("cats", "dogs"), 0, 0.2, 0.2, 0, rows_of(entries))


@pytest.fixture
def pets_store(pets, tmp_path):
    """A store with features that tell the classes apart."""
    images = pets.select()
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(20, 4)).astype("f4") + 5 * images.labels[:, None]
    FeatureStore(tmp_path, RECIPE).write(images.keys, rows)
    return tmp_path


@pytest.fixture
def pets_rows(pets, pets_store):
    """The same images with these features, as they are looked at."""
    from tasks.exploration.dataset_rows import DatasetRows
    from tasks.features.engines import Job

    return DatasetRows(pets, Job((RECIPE,), None, pets_store, "keras"))
