"""What every location holds to, be the store in a folder or at an address: a conformance suite."""

import errno
import os
import pickle
from contextlib import suppress

import pytest

from stores import CorruptStore
from stores.storage.location import IRREGULAR
from stores.storage.safe_files import UnsafeName
from tests.support.samples import objects, remote_of

RECORD, RUN = "run.json", "runs/0123456789abcdef"


class Death(BaseException):
    """Ends a writer, who can clean up nothing."""


@pytest.fixture(params=["folder", "address"])
def open_store(request, tmp_path):
    """Return a function that opens one store, as whoever shares it does."""
    if request.param == "address":
        return request.getfixturevalue("machine")
    from stores.layout import locate

    return lambda _name="one": locate(tmp_path / "store")


@pytest.fixture
def store(open_store):
    return open_store()


@pytest.fixture
def other(open_store):
    return lambda: open_store("other")


def content_of(place):
    """Return the bytes of a small file, or None, as whoever opens the store now finds them."""
    place.refresh()
    return place.path.read_bytes() if place.path.exists() else None


def publish_run(store, files, *, is_whole=None):
    with (store / RUN).publish_folder(tmp=store / "runs" / "tmp", is_whole=is_whole) as draft:
        for name, content in files.items():
            (draft / name).parent.mkdir(exist_ok=True)
            (draft / name).write_bytes(content)


def run_of(store):
    folder = store / RUN
    for part in (folder, folder / "model"):
        part.refresh()
    return {
        path.relative_to(folder.path).as_posix(): path.read_bytes()
        for path in folder.path.rglob("*")
        if path.is_file()
    }


WHOLE = {RECORD: b"{}", "model/weights": b"w"}


def dying_at(step, store, monkeypatch):
    """Have the process die at the nth step of a publication: a sync, a rename, or a put."""
    left = [step]

    def fatal(module, name):
        call = getattr(module, name)

        def called(*arguments, **options):
            left[0] -= 1
            if left[0] < 0:
                raise Death
            return call(*arguments, **options)

        monkeypatch.setattr(module, name, called)

    for name in ("fsync", "rename"):
        fatal(os, name)
    if hasattr(store, "address"):
        for name in ("pipe_file", "put_file"):
            fatal(remote_of(store)._files, name)
    for name in ("unlink", "rmdir"):  # nor does a dead process clean up
        monkeypatch.setattr(os, name, lambda *_, **__: None)


def test_what_is_published_is_read_by_whoever_opens_the_store(store, other):
    (store / "datasets" / "a").publish(b"content", tmp=store / "tmp")
    assert content_of(other() / "datasets" / "a") == b"content"
    assert (store / "datasets").files("a").keys() == {"a"}
    assert (other() / "datasets").files("")["a"].size == 7


def test_a_file_is_replaced_under_its_name(store, other):
    place = "datasets/pets/manifest.parquet"
    for content in (b"old", b"new", b"longer"):
        (store / place).publish(content, tmp=store / "tmp")
        assert content_of(other() / place) == content


@pytest.mark.parametrize("step", range(5))
def test_a_writer_who_dies_leaves_the_old_file_or_the_new_one(store, other, monkeypatch, step):
    place = "datasets/pets/manifest.parquet"
    (store / place).publish(b"old", tmp=store / "tmp")
    with monkeypatch.context() as patch, suppress(Death):
        dying_at(step, store, patch)
        (store / place).publish(b"newer", tmp=store / "tmp")
    assert content_of(other() / place) in {b"old", b"newer"}
    (store / place).publish(b"newest", tmp=store / "tmp")
    assert content_of(other() / place) == b"newest"


@pytest.mark.parametrize("step", range(8))
def test_a_folder_whose_writer_dies_is_whole_or_not_there(store, other, monkeypatch, step):
    with monkeypatch.context() as patch, suppress(Death):
        dying_at(step, store, patch)
        publish_run(store, WHOLE, is_whole=lambda: True)
    assert run_of(other()) in ({}, WHOLE)
    publish_run(store, WHOLE, is_whole=lambda: run_of(store) == WHOLE)
    assert run_of(other()) == WHOLE


def test_of_two_folders_the_first_is_kept(store, other):
    publish_run(store, WHOLE, is_whole=lambda: True)
    publish_run(other(), {RECORD: b"[]"}, is_whole=lambda: True)
    assert run_of(store) == run_of(other()) == WHOLE


def test_a_damaged_folder_is_replaced_but_for_what_the_rules_keep(store, other):
    publish_run(store, {**WHOLE, "odd": b"?", "test/one.json": b"evaluated"}, is_whole=None)
    new = {RECORD: b"[]", "model/weights": b"v"}
    publish_run(store, new, is_whole=lambda: run_of(store).get(RECORD) == b"[]")
    expected = {RECORD: b"[]", "model/weights": b"v", "test/one.json": b"evaluated"}
    assert run_of(other()) == expected


