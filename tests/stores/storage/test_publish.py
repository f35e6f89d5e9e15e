import errno
import fcntl
import os
import shutil
import stat
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace

import pytest

from stores import RunStore, StoreFull, StoreReadOnly
from stores.storage.publish import check_writable, is_leased, locked, publish_file, publish_folder
from stores.storage.safe_files import IrregularFile, note_root
from tests.stores.runs.test_record import RUN
from tests.support.runs import publish as publish_run
from tests.support.samples import a_store, in_child, snapshot

HOLD_A_FOLDER = """
import sys; from pathlib import Path; from stores.storage.publish import publish_folder
with publish_folder(Path(sys.argv[1]) / "final", tmp=Path(sys.argv[1]) / "tmp"):
    print("held", flush=True); input()
"""
HOLD_A_LOCK = """
import sys; from pathlib import Path; from stores.storage.publish import locked
with locked(Path(sys.argv[1]) / "lock"):
    print("held", flush=True); input()
"""


@contextmanager
def other_process(code, folder):
    """Run code elsewhere until it says that it holds what it is to hold; then it waits."""
    command = [sys.executable, "-c", code, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def draft_in(tmp_path):
    (draft,) = (tmp_path / "tmp").iterdir()
    return draft


def raising(error):
    def call(*_, **__):
        raise error

    return call


def test_a_file_appears_whole_and_replaces_another(tmp_path):
    final = tmp_path / "deep" / "er" / "final"
    publish_file(b"old", final, tmp=tmp_path / "tmp")
    publish_file(memoryview(b"new"), final, tmp=tmp_path / "tmp")
    assert final.read_bytes() == b"new"
    assert not list((tmp_path / "tmp").iterdir())


@pytest.mark.parametrize("call", ["fsync", "rename"])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.EIO, "I/O"), MemoryError()])
def test_an_exception_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, call, error):
    publish_file(b"old", tmp_path / "final", tmp=tmp_path / "tmp")
    before = snapshot(tmp_path)
    monkeypatch.setattr(os, call, raising(error))
    with pytest.raises(type(error)):
        publish_file(b"new", tmp_path / "final", tmp=tmp_path / "tmp")
    assert snapshot(tmp_path).keys() == before.keys()
    assert (tmp_path / "final").read_bytes() == b"old"


def test_after_the_rename_a_failure_leaves_the_new_file(tmp_path, monkeypatch):
    publish_file(b"old", tmp_path / "final", tmp=tmp_path / "tmp")
    monkeypatch.setattr("stores.storage.publish.sync_folder", raising(OSError(errno.EIO, "I/O")))
    with pytest.raises(OSError, match="I/O"):
        publish_file(b"new", tmp_path / "final", tmp=tmp_path / "tmp")
    assert (tmp_path / "final").read_bytes() == b"new"
    assert not list((tmp_path / "tmp").iterdir())


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_store_full(tmp_path, monkeypatch, number):
    monkeypatch.setattr(os, "fsync", raising(OSError(number, "full")))
    with pytest.raises(StoreFull, match="free some space and call again"):
        publish_file(b"new", tmp_path / "final", tmp=tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EROFS])
def test_a_read_only_place_is_store_read_only(tmp_path, monkeypatch, number):
    monkeypatch.setattr(os, "rename", raising(OSError(number, "no")))
    with pytest.raises(StoreReadOnly, match="give another --store"):
        publish_file(b"new", tmp_path / "final", tmp=tmp_path)


def test_a_really_full_disk_keeps_the_old_file(small_disk):
    publish_file(b"old", small_disk / "final", tmp=small_disk / "tmp")
    with pytest.raises(StoreFull):
        publish_file(bytes(2**20), small_disk / "final", tmp=small_disk / "tmp")
    assert (small_disk / "final").read_bytes() == b"old"
    assert not list((small_disk / "tmp").iterdir())


def test_a_really_read_only_folder_refuses(public):
    def write():
        publish_file(b"new", public / "final", tmp=public / "tmp")

    public.chmod(0o555)
    with pytest.raises(StoreReadOnly, match="final"):
        in_child(write, nobody=True)


