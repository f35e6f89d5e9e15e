"""Small recipes, keys, rows and runs for the tests, and ways to look behind a store's back."""

import mmap  # noqa: F401  np.memmap imports it late, when a child may not read root's Python
import os
import pickle
import signal
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
from hypothesis import settings

from stores import FeatureStore, Recipe
from stores.layout import locate
from stores.storage.location import Location

# Each example writes real files, and fsync costs a millisecond.
few = settings(max_examples=25)

RECIPE = Recipe(
    version=1,
    backbone="mobilenet_v2",
    backbone_arguments=(("alpha", 0.5),),
    weights="sha256:" + "0" * 64,
    image_size=(96, 128),
    color_mode="rgb",
    interpolation="bilinear",
    aspect_ratio="stretch",
    decode="tensorflow",
    preprocessing="mobilenet_v2",
    tap="out_relu",
    pooling="avg",
    compute_precision="float32",
    dtype="float32",
    augmentation="none",
)
FLOAT16 = replace(RECIPE, dtype="float16")


def some_keys(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 32), np.uint8)


def some_rows(count, shape=(8,), dtype=np.float32, seed=0):
    return np.random.default_rng(seed).standard_normal((count, *shape)).astype(dtype)


def a_store(root, count=6, *, recipe=RECIPE, seed=0):
    """Return a store with one shard of `count` rows, its keys and its rows."""
    keys, rows = some_keys(count, seed), some_rows(count, seed=seed)
    store = FeatureStore(root, recipe)
    store.write(keys, rows, producer={"engine": "keras"})
    return store, keys, rows


def shards(store):
    return sorted((store.folder / "shards").glob("*.h5"))


def fragments(store):
    return sorted((store.folder / "index").glob("*.parquet"))


def quarantined(store):
    return sorted((store.folder / "quarantine").glob("*"))


def flip(path, offset, bit=0):
    """Flip one bit of a file in place."""
    with Path(path).open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1 << bit]))


def flip_row(store, number, shard=0):
    """Flip one bit of one stored row."""
    import h5py

    path = shards(store)[shard]
    with h5py.File(path, "r") as file:
        features = file["features"]
        offset = features.id.get_offset() + number * (features.nbytes // len(features))
    flip(path, offset)


def snapshot(folder):
    """Return all that can be seen of a folder: each path's bytes, inode and time of change."""
    folder = folder.path if isinstance(folder, Location) else folder
    return {
        str(path.relative_to(folder)): (
            path.stat().st_ino,
            path.stat().st_mtime_ns,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in sorted(Path(folder).rglob("*"))
    }


def remote_of(mirror):
    """Return the connection of a store at an address."""
    return locate(mirror)._remote


def objects(mirror):
    """Return the names of all that is at the address."""
    return sorted(remote_of(mirror).listing(mirror.path))


def stored(mirror, name):
    """Return where the memory holds an object."""
    files, base = fsspec.core.url_to_fs(mirror.show())
    return files.store[f"{base}/{name}"]


def in_child(task: Callable[[], Any], *, nobody: bool = False, seconds: int = 20) -> Any:
    """Return (or raise) the outcome of `task` in a forked child; a crash or a hang is a failure."""
    inlet, outlet = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads and fork: only we wait here
        child = os.fork()
    if not child:
        _run(task, outlet, nobody=nobody, seconds=seconds)
    os.close(outlet)
    with os.fdopen(inlet, "rb") as pipe:
        told = pipe.read()
    _, status = os.waitpid(child, 0)
    assert not os.WIFSIGNALED(status), f"signal {os.WTERMSIG(status)} ended the child"
    outcome = pickle.loads(told)
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome


def _run(task, outlet, *, nobody, seconds):
    try:
        signal.alarm(seconds)
        if nobody and os.geteuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        outcome = task()
    except BaseException as error:  # noqa: BLE001  it is raised again in the parent
        outcome = error
    with os.fdopen(outlet, "wb") as pipe:
        pipe.write(pickle.dumps(outcome))
    os._exit(0)
