"""The plain extraction in processes of its own, which may be killed at a chosen place.

They are forked by a server that has imported TensorFlow but run nothing of it: so each starts in
half a second, and computes with Keras as always.
"""

import io
import multiprocessing
import os
import signal
import stat
from dataclasses import dataclass

import stores.storage.location
import stores.storage.publish
from stores import FeatureStore, Manifest
from stores.features.index import Index

NAME = "images"
BATCH_SIZE, SHARD_SIZE = 3, 4
PLACES = (
    "mid-write",
    "before fsync",
    "before rename",
    "before the folder's fsync",
    "before the fragment",
)
_PRELOADED = (
    __name__,
    "tasks.features.extract",
    "tasks.features.engines.keras_engine",
    "tests.support.tiny",
)


@dataclass(frozen=True)
class Death:
    """Where a process ends itself: at this place of the writing of its so-manieth shard."""

    place: str
    shard: int


class Child:
    """A process that extracts what a store's data set lacks, and tells what is acknowledged."""

    def __init__(self, store, diary, death=None):
        diary.touch()
        self.pipe, self.process = _start(_extract, store, diary, death)

    def messages(self, seconds=60):
        """Yield what it says until it ends: an empty message for a start, then keys by shard."""
        while self.pipe.poll(seconds):
            try:
                yield self.pipe.recv_bytes()
            except EOFError:
                self.process.join()
                return
        self.process.kill()
        raise AssertionError("the child hangs")


def in_child(task, *arguments, seconds=60):
    """Return what `task` returns in a process with TensorFlow; a hang is a failure."""
    pipe, process = _start(_send, task, arguments)
    if not pipe.poll(seconds):
        process.kill()
        raise AssertionError("the child hangs")
    outcome = pipe.recv()
    process.join()
    return outcome


def make_reference(folder, store, count):
    """Write images, ingest and extract them undisturbed; return the recipe, and keys by hash."""
    from stores.keys import ImageKey
    from tasks.datasets.ingest import ingest
    from tasks.images.decoding import load_pixels
    from tests.support import tiny
    from tests.support.extraction import write_folder

    ingest(write_folder(folder, count), store=store, dataset=NAME)
    recipe = _extract_all(store)
    contents = [path.read_bytes() for path in folder.rglob("*.png")]
    rows = tiny.preprocess_input(load_pixels(contents, recipe))
    keys = [bytes(ImageKey.of(content)) for content in contents]
    return recipe, dict(zip(map(tiny.hash_of, rows), keys, strict=True))


def _start(task, *arguments):
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(_PRELOADED))
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=task, args=(theirs, *arguments))
    process.start()
    theirs.close()
    return ours, process


def _send(pipe, task, arguments):
    pipe.send(task(*arguments))


def _extract_all(store):
    from tasks.backbones.registry import BACKBONES
    from tests.support import tiny
    from tests.support.extraction import extract_from

    BACKBONES["tiny"] = tiny.TINY
    manifest = Manifest.read(store, NAME)
    done = extract_from(manifest, store, batch_size=BATCH_SIZE, shard_size=SHARD_SIZE)
    assert not done.rejected
    return done.job.recipes[0]


def _extract(pipe, store, diary, death):
    from tests.support import tiny

    tiny.diary = diary
    write = FeatureStore.write

    def acknowledged(self, keys, rows, **options):
        digest = write(self, keys, rows, **options)
        pipe.send_bytes(b"".join(keys))
        return digest

    FeatureStore.write = acknowledged
    if death:
        _Doom(death)
    pipe.send_bytes(b"")
    _extract_all(store)


class _Doom:
    """Stands before every step of the writing of a shard, and ends the process at one of them."""

    def __init__(self, death):
        self.death, self.shard, self.digest, self.step = death, 0, "", ""
        _before(stores.storage.location, "publish_file", self.publish)
        _before(os, "fsync", self.fsync)
        _before(os, "rename", self.rename)
        _before(Index, "write_fragment", self.fragment)
        create = stores.storage.publish.create

        def created(path):
            return _Torn(path, "xb", self) if self.step == "draft" else create(path)

        stores.storage.publish.create = created

    def at(self, place):
        if (place, self.shard) == (self.death.place, self.death.shard):
            os.kill(os.getpid(), signal.SIGKILL)

    def publish(self, _, final, **__):
        if final.suffix == ".h5":
            self.shard, self.digest, self.step = self.shard + 1, final.stem, "draft"

    def fsync(self, descriptor):
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        if self.step == "draft" and not is_folder:
            self.at("before fsync")
        elif self.step == "renamed" and is_folder:
            self.at("before the folder's fsync")

    def rename(self, *_, **__):
        if self.step == "draft":
            self.at("before rename")
            self.step = "renamed"

    def fragment(self, _, shard):
        if shard.digest == self.digest:
            self.step = ""
            self.at("before the fragment")


class _Torn(io.FileIO):
    """A new file; the process may end when half of it is written."""

    def __init__(self, path, mode, doom):
        super().__init__(path, mode)
        self.doom = doom

    def write(self, content):
        half = len(content) // 2
        super().write(content[:half])
        self.doom.at("mid-write")
        return half + super().write(content[half:])


def _before(owner, name, act):
    original = getattr(owner, name)

    def call(*arguments, **options):
        act(*arguments, **options)
        return original(*arguments, **options)

    setattr(owner, name, call)
