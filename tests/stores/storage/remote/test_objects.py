import json
from pathlib import Path

import pytest

from stores import CorruptStore, NewerFormat, StoreFull
from stores.layout import locate
from tests.support.samples import remote_of


@pytest.fixture
def store(machine):
    return machine()


@pytest.fixture
def mirror(store):
    return store.path


@pytest.fixture
def remote(store):
    return remote_of(store)


def test_a_folder_of_the_cache_is_the_store_whose_mirror_it_is(tmp_path, store):
    assert locate(store.path).show() == str(store.path)  # nothing was written yet
    store.refresh()
    assert locate(store.path) == store
    copied = tmp_path / "elsewhere" / store.path.name
    copied.mkdir(parents=True)
    (copied / "remote.json").write_bytes((store.path / "remote.json").read_bytes())
    assert locate(copied).show() == str(copied)


def test_what_is_put_is_listed_and_fetched(mirror, remote):
    remote.put(mirror / "a" / "b", b"content")
    remote.put(mirror / "ab", b"other")
    assert {name: about.size for name, about in remote.listing(mirror / "a").items()} == {"a/b": 7}
    remote.fetch(["a/b"])
    assert (mirror / "a" / "b").read_bytes() == b"content"
    assert not list((mirror / "tmp").iterdir())


def test_one_file_is_listed_alone(mirror, remote):
    remote.put(mirror / "a", b"content")
    remote.put(mirror / "a.b", b"other")
    assert list(remote.listing(mirror / "a")) == ["a"]


def test_what_is_put_again_has_another_stamp(mirror, remote):
    stamps = set()
    for content in (b"1", b"2"):
        remote.put(mirror / "a", content)
        stamps.add(remote.listing(mirror)["a"].stamp)
    assert len(stamps) == 2


def test_a_listing_is_asked_for_once(mirror, remote, monkeypatch):
    monkeypatch.setattr("stores.storage.remote.listings.FRESH_SECONDS", 60)
    remote.put(mirror / "a" / "b", b"1")
    remote.listing(mirror)
    monkeypatch.setattr(remote._files, "find", None)
    assert list(remote.listing(mirror / "a")) == ["a/b"]
    remote.put(mirror / "a" / "c", b"2")  # what is put here is known here
    assert list(remote.listing(mirror / "a")) == ["a/b", "a/c"]


def test_what_is_deleted_is_gone_and_its_neighbours_stay(mirror, remote):
    for name in ("a/b", "a/c/d", "ab"):
        remote.put(mirror / name, b"1")
    remote.delete(mirror / "a")
    remote.delete(mirror / "a")
    assert list(remote.listing(mirror)) == ["ab"]


def test_what_is_moved_has_its_new_name_alone(mirror, remote):
    remote.put(mirror / "a", b"1")
    for _ in range(2):  # another reader may be quicker
        remote.move(mirror / "a", mirror / "b" / "c")
    assert list(remote.listing(mirror)) == ["b/c"]


def test_a_file_is_put_where_there_is_none(mirror, remote, tmp_path):
    for name in "ab":
        (tmp_path / name).write_text(name)
    assert remote.put_first(tmp_path / "a", mirror / "x")
    assert not remote.put_first(tmp_path / "b", mirror / "x")
    assert remote.content("x") == b"a"


def test_a_file_is_at_the_address_before_it_is_here(store, remote, monkeypatch):
    def fail(*_):
        raise OSError("cut off")

    monkeypatch.setattr(remote._files, "pipe_file", fail)
    with pytest.raises(OSError, match=r"memory://.*: cut off"):
        (store / "a").publish(b"content", tmp=store / "tmp")
    assert not (store / "a").path.exists()


def test_a_folder_of_this_machine_stays_here(store, mirror, remote):
    with (store / "sample" / "x").publish_folder(tmp=store / "sample" / "tmp") as draft:
        (draft / "y").touch()
    assert (mirror / "sample" / "x" / "y").exists()
    assert remote.listing(mirror) == {}


def test_what_came_short_is_not_kept(mirror, remote, monkeypatch):
    remote.put(mirror / "a", b"content")

    def get(_, targets):
        Path(targets[0]).write_bytes(b"cont")

    monkeypatch.setattr(remote._files, "get", get)
    with pytest.raises(OSError, match="4 bytes came, 7 were listed"):
        remote.fetch(["a"])
    assert not (mirror / "a").exists()


def test_a_full_disk_is_said_of_the_cache_and_not_of_the_address(machine, small_disk):
    one = machine("one")
    remote_of(one).put(one.path / "big", bytes(2**20))
    with pytest.raises(StoreFull, match=f"cannot write {small_disk}.*free some space"):
        remote_of(machine(small_disk.name)).fetch(["big"])


@pytest.mark.parametrize(
    "about", ["no JSON", "{}", json.dumps({"address": "memory://other", "limit": 1})]
)
def test_a_mirrors_damaged_mark_is_made_again_by_its_address(store, about):
    store.refresh()
    (store.path / "remote.json").write_text(about)
    with pytest.raises(CorruptStore, match="delete it"):
        locate(store.path)
    store.refresh()
    assert locate(store.path) == store


def test_a_newer_mirror_is_refused_and_left_alone(store):
    store.refresh()
    (store.path / "remote.json").write_text('{"format": 9}')
    for call in (store.refresh, lambda: locate(store.path)):
        with pytest.raises(NewerFormat, match=r"of format version 9.*update gargalo"):
            call()
    assert (store.path / "remote.json").read_text() == '{"format": 9}'
