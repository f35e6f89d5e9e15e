"""A small store with all that there may be in one, and every command that is given a store."""

import os
from dataclasses import replace
from pathlib import Path

from stores import FeatureStore, Manifest, RunStore
from stores.dataset_places import datasets
from stores.features.layers import remember_layers
from stores.features.recipe import stored_recipes
from stores.layout import locate
from stores.runs.checkpoints import Checkpoints
from tasks.features.engines.openvino_engine import kept_agreement
from tasks.maintenance.maintain import (
    checkpoint_stats,
    collect_garbage,
    list_store,
    merge_stores,
    reindex,
    stats,
    verify,
)
from tests.stores.runs.test_record import RUN
from tests.stores.test_manifest import PETS
from tests.support.runs import OTHER, look, publish
from tests.support.samples import RECIPE, a_store, some_keys, some_rows

TUNED = "cd" * 32
MODEL = "0123456789abcdef"  # a converted backbone's
SECRET = b"-----BEGIN OPENSSH PRIVATE KEY-----"


def fill(root):
    """Make a store with features, a data set, a run, checkpoints, a layer, and what is derived."""
    features, _, _ = a_store(root)
    PETS.write(root)
    publish(RunStore(root))
    look(RunStore(root))
    for epochs in (1, 2):
        Checkpoints(root, TUNED).publish([{"loss": 1.0}] * epochs, save=_save_state)
    model, quarantine = root / "engines" / "openvino" / MODEL, features.folder / "quarantine"
    for folder in (model, quarantine, root / "remembered", root / "engines" / "openvino" / "tmp"):
        folder.mkdir(parents=True)
    for name in ("model.xml", "model.bin", "agreement.json"):
        (model / name).write_text("{}")
    for folder in (features.folder, root / "runs", root / "engines" / "openvino"):
        (folder / "tmp" / "left.draft").write_text("half")
    (root / "datasets" / PETS.name / "lock").touch()
    (quarantine / f"{'0' * 64}.h5").write_text("damaged")
    remember_layers(root, [a_store(root.parent / "layer", seed=5)[0].root])
    for path in (root, *root.rglob("*")):  # a group's: what is created there becomes the group's
        path.chmod(0o2770 if path.is_dir() else 0o660)


def fill_outside(folder):
    """Make what belongs to somebody else: old, private, and named like parts of a store."""
    names = ("id_rsa", "victim.draft", f"{'a' * 64}.h5", f"{'a' * 64}.parquet", "run.json")
    for place in (folder, *(folder / name for name in ("tmp", MODEL, "test", "000001"))):
        place.mkdir(parents=True)
        for name in names:
            (place / name).write_bytes(SECRET)
            (place / name).chmod(0o600)
            os.utime(place / name, (1, 1))
        os.utime(place, (1, 1))


def _save_state(folder):
    (folder / "state.npz").write_bytes(b"weights")


def _read_features(hostile: Path, _: Path):
    for recipe in stored_recipes(hostile):
        store = FeatureStore(hostile, recipe)
        store.read(some_keys(6))
        store.producers()


def _read_as_a_layer(hostile, own):
    remember_layers(own, [hostile])
    store = FeatureStore(own, RECIPE)
    store.missing(some_keys(6))
    store.write(some_keys(2, seed=8), some_rows(2))
    store.collect_garbage(grace_seconds=-1, delete=True)


def _read_runs(hostile, _):
    runs = RunStore(hostile)
    runs.table()
    runs.times_opened([b"k" * 32])
    for part in (runs.read, runs.history, runs.predictions, runs.model_folder, runs.openings):
        part(RUN.id)


def _read_the_rest(hostile, _):
    kept_agreement((locate(hostile) / "engines" / "openvino" / MODEL).path, {})
    for name in datasets(hostile):
        Manifest.read(hostile, name)


def _write(hostile, _):
    FeatureStore(hostile, RECIPE, layers=()).write(some_keys(2, seed=9), some_rows(2))
    replace(PETS, split_seed=5).write(hostile)


def _train(hostile, _):
    runs = RunStore(hostile)
    publish(runs, OTHER)
    publish(runs)
    look(runs)


def _fine_tune(hostile, _):
    kept = Checkpoints(hostile, TUNED)
    kept.latest()
    kept.publish([{"loss": 1.0}] * 3, save=_save_state)
    kept.discard()


# Each is given the hostile store and a good one.
COMMANDS = {
    "stats": lambda hostile, _: stats(hostile),
    "checkpoint stats": lambda hostile, _: checkpoint_stats(hostile),
    "verify": lambda hostile, _: verify(hostile),
    "reindex": lambda hostile, _: reindex(hostile),
    "gc": lambda hostile, _: collect_garbage(hostile, grace_seconds=-1, delete=True),
    "list": lambda hostile, _: list_store(hostile),
    "merge from it": lambda hostile, own: merge_stores(own, hostile),
    "merge into it": merge_stores,
    "read features": _read_features,
    "read as a layer": _read_as_a_layer,
    "read runs": _read_runs,
    "read the rest": _read_the_rest,
    "write": _write,
    "train": _train,
    "fine-tune": _fine_tune,
}