def test_an_error_while_a_folder_is_filled_leaves_nothing(store, other):
    with (
        pytest.raises(OSError, match="full"),
        (store / RUN).publish_folder(tmp=store / "runs" / "tmp"),
    ):
        raise OSError(errno.EIO, "full")
    assert run_of(other()) == {}
    assert not list((store / "runs" / "tmp").path.iterdir())


@pytest.mark.parametrize("at_once", [False, True])
def test_what_is_deleted_is_gone_and_its_neighbours_stay(store, other, at_once):
    for name in ("datasets/a/b", "datasets/a/c/d", "datasets/ab"):
        (store / name).publish(b"1", tmp=store / "tmp")
    for _ in range(2):  # another process may be quicker
        (store / "datasets" / "a").delete(tmp=store / "tmp" if at_once else None)
    assert content_of(other() / "datasets/a/b") is None
    assert content_of(other() / "datasets/ab") == b"1"
    assert (other() / "datasets" / "a").about() is None


def test_what_is_moved_has_its_new_name_alone(store, other):
    folder = store / "features" / "f"
    (folder / "shards" / "a.h5").publish(b"1", tmp=store / "tmp")
    for _ in range(2):
        (folder / "shards" / "a.h5").move_to(folder / "quarantine" / "a.h5")
    seen = other() / "features" / "f"
    assert (seen / "shards").files(".h5") == {}
    assert (seen / "quarantine" / "a.h5").local().read_bytes() == b"1"


def test_a_large_file_is_read_where_it_is_local(store, other):
    (store / "features" / "f" / "shards" / "a.h5").publish(b"rows", tmp=store / "tmp")
    seen = other() / "features" / "f" / "shards" / "a.h5"
    assert seen.local().read_bytes() == seen.local(again=True).read_bytes() == b"rows"


def test_what_stands_in_a_files_place_is_listed_without_a_size(store):
    (store / "datasets" / "a.parquet").publish(b"1", tmp=store / "tmp")
    (store / "datasets" / "a.parquet").path.unlink()
    (store / "datasets" / "a.parquet").path.symlink_to("/etc/passwd")
    assert (store / "datasets").files(".parquet")["a.parquet"].size == IRREGULAR


def test_only_folders_with_something_in_them_are_there(store, other):
    (store / "features" / "f" / "recipe.json").publish(b"{}", tmp=store / "tmp")
    assert [folder.name for folder in (other() / "features").folders()] == ["f"]
    assert (other() / "runs").folders() == []


def test_what_is_there_has_a_size_and_a_time(store, other):
    (store / "datasets" / "a").publish(b"12345", tmp=store / "datasets" / "tmp")
    assert (other() / "datasets").about().size == 5
    assert (other() / "datasets").about().changed > 1e9
    assert (other() / "runs").about() is None


def test_a_damaged_file_is_read_again_only_where_it_is_a_copy(store, other):
    (store / "datasets" / "a").publish(b"whole", tmp=store / "tmp")
    seen = other() / "datasets" / "a"
    seen.refresh()
    seen.path.write_bytes(b"spoilt")

    def read(path):
        if path.read_bytes() != b"whole":
            raise CorruptStore("spoilt")
        return "read"

    if hasattr(store, "address"):
        assert seen.reread(read) == "read"
    else:
        with pytest.raises(CorruptStore):
            seen.reread(read)


def test_a_lock_is_held_by_one(store, other):
    import fcntl

    with (store / "datasets" / "lock").locked():
        path = (store / "datasets" / "lock").path
        with path.open("rb") as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_another_process_finds_the_same_store(store):
    (store / "datasets" / "a").publish(b"1", tmp=store / "tmp")
    there = pickle.loads(pickle.dumps((store / "datasets" / "a").absolute()))
    assert (there, content_of(there)) == (store / "datasets" / "a", b"1")
    assert there.same_as(store / "datasets" / "a")


def test_a_name_that_leads_out_is_no_location(store):
    for name in ("../x", "/etc/passwd", "a/../../x", "", "a//b"):
        with pytest.raises(UnsafeName):
            (store / "datasets").within(name)


def test_what_is_one_machines_alone_stays_there(store, other):
    (store / "remembered" / "a.json").publish(b"1", tmp=store / "remembered" / "tmp")
    assert (store / "remembered" / "a.json").path.read_bytes() == b"1"
    if hasattr(store, "address"):
        assert objects(store) == []


def test_a_folder_without_its_record_is_unfinished(store):
    assert store.unfinished() == []
    if hasattr(store, "address"):
        remote_of(store).put((store / RUN / "model" / "w").path, b"half")
        assert store.unfinished() == [store / RUN]