@pytest.mark.parametrize("place", ["", "store", "store/features/deep"])
def test_a_place_that_cannot_be_written_is_found_before_it_is(public, place):
    (public / "store").mkdir()
    check_writable(public / place)
    assert [path.name for path in public.rglob("*")] == ["store"]
    for folder in (public / "store", public):
        folder.chmod(0o555)
    with pytest.raises(StoreReadOnly, match="give another --store"):
        in_child(lambda: check_writable(public / place), nobody=True)


def test_a_place_on_a_read_only_disk_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_flag=os.ST_RDONLY))
    with pytest.raises(StoreReadOnly, match="Read-only file system"):
        check_writable(tmp_path)


def test_a_folder_appears_whole(tmp_path):
    with publish_folder(tmp_path / "deep" / "final", tmp=tmp_path / "tmp") as draft:
        (draft / "a").mkdir()
        (draft / "a" / "b").write_text("c")
        assert not (tmp_path / "deep" / "final").exists()
    assert [path.name for path in sorted((tmp_path / "deep" / "final").rglob("*"))] == ["a", "b"]
    assert not list((tmp_path / "tmp").iterdir())


@pytest.mark.parametrize("kind", ["a link", "a file"])
def test_what_stands_in_a_folders_place_is_named_and_stays(tmp_path, kind):
    """The kind: the draft, which is gone, is named in the place of what is in its way."""
    (tmp_path / "other").mkdir()
    final = note_root(tmp_path / "store") / "final"
    final.parent.mkdir()
    final.symlink_to(tmp_path / "other") if kind == "a link" else final.touch()
    with (
        pytest.raises(IrregularFile, match=f"final: expected a folder, found {kind}; "),
        publish_folder(final, tmp=tmp_path / "store" / "tmp") as draft,
    ):
        (draft / "file").touch()
    assert (
        list((tmp_path / "other").iterdir()) == list((tmp_path / "store" / "tmp").iterdir()) == []
    )


def test_the_folder_that_was_first_is_kept(tmp_path):
    for text in "first", "second":
        with publish_folder(tmp_path / "final", tmp=tmp_path / "tmp") as draft:
            (draft / "text").write_text(text)
    assert (tmp_path / "final" / "text").read_text() == "first"
    assert not list((tmp_path / "tmp").iterdir())


def test_of_two_at_the_last_moment_the_first_is_kept(tmp_path, monkeypatch):
    final, rename = tmp_path / "final", os.rename

    def overtaken(source, target, **folders):
        monkeypatch.setattr(os, "rename", rename)
        shutil.copytree(tmp_path / "tmp" / source, final)
        (final / "text").write_text("first")
        rename(source, target, **folders)

    monkeypatch.setattr(os, "rename", overtaken)
    with publish_folder(final, tmp=tmp_path / "tmp") as draft:
        (draft / "text").write_text("second")
    assert (final / "text").read_text() == "first"
    assert not list((tmp_path / "tmp").iterdir())


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, ValueError, StoreFull])
def test_an_exception_in_the_block_leaves_nothing(tmp_path, error):
    def publish():
        with publish_folder(tmp_path / "final", tmp=tmp_path / "tmp") as draft:
            (draft / "text").write_text("half")
            raise error

    with pytest.raises(error):
        publish()
    assert [path.name for path in tmp_path.rglob("*")] == ["tmp"]


def test_a_disk_that_fills_in_the_block_is_store_full(small_disk):
    final, tmp = small_disk / "final", small_disk / "tmp"
    with pytest.raises(StoreFull), publish_folder(final, tmp=tmp) as draft:
        (draft / "model").write_bytes(bytes(2**20))
    assert [path.name for path in small_disk.rglob("*")] == ["tmp"]


def test_a_draft_is_leased_while_its_writer_lives(tmp_path):
    with other_process(HOLD_A_FOLDER, tmp_path) as process:
        assert is_leased(draft_in(tmp_path))
        process.kill()
        process.wait()
        assert not is_leased(draft_in(tmp_path))


def test_a_file_is_leased_while_it_is_written(tmp_path, monkeypatch):
    leased = []
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(
        os, "fsync", lambda _: leased.extend(map(is_leased, (tmp_path / "tmp").iterdir()))
    )
    publish_file(b"x", tmp_path / "final", tmp=tmp_path / "tmp")
    assert leased == [True]
    assert not is_leased(tmp_path / "final")


