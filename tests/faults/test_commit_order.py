"""A shard is acknowledged only when a power cut cannot take it back: the order of system calls.

Seen twice: by a layer over Python's os, and from outside by strace, where it may be used.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from stores import FeatureStore, RunStore
from tests.stores.runs.test_record import RUN
from tests.stores.runs.test_store import publish
from tests.support.places import ROOT
from tests.support.samples import RECIPE, some_keys, some_rows

RENAMED = re.compile(r'renameat2?\(\d+<(.*?)>, "(.*?)", \d+<(.*?)>, "(.*?)".*\) += 0')
STRACE = shutil.which("strace")
ONE_WRITE = """
import sys
from stores import FeatureStore
from tests.support.samples import RECIPE, some_keys, some_rows
FeatureStore(sys.argv[1], RECIPE).write(some_keys(3), some_rows(3))
print("acknowledged", flush=True)
"""


class Call(NamedTuple):
    """One system call: its name, its path, and for a rename what the path was before."""

    name: str
    path: Path
    source: Path | None = None
    size: int | None = None


@pytest.fixture
def calls(monkeypatch):
    """The calls of fsync and rename, in their order; the calls themselves go through."""
    recorded = []
    fsync, rename = os.fsync, os.rename

    def recorded_fsync(descriptor):
        fsync(descriptor)
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        recorded.append(Call("fsync", path, size=os.fstat(descriptor).st_size))

    def recorded_rename(source, target, *, src_dir_fd, dst_dir_fd):
        rename(source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)
        old, new = (Path(f"/proc/self/fd/{fd}").readlink() for fd in (src_dir_fd, dst_dir_fd))
        recorded.append(Call("rename", new / target, old / source))

    monkeypatch.setattr(os, "fsync", recorded_fsync)
    monkeypatch.setattr(os, "rename", recorded_rename)
    return recorded


def place(calls, name, path):
    """Return the place of the last such call, or -1."""
    found = [n for n, call in enumerate(calls) if (call.name, call.path) == (name, path)]
    return found[-1] if found else -1


def disorder(calls, final):
    """Return what is wrong with the order in which `final` came to be, or an empty text."""
    renamed = place(calls, "rename", final)
    if renamed < 0:
        return "it was not renamed"
    if place(calls[:renamed], "fsync", calls[renamed].source) < 0:
        return "its content was not synced before the rename"
    if place(calls[renamed:], "fsync", final.parent) < 0:
        return "its folder was not synced after the rename"
    return ""


def write_calls(root, calls):
    """Return the calls of a store's first write, its shard and its fragment."""
    store = FeatureStore(root, RECIPE)
    digest = store.write(some_keys(3), some_rows(3))
    calls.append(Call("acknowledged", root))
    return store, store._index.shard_place(digest).path, store._index.fragment_place(digest).path


def test_a_shard_is_durable_before_write_returns(tmp_path, calls):
    store, shard, fragment = write_calls(tmp_path, calls)
    for final in shard, fragment, store.folder / "recipe.json":
        assert disorder(calls, final) == ""
        draft = calls[place(calls, "rename", final)].source
        synced = calls[place(calls, "fsync", draft)]
        assert synced.size == final.stat().st_size  # nothing was left in a buffer
    assert place(calls, "fsync", shard.parent) < place(calls, "acknowledged", tmp_path)


def test_the_index_comes_after_the_commit(tmp_path, calls):
    _, shard, fragment = write_calls(tmp_path, calls)
    draft = calls[place(calls, "rename", fragment)].source
    assert place(calls, "fsync", shard.parent) < place(calls, "fsync", draft)


def test_each_new_folder_is_durable_before_what_lies_in_it(tmp_path, calls):
    _, shard, _ = write_calls(tmp_path / "new" / "store", calls)
    renamed = place(calls, "rename", shard)
    for folder in shard.parents:
        if folder == tmp_path:
            break
        assert place(calls[:renamed], "fsync", folder.parent) >= 0


def test_a_run_is_durable_with_every_file_before_it_appears(tmp_path, calls):
    publish(RunStore(tmp_path))
    final = tmp_path / "runs" / RUN.id[:16]
    assert disorder(calls, final) == ""
    renamed = place(calls, "rename", final)
    draft = calls[renamed].source
    for path in final.rglob("*"):
        assert place(calls[:renamed], "fsync", draft / path.relative_to(final)) >= 0


@pytest.mark.parametrize("left_out", ["file", "folder"])
def test_a_sync_left_out_is_noticed(tmp_path, calls, monkeypatch, left_out):
    fsync = os.fsync

    def lazy_fsync(descriptor):
        folder = Path(f"/proc/self/fd/{descriptor}").readlink().is_dir()
        if folder != (left_out == "folder"):
            fsync(descriptor)

    monkeypatch.setattr(os, "fsync", lazy_fsync)
    _, shard, _ = write_calls(tmp_path, calls)
    assert {"file": "content", "folder": "folder"}[left_out] in disorder(calls, shard)


def traced(log):
    """Read strace's log; with -y each descriptor is followed by its path."""
    for line in log.read_text().splitlines():
        if synced := re.search(r"f(?:data)?sync\(\d+<(.*)>\) += 0", line):
            yield Call("fsync", Path(synced[1]))
        elif renamed := RENAMED.search(line):
            old, source, new, target = renamed.groups()
            yield Call("rename", Path(new, target), Path(old, source))
        elif '"acknowledged' in line:
            yield Call("acknowledged", Path())


def test_strace_sees_the_same_order(tmp_path):
    probe = [STRACE or "strace", "true"]
    if not STRACE or subprocess.run(probe, check=False, capture_output=True).returncode:
        pytest.skip("strace is not here, or may not trace")
    log, root = tmp_path / "log", tmp_path / "store"
    names = "trace=fsync,fdatasync,rename,renameat,renameat2,write"
    command = [STRACE, "-f", "-y", "-s", "400", "-e", names, "-o", str(log)]
    command += [sys.executable, "-c", ONE_WRITE, str(root)]
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True)
    calls = list(traced(log))
    (shard,) = root.rglob("*.h5")
    (fragment,) = root.rglob("*.parquet")
    assert disorder(calls, shard) == disorder(calls, fragment) == ""
    committed = place(calls, "fsync", shard.parent)
    draft = calls[place(calls, "rename", fragment)].source
    assert committed < place(calls, "fsync", draft)
    assert committed < place(calls, "acknowledged", Path())
