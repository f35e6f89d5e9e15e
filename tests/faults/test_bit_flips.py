"""One flipped bit anywhere on disk: found, or without effect, and never a wrong row or a crash.

Each flip is tried in a forked child on a copy of its own; a signal or a hang there is a failure.
"""

import logging
import os
import random
import shutil
import signal
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

from stores import FeatureStore, Manifest, MissingFeatures, StoreError
from stores.dataset_places import manifest_place
from tests.faults.conftest import FULL
from tests.stores.test_manifest import PETS
from tests.support.samples import RECIPE, flip, fragments, in_child, shards, some_keys, some_rows

MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
KEYS, VIEWS, ROWS = some_keys(4), np.array([0, 1, 0, 7], np.uint16), some_rows(4, (5, 3))


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A store with one shard and one manifest; only copies of it are damaged."""
    root = tmp_path_factory.mktemp("original")
    FeatureStore(root, RECIPE).write(KEYS, ROWS, views=VIEWS, producer={"engine": "keras"})
    PETS.write(root)
    return root


@pytest.fixture(scope="module")
def shard(original):
    return shards(FeatureStore(original, RECIPE))[0].relative_to(original)


@pytest.fixture(scope="module")
def extents(original, shard):
    """Return where each data set of the shard lies: its name, and a range of bytes."""
    with h5py.File(original / shard) as file:
        places = {name: (file[name].id.get_offset(), file[name].nbytes) for name in file}
    return {name: range(offset, offset + size) for name, (offset, size) in places.items()}


@pytest.fixture(scope="module")
def metadata(original, shard, extents):
    """Return the bytes that HDF5 itself needs: all but the data sets and the long gaps of zeros."""
    content = (original / shard).read_bytes()
    taken = {offset for extent in extents.values() for offset in extent}
    gap = bytes(64)
    return [
        offset
        for offset in range(len(content))
        if offset not in taken and content[max(0, offset - 32) : offset + 32] != gap
    ]


def after_a_flip(original, path, offset, bit, examine, *, indexed=True):
    """Return what `examine` makes of a copy of the store in which one bit is flipped."""

    def child():
        logging.disable()
        os.fsync = lambda _: None  # durability is not what is tried here
        root = Path(shutil.copytree(original, Path(folder) / "store"))
        flip(root / path, offset, bit)
        if not indexed:
            shutil.rmtree(next(root.glob("features/*/index")))
        return examine(root)

    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        return in_child(child, seconds=30)


def outcome(verb):
    """Return `unchanged` or `detected`; a wrong row or any other error is raised."""
    try:
        return "detected" if verb() else "unchanged"
    except StoreError:
        return "detected"


def any_missing(root):
    """Read all rows through a fresh store; tell whether one is missing, and fail on a wrong one."""
    store = FeatureStore(root, RECIPE)
    try:
        assert np.array_equal(store.read(KEYS, views=VIEWS), ROWS)
    except MissingFeatures:
        missing = store.missing(KEYS, views=VIEWS)
        rest = store.read(KEYS[~missing], views=VIEWS[~missing])
        assert rest.tobytes() == ROWS[~missing].tobytes()
        assert missing.any()
        return True
    assert not store.missing(KEYS, views=VIEWS).any()
    return False


def examined(root):
    """Return the outcomes of reading, verifying, indexing anew, and reading again."""
    return [
        outcome(lambda: any_missing(root)),
        outcome(lambda: FeatureStore(root, RECIPE).verify()),
        outcome(lambda: FeatureStore(root, RECIPE).reindex() and False),
        outcome(lambda: any_missing(root)),
    ]


def bits(offsets, seed=0):
    """Pair each offset with a random bit; in a full run one in 16 offsets comes with all 8."""
    draw = random.Random(seed)
    for number, offset in enumerate(offsets):
        yield from [(offset, b) for b in range(8)] if FULL and number % 16 == 0 else []
        yield offset, draw.randrange(8)


@pytest.mark.parametrize("indexed", [True, False])
def test_metadata(original, shard, metadata, some_of, indexed):
    assert len(metadata) > 1000
    for offset, bit in bits(some_of(metadata, 25)):
        found = after_a_flip(original, shard, offset, bit, examined, indexed=indexed)
        if indexed:  # the rows are whole, and so is their index: verify finds it and mends it
            assert found == ["unchanged", "detected", "unchanged", "unchanged"], (offset, bit)
        else:
            assert found[0] == found[3] == "detected", (offset, bit)


@pytest.mark.parametrize("indexed", [True, False])
@pytest.mark.parametrize("name", ["key", "view", "row_checksum"])
def test_what_names_and_checks_the_rows(original, shard, extents, some_of, name, indexed):
    for offset, bit in bits(some_of(extents[name], 4)):
        found = after_a_flip(original, shard, offset, bit, examined, indexed=indexed)
        if indexed:
            assert found == ["unchanged", "detected", "unchanged", "unchanged"], (offset, bit)
        else:
            assert found[0] == found[3] == "detected", (offset, bit)


@pytest.mark.parametrize("indexed", [True, False])
def test_a_payload_is_never_read_as_if_nothing_were(original, shard, extents, some_of, indexed):
    flips = [(offset, bit) for offset in extents["features"] for bit in range(8)]
    flips = random.Random(0).sample(flips, 200)
    for offset, bit in some_of(flips, 16):
        found = after_a_flip(original, shard, offset, bit, examined, indexed=indexed)
        assert found[0] == found[3] == "detected", (offset, bit)


def test_a_gap_between_the_data_sets_counts_too(original, shard, metadata, extents, some_of):
    size = (original / shard).stat().st_size
    needed = {*metadata, *(offset for extent in extents.values() for offset in extent)}
    gaps = [offset for offset in range(0, size, 97) if offset not in needed]
    for offset, bit in bits(some_of(gaps, 10)):
        found = after_a_flip(original, shard, offset, bit, examined)
        assert found == ["unchanged", "detected", "unchanged", "unchanged"], (offset, bit)


def test_an_index_fragment_costs_nothing(original, some_of):
    fragment = fragments(FeatureStore(original, RECIPE))[0].relative_to(original)
    whole = (original / fragment).read_bytes()

    def examine(root):
        return examined(root), (root / fragment).read_bytes() == whole

    for offset, bit in bits(some_of(range(len(whole)), 20)):
        found = after_a_flip(original, fragment, offset, bit, examine)
        assert found == (["unchanged"] * 4, True), (offset, bit)


def test_recipe_json(original, some_of):
    path = (FeatureStore(original, RECIPE).folder / "recipe.json").relative_to(original)

    def examine(root):
        by_itself = outcome(lambda: FeatureStore.open(root).recipe != RECIPE)
        return by_itself, examined(root)

    for offset, bit in bits(some_of(range((original / path).stat().st_size), 30)):
        by_itself, found = after_a_flip(original, path, offset, bit, examine)
        assert by_itself == "detected" or found == ["unchanged"] * 4, (offset, bit)


def test_the_manifest(original, some_of):
    path = manifest_place(original, PETS.name).path.relative_to(original)

    def examine(root):
        return outcome(lambda: Manifest.read(root, PETS.name) != PETS)

    for offset, bit in bits(some_of(range((original / path).stat().st_size), 60)):
        assert after_a_flip(original, path, offset, bit, examine) == "detected", (offset, bit)


def test_this_test_fails_where_rows_are_not_checked(original, shard, extents, monkeypatch):
    monkeypatch.setattr("stores.features.checked_read.find_damage", lambda *_: None)
    with pytest.raises(AssertionError, match="array_equal"):
        after_a_flip(original, shard, extents["features"][10], 3, examined)


def test_this_test_fails_where_the_digest_is_not_checked(original, shard, monkeypatch):
    def believed(_file, _):
        return SimpleNamespace(hexdigest=lambda: Path(shard).stem)

    monkeypatch.setattr("stores.features.shard.hashlib.file_digest", believed)
    producer = (original / shard).read_bytes().index(b'"keras"')
    found = after_a_flip(original, shard, producer + 1, 0, examined, indexed=False)
    assert found[0] == "unchanged"


def test_a_crash_or_a_hang_is_a_failure(original, shard):
    with pytest.raises(AssertionError, match="signal 9"):
        after_a_flip(original, shard, 0, 0, lambda _: os.kill(os.getpid(), signal.SIGKILL))
    with pytest.raises(AssertionError, match="signal 14"):
        in_child(lambda: time.sleep(9), seconds=1)
