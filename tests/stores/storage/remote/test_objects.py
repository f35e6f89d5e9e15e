import json
from pathlib import Path

import pytest

from stores import CorruptStore, NewerFormat, StoreFull
from stores.storage.publish import publish_file, publish_folder
from stores.storage.remote.objects import remote_of


@pytest.fixture
def mirror(machine):
    return machine()


@pytest.fixture
def remote(mirror):
    return remote_of(mirror)


def test_a_folder_that_is_no_mirror_has_no_address(tmp_path, mirror):
    assert remote_of(tmp_path / "features" / ("0" * 16) / "shards" / "x.h5") is None
    assert remote_of(mirror / "features" / ("0" * 16) / "shards" / "x.h5").mirror == mirror


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


def test_a_file_is_at_the_address_before_it_is_here(mirror, remote, monkeypatch):
    def fail(*_):
        raise OSError("cut off")

    monkeypatch.setattr(remote._files, "pipe_file", fail)
    with pytest.raises(OSError, match=r"memory://.*: cut off"):
        publish_file(b"content", mirror / "a", tmp=mirror / "tmp")
    assert not (mirror / "a").exists()


def test_a_folder_of_this_machine_stays_here(mirror, remote):
    with publish_folder(mirror / "sample" / "x", tmp=mirror / "sample" / "tmp") as draft:
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
    remote_of(one).put(one / "big", bytes(2**20))
    with pytest.raises(StoreFull, match=f"cannot write {small_disk}.*free some space"):
        remote_of(machine(small_disk.name)).fetch(["big"])


@pytest.mark.parametrize(
    "about", ["no JSON", "{}", json.dumps({"address": "memory://other", "limit": 1})]
)
def test_a_mirrors_damaged_mark_says_the_way_out(mirror, about):
    from stores.storage.remote import objects as remote

    (mirror / "remote.json").write_text(about)
    remote.look_again()
    with pytest.raises(CorruptStore, match="delete it"):
        remote.remote_of(mirror)


def test_a_newer_mirror_is_refused_and_left_alone(machine, mirror):
    from stores.storage.remote import objects as remote

    (mirror / "remote.json").write_text('{"format": 9}')
    remote.look_again()
    for ask in (machine, lambda: remote.remote_of(mirror)):
        with pytest.raises(NewerFormat, match=r"of format version 9.*update gargalo"):
            ask()
    assert (mirror / "remote.json").read_text() == '{"format": 9}'