@pytest.mark.parametrize("call", ["fsync", "rename"])
def test_a_folder_is_leased_until_it_has_its_name(tmp_path, monkeypatch, call):
    leased, original = [], getattr(os, call)

    def watched(*arguments, **folders):
        leased.append(is_leased(draft))
        original(*arguments, **folders)

    with publish_folder(tmp_path / "final", tmp=tmp_path / "tmp") as draft:
        (draft / "text").write_text("slow to sync")
        monkeypatch.setattr(os, call, watched)
    monkeypatch.undo()
    assert leased[0]
    assert all(leased[:-1])  # the last fsync is that of the parent, when no draft is left
    assert not is_leased(tmp_path / "final")


def test_two_who_ask_for_a_lease_do_not_see_each_other(tmp_path):
    (tmp_path / "dead.draft").touch()
    with (tmp_path / "dead.draft").open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        assert not is_leased(tmp_path / "dead.draft")


def test_a_draft_that_is_gone_is_not_leased(tmp_path):
    assert not is_leased(tmp_path / "gone.draft")


def test_a_lock_keeps_another_process_out(tmp_path):
    def take():
        with locked(tmp_path / "lock"):
            return time.monotonic()

    with other_process(HOLD_A_LOCK, tmp_path) as process:
        with pytest.raises(AssertionError, match="signal"):  # it waits until its alarm
            in_child(take, seconds=1)
        process.kill()
        process.wait()
        assert in_child(take)


def test_a_lock_leaves_the_errors_of_its_block_alone(tmp_path):
    with pytest.raises(PermissionError) as caught, locked(tmp_path / "lock"):
        raise PermissionError(errno.EACCES, "an image may not be read")
    assert not isinstance(caught.value, StoreReadOnly)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def published(folder):
    """Publish a file, a folder and a lock below a folder, by somebody who shares nothing."""
    os.umask(0o077)
    publish_file(b"new", folder / "deep" / "file", tmp=folder / "tmp")
    with publish_folder(folder / "run", tmp=folder / "tmp") as draft:
        (draft / "model").mkdir()
        (draft / "model" / "head").write_text("the head")
    with locked(folder / "lock"):
        pass


@pytest.mark.parametrize(
    ("shared", "files", "folders"),
    [
        (0o2775, 0o664, 0o2775),
        (0o2770, 0o660, 0o2770),
        (0o770, 0o660, 0o770),
        (0o755, 0o600, 0o700),
        (0o2755, 0o600, 0o2700),  # the kernel hands on the group, and that is all
        (0o1777, 0o600, 0o700),
    ],
)
def test_what_appears_in_a_groups_folder_is_the_groups(tmp_path, shared, files, folders):
    (tmp_path / "store").mkdir()
    (tmp_path / "store").chmod(shared)
    in_child(lambda: published(tmp_path / "store"))
    found = {mode(path) for path in (tmp_path / "store").rglob("*") if path.is_dir()}
    assert found == {folders}
    assert {mode(path) for path in (tmp_path / "store").rglob("*") if path.is_file()} == {files}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two other people")
def test_two_of_a_group_write_to_one_store(public, tmp_path):
    def write(root, seed):
        store, keys, _ = a_store(root, seed=seed)
        publish_run(RunStore(root), replace(RUN, seed=seed))
        return store.read(keys).shape, store.collect_garbage(grace_seconds=-1)

    def by(user):
        os.setgroups([])
        os.setgid(4242)
        os.setuid(user)
        os.umask(0o077)
        return write(public / "store", seed=user)

    write(tmp_path, seed=0)  # so that all is imported that only root may read here
    (public / "store").mkdir()
    os.chown(public / "store", -1, 4242)
    (public / "store").chmod(0o2770)
    assert in_child(lambda: by(4001)) == in_child(lambda: by(4002)) == ((6, 8), [])
    assert RunStore(public / "store").table().num_rows == 2
    assert {path.stat().st_gid for path in (public / "store").rglob("*")} == {4242}
