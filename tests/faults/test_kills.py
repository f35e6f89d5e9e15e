"""`kill -9` at any moment of an extraction: what was acknowledged stays, and nothing is wrong.

Acknowledged is what this process received through a pipe after `write` had returned. What a
process computed is told by the backbone itself, which writes down what it saw.
"""

import random
import shutil
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from stores import FeatureStore, Recipe
from stores.keys import KEY_BYTES
from tasks.features.agreement import agreement
from tests.faults.conftest import FULL
from tests.faults.extracting import PLACES, Child, Death, in_child, make_reference

KILLS = 100 if FULL else 10
IMAGES = 240 if FULL else 160
ANY_MOMENT = "any moment"
NAMED = ("mid-write", "before fsync", "before rename", "before the fragment")


@dataclass(frozen=True)
class Reference:
    """An undisturbed extraction: its store, and what it holds by key."""

    store: Path
    recipe: Recipe
    names: dict[str, bytes]  # key by hash of pixels
    rows: dict[bytes, Any]

    def check(self, keys, rows):
        """Check that rows are those of their keys, each for itself."""
        for key, row in zip(keys, rows, strict=True):
            assert agreement(self.rows[bytes(key)][None], row[None]).within_tolerance


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    root = tmp_path_factory.mktemp("reference")
    recipe, names = in_child(make_reference, root / "images", root / "store", IMAGES)
    features = FeatureStore(root / "store", recipe)
    rows = dict(zip(names.values(), features.read(names.values()), strict=True))
    assert len(rows) == len(names) == IMAGES
    assert len(np.unique(list(rows.values()), axis=0)) == IMAGES
    return Reference(root / "store", recipe, names, rows)


@dataclass
class Disturbed:
    """A store in which extractions are killed, and what is known of it from outside."""

    root: Path
    reference: Reference
    acknowledged: set[bytes] = field(default_factory=set)
    events: list[str] = field(default_factory=list)  # "acknowledged", or where a process was killed
    children: int = 0

    def __post_init__(self):
        shutil.copytree(self.reference.store / "datasets", self.store / "datasets")

    @property
    def store(self):
        return self.root / "store"

    def start(self, death=None):
        self.children += 1
        return Child(self.store, self.root / f"diary{self.children}", death)

    def seen(self):
        """Return the keys of what the last process computed."""
        lines = (self.root / f"diary{self.children}").read_text().split("\n")[:-1]
        return [self.reference.names[line] for line in lines]

    def run(self, place, draw):
        """Extract until death or the end; return whether it was killed. Then check everything."""
        before = set(self.acknowledged)
        child = self.start(Death(place, draw.randint(1, 5)) if place in PLACES else None)
        for number, message in enumerate(child.messages()):
            if number:
                self.take(message)
            elif place == ANY_MOMENT:
                time.sleep(draw.uniform(0.2, 0.8))
                child.process.kill()
        assert child.process.exitcode in {0, -signal.SIGKILL}
        killed = child.process.exitcode != 0
        if killed:
            self.events.append(place)
        assert not before.intersection(self.seen()), "acknowledged rows were computed again"
        self.check()
        return killed

    def take(self, message):
        keys = [message[n : n + KEY_BYTES] for n in range(0, len(message), KEY_BYTES)]
        self.acknowledged.update(keys)
        self.events.append("acknowledged")

    def check(self):
        """Check, on a copy, that no acknowledged row is lost and that each row is right."""
        copy = shutil.copytree(self.store, self.root / "copy")
        features = FeatureStore(copy, self.reference.recipe)
        keys = list(self.reference.rows)
        there = [key for key, lacks in zip(keys, features.missing(keys), strict=True) if not lacks]
        assert self.acknowledged <= set(there)
        self.reference.check(there, features.read(there) if there else [])
        shutil.rmtree(copy)

    def finish(self):
        """Extract the rest undisturbed, and check that the store is as if nothing had been."""
        assert not self.run(None, random.Random())
        keys = keys_behind_the_back(self.store)
        assert keys == set(self.reference.rows) == self.acknowledged | keys
        assert not list(self.store.glob("features/*/quarantine/*"))
        features = FeatureStore(self.store, self.reference.recipe)
        assert features.verify() == []
        garbage = features.collect_garbage(grace_seconds=0, delete=True)
        assert all(item.path.suffix == ".draft" for item in garbage)
        assert not list(self.store.glob("features/*/tmp/*"))
        self.check()
        assert not self.run(None, random.Random())
        assert self.seen() == []

    def kills(self):
        """Return where it was killed, and of these kills those between two acknowledgements."""
        places = [event for event in self.events if event != "acknowledged"]
        first = self.events.index("acknowledged")
        last = len(self.events) - self.events[::-1].index("acknowledged")
        return places, [event for event in self.events[first:last] if event != "acknowledged"]


def keys_behind_the_back(store):
    """Return the keys in the shards' files, without our own reader."""
    keys = set()
    for path in store.glob("features/*/shards/*.h5"):
        with h5py.File(path, "r", locking=False) as file:
            keys |= {bytes(key) for key in file["key"][:]}
    return keys


def test_kills_lose_nothing_that_was_acknowledged(reference, tmp_path):
    draw, places, amid = random.Random(0), [], []
    while len(places) < KILLS:
        disturbed = Disturbed(tmp_path / str(len(places)), reference)
        everywhere = [*PLACES, ANY_MOMENT]
        deaths = [place for _ in range(4) for place in draw.sample(everywhere, len(everywhere))]
        for place in deaths[: KILLS - len(places)]:
            disturbed.run(place, draw)
        disturbed.finish()
        found, between = disturbed.kills()
        places, amid = places + found, amid + between
    counts = Counter(places)
    print(f"kills: {dict(counts)}; amid acknowledgements: {len(amid)} of {len(places)}")
    assert len(amid) >= 0.6 * len(places)
    assert all(counts[place] >= max(1, KILLS // 20) for place in NAMED)


@pytest.mark.parametrize("killed", [False, True])
def test_two_extractions_at_once_make_one_whole_store(reference, tmp_path, killed):
    disturbed = Disturbed(tmp_path, reference)
    first = disturbed.start(Death("before rename", 9) if killed else None)
    second = disturbed.start()
    for child in (first, second):
        for number, message in enumerate(child.messages()):
            if number:
                disturbed.take(message)
    assert first.process.exitcode == (-signal.SIGKILL if killed else 0)
    assert second.process.exitcode == 0
    assert disturbed.acknowledged == set(reference.rows)
    disturbed.finish()
