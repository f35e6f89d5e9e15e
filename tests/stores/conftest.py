"""Folders that need more than tmp_path gives, a read-only one and a full disk; a run store."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from stores import RunStore
from stores.features.layers import remember_layers
from stores.layout import locate
from tests.stores.merge.test_features import written
from tests.stores.runs.test_record import RUN
from tests.support.runs import publish


@pytest.fixture
def public():
    """A folder that everybody may read; below pytest's tmp_path only its owner may."""
    folder = Path(tempfile.mkdtemp(prefix="gargalo-"))
    folder.chmod(0o755)
    yield folder
    for path in [folder, *(path for path in folder.rglob("*") if path.is_dir())]:
        path.chmod(0o755)
    shutil.rmtree(folder)


@pytest.fixture
def sealed():
    """Return a function that takes the right to write below a folder from everybody but root."""

    def seal(folder):
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o555 if path.is_dir() else 0o444)

    return seal


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own with 256 KiB, where mounting one is permitted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("mounting a small disk is not permitted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def runs(tmp_path):
    store = RunStore(tmp_path)
    publish(store)
    return store


@pytest.fixture
def run_json(runs):
    return runs.folder / RUN.id[:16] / "run.json"


@pytest.fixture
def one_by_one(monkeypatch):
    """Batches that are not read some together, so that something may happen between them."""
    monkeypatch.setattr("stores.features.checked_read._AHEAD_BYTES", 0)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Return a function that gives this test's store at an address, as a machine of a name sees it.

    All see at once what another publishes.
    """
    monkeypatch.setattr("stores.storage.remote.listings.FRESH_SECONDS", 0)

    def machine(name="one", address=""):
        monkeypatch.setenv("GARGALO_CACHE", str(tmp_path / name))
        return locate(f"memory://{tmp_path.name}/{address or 'store'}")

    return machine


@pytest.fixture
def team(tmp_path):
    """A store with two shards, which others read through to: rows 0 to 3 and 4 to 7."""
    store = written(tmp_path / "team", [[0, 1, 2, 3], [4, 5, 6, 7]])
    remember_layers(locate(tmp_path / "own"), [store.root])
    return store
