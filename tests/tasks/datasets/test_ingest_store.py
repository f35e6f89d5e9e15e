"""The store that a folder is ingested into: where it may lie, what is in it, and who shares it."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from stores.errors import StoreReadOnly
from stores.manifest import Manifest
from tasks.datasets import ingest as ingest_module
from tasks.datasets.ingest import ingest
from tests.support.entries import entries_of
from tests.support.images import small_png, write, write_classes
from tests.support.ingested import by_path, refusal
from tests.support.samples import in_child, snapshot

# What another process does: it says when it is ready, waits, ingests, and tells what it did.
ELSEWHERE = """
import json, sys
from pathlib import Path
folder, store, *early = sys.argv[1:]
opened = []
sys.addaudithook(lambda event, told: event == "open" and opened.append(str(told[0])))
from tasks.datasets.ingest import ingest
if early: import keras
print("ready", flush=True); input()
read = ingest(Path(folder), store=Path(store)).read
modules = [name for name in ("tensorflow", "keras") if name in sys.modules]
inside = [path for path in opened if path.startswith(folder)]
print(json.dumps({"read": read, "modules": modules, "opened": inside}))
"""


@pytest.fixture
def folder(tmp_path):
    return write_classes(tmp_path / "pets")


@pytest.fixture
def elsewhere():
    """Return a function that starts an ingest in another process, which waits for a line."""
    started = []

    def start(*arguments):
        command = [sys.executable, "-c", ELSEWHERE, *map(str, arguments)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen(command, stderr=subprocess.DEVNULL, **pipes))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def told(process):
    """Let another process go on, and return what it tells at its end."""
    output, _ = process.communicate("\n", timeout=60)
    return json.loads(output.splitlines()[-1])


def test_a_store_holds_what_the_format_says_and_nothing_else(folder, store):
    for _ in range(2):
        ingest(folder, store=store, rehash=True)
    names = {str(path.relative_to(store)) for path in store.rglob("*")}
    base = "datasets/pets"
    assert names == {
        "datasets",
        base,
        *(f"{base}/{n}" for n in ("manifest.parquet", "lock", "tmp")),
    }


def test_an_unchanged_folder_is_not_read_and_needs_no_tensorflow(folder, store, elsewhere):
    ingest(folder, store=store)
    before = snapshot(store)
    seen = told(elsewhere(folder, store))
    assert seen["read"] == 0
    assert seen["modules"] == []
    assert set(seen["opened"]) <= {str(folder)}  # it is listed
    assert snapshot(store) == before


@pytest.mark.parametrize("place", [".", "store", "cat/store", "new/store"])
def test_a_store_within_the_images_is_refused(folder, place):
    assert "the store is inside the folder of images" in refusal(folder, folder / place)


@pytest.mark.parametrize("place", ["../pets-store", ".store", "../.store"])
def test_a_store_beside_the_images_is_fine(folder, place):
    assert ingest(folder, store=folder / place).read == 10
    assert ingest(folder, store=folder / place).read == 0


def test_a_read_only_store_serves_an_unchanged_folder(public):
    folder = write_classes(public / "pets")
    ingest(folder, store=public / "store")
    for path in [public / "store", *(public / "store").rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    assert in_child(lambda: ingest(folder, store=public / "store").read, nobody=True) == 0
    write(folder / "cat" / "new.png", small_png(99))
    with pytest.raises(StoreReadOnly):
        in_child(lambda: ingest(folder, store=public / "store"), nobody=True)


def test_two_processes_ingest_at_once(folder, store, elsewhere):
    other = elsewhere(folder, store, "early")
    assert other.stdout.readline() == "ready\n"
    with ThreadPoolExecutor(1) as pool:
        theirs = pool.submit(told, other)
        ours = ingest(folder, store=store)
    assert {theirs.result()["read"], ours.read} <= {0, 10}
    manifest = Manifest.read(store, "pets")
    assert entries_of(manifest) == entries_of(ours.manifest)
    assert len(manifest.of_status("accepted")) == 10


def test_many_threads_ingest_at_once(folder, store):
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: ingest(folder, store=store, rehash=True), range(4)))
    assert [d.read for d in done] == [10] * 4
    assert {d.manifest.digest for d in done} == {Manifest.read(store, "pets").digest}
    assert list((store / "datasets" / "pets" / "tmp").iterdir()) == []


def test_an_older_listing_does_not_undo_a_newer_one(folder, store, monkeypatch):
    locked = ingest_module.dataset_lock

    @contextmanager
    def wait_for_another(*dataset):
        monkeypatch.setattr(ingest_module, "dataset_lock", locked)
        write(folder / "cat" / "new.png", small_png(99))
        ingest(folder, store=store)
        with locked(*dataset):
            yield

    monkeypatch.setattr(ingest_module, "dataset_lock", wait_for_another)
    manifest = ingest(folder, store=store).manifest
    assert by_path(manifest)["cat/new.png"].status == "accepted"
    assert manifest == Manifest.read(store, "pets")
