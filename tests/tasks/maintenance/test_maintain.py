import json
import os
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

from stores.errors import NotInStore
from stores.features.layers import remember_layers
from stores.features.store import FeatureStore
from stores.runs.checkpoints import Checkpoints
from stores.storage.safe_files import note_root
from stores.storage.safe_folders import remove
from tasks.errors import InputError
from tasks.maintenance.maintain import (
    UnfinishedFinetuning,
    checkpoint_stats,
    collect_garbage,
    list_store,
    merge_stores,
    reindex,
    stats,
    verify,
)
from tests.support.quantized import keep, named_by
from tests.support.samples import RECIPE, flip

KEYS = [bytes([n]) * 32 for n in range(4)]
RUN = "ab" * 32


@pytest.fixture
def store(tmp_path):
    features = FeatureStore(tmp_path, RECIPE)
    features.write(KEYS[:2], np.ones((2, 3), "f4"))
    features.write(KEYS[2:], np.ones((2, 3), "f4"))
    return tmp_path


@pytest.fixture
def state(store):
    """The file of the second epoch of a fine-tuning that was interrupted."""
    checkpoints = Checkpoints(store, RUN)
    for epochs in (1, 2):
        kept = checkpoints.publish(
            [{"loss": 1.0}] * epochs, save=lambda folder: np.savez(folder / "state", np.ones(9))
        )
    return kept.folder / "state.npz"


def test_stats_count_what_is_there(store):
    (row,) = stats(store)
    assert (row.features, row.shards, row.feature_shape) == (4, 2, (3,))


def test_verify_sets_damage_aside(store):
    shard = next(store.glob("features/*/shards/*.h5"))
    shard.write_bytes(shard.read_bytes()[:-9])
    (findings,) = verify(store).values()
    assert shard.stem[:12] in findings[0]
    assert not shard.exists()


def test_reindex_brings_deleted_fragments_back(store):
    for fragment in store.glob("features/*/index/*"):
        fragment.unlink()
    assert list(reindex(store).values()) == [2]
    assert len(list(store.glob("features/*/index/*.parquet"))) == 2


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_text("x")])
def test_a_recipe_that_was_lost_is_found_and_brought_back_from_a_shard(store, damage, caplog):
    whole = verify(store)
    (recipe,) = store.glob("features/*/recipe.json")
    content = recipe.read_bytes()
    damage(recipe)
    (findings,) = verify(store).values()
    assert "flows.maintain reindex" in findings[0]
    assert stats(store) == list_store(store).recipes == []
    assert "recipe.json" in caplog.text
    recipe.unlink(missing_ok=True)  # what is said of a damaged one
    assert list(reindex(store).values()) == [2]
    assert recipe.read_bytes() == content
    assert verify(store) == whole


def test_verify_reads_data_sets_and_runs_too(store):
    (store / "datasets" / "pets").mkdir(parents=True)
    (store / "datasets" / "pets" / "manifest.parquet").write_bytes(b"damaged")
    (store / "runs" / ("0" * 16)).mkdir(parents=True)
    found = verify(store)
    assert found.pop(f"features {RECIPE}") == []
    assert found.keys() == {"data set pets", f"run {'0' * 16}"}
    assert "ingest again" in found["data set pets"][0]
    assert "train again" in found[f"run {'0' * 16}"][0]


def test_a_damaged_checkpoint_is_told_and_collected(store, state):
    name = f"fine-tuning {RUN[:16]}"
    assert verify(store)[name] == []
    flip(state, 300)
    (finding,) = verify(store)[name]
    assert f"{state}: the checkpoint is damaged" in finding
    assert "goes on from the one before, after epoch 1" in finding
    (garbage,) = collect_garbage(store, grace_seconds=-1, delete=True)
    assert garbage.path == str(state.parent)
    assert verify(store)[name] == []
    assert Checkpoints(store, RUN).latest().epochs == 1


def test_checkpoints_are_counted_and_unfinished_trainings_listed(store, state):
    (row,) = checkpoint_stats(store)
    assert (row.run, row.checkpoints) == (RUN[:16], 2)
    assert row.bytes > 2 * state.stat().st_size
    assert list_store(store).finetunings == [UnfinishedFinetuning(**vars(row), epochs=2)]
    flip(state, 300)
    assert list_store(store).finetunings == [UnfinishedFinetuning(**vars(row), epochs=1)]


def test_a_checkpoint_of_a_newer_version_hides_no_other_part(store, state, caplog):
    about = state.with_name("checkpoint.json")
    about.write_text(about.read_text().replace('"format": 2', '"format": 9'))
    listed = list_store(store)
    assert (listed.recipes, listed.finetunings) == ([str(RECIPE)], [])
    assert "of format version 9" in caplog.text


def test_a_damaged_data_set_hides_no_other_part(store, caplog):
    (store / "datasets" / "pets").mkdir(parents=True)
    (store / "datasets" / "pets" / "manifest.parquet").write_bytes(b"damaged")
    assert list_store(store).recipes == [str(RECIPE)]
    assert "left out" in caplog.text


def test_garbage_is_listed_first_and_deleted_when_asked(store):
    for place in (next(store.glob("features/*/tmp")), store / "runs" / "tmp"):
        place.mkdir(parents=True, exist_ok=True)
        (place / "dead.draft").write_bytes(b"123")
    found = collect_garbage(store, grace_seconds=-1)
    assert [item.bytes for item in found] == [3, 3]
    assert all(Path(item.path).exists() for item in found)
    collect_garbage(store, grace_seconds=-1, delete=True)
    assert not any(Path(item.path).exists() for item in found)
    assert not FeatureStore(store, RECIPE).missing(KEYS).any()


def test_backbones_converted_by_other_versions_are_garbage(store):
    reasons = {}
    for name, versions in {"now": version("keras"), "old": "0.1"}.items():
        folder = store / "engines" / "openvino" / name
        folder.mkdir(parents=True)
        about = {"identity": {"versions": {"keras": versions}}}
        (folder / "agreement.json").write_text(json.dumps(about))
        reasons[str(folder)] = "a backbone converted by other versions"
    found = {item.path: item.reason for item in collect_garbage(store, grace_seconds=-1)}
    assert found == {path: reason for path, reason in reasons.items() if path.endswith("old")}


def test_a_quantised_model_that_no_features_are_of_is_garbage(store):
    kept = keep(store)
    (found,) = collect_garbage(store, grace_seconds=-1, delete=True)
    assert (found.path, found.reason) == (
        str(kept.place),
        "a quantised backbone that no features are of",
    )
    assert not kept.place.path.exists()
    FeatureStore(store, named_by(keep(store))).write(KEYS, np.ones((4, 3), "f4"))
    assert not collect_garbage(store, grace_seconds=-1)


@pytest.mark.parametrize("place", ["datasets/features/tmp", "runs/tmp", "features/ab/tmp"])
def test_drafts_are_found_in_every_folder_of_a_store_called_features(tmp_path, place):
    tmp = tmp_path / "features" / "s" / place
    tmp.mkdir(parents=True)
    (tmp / "dead.draft").touch()
    (found,) = collect_garbage(tmp_path / "features" / "s", grace_seconds=-1)
    assert found.path == str(tmp / "dead.draft")


def test_young_drafts_are_left_alone(store):
    draft = next(store.glob("features/*/tmp")) / "young.draft"
    draft.write_bytes(b"123")
    assert not collect_garbage(store, grace_seconds=time.time() - draft.stat().st_mtime + 60)


def test_list_names_recipes(store):
    listed = list_store(store)
    assert listed.recipes == [str(RECIPE)]
    assert listed.datasets == listed.runs == []


def test_a_store_that_is_not_there_is_an_error(tmp_path):
    (tmp_path / "photos").mkdir()
    for folder in (tmp_path / "nothing", tmp_path):
        with pytest.raises(NotInStore, match="there is no store"):
            stats(folder)


def test_another_store_is_taken_over(store, tmp_path):
    copy = tmp_path / "copy"
    taken = merge_stores(copy, store)
    assert (taken.features, taken.shards, taken.damaged) == (4, 2, [])
    assert list_store(copy) == list_store(store)


def test_a_store_is_not_merged_with_itself_or_with_none(store, tmp_path):
    with pytest.raises(InputError, match="that is the store itself"):
        merge_stores(store, store / "features" / "..")
    with pytest.raises(NotInStore, match="give its folder with --from"):
        merge_stores(store, tmp_path / "nothing")


def test_what_is_read_through_is_listed_and_not_looked_after(store, tmp_path):
    own = tmp_path / "own"
    remember_layers(own, [store])
    FeatureStore(own, RECIPE).write([b"k" * 32], np.ones((1, 3), "f4"))
    shard = next(store.glob("features/*/shards/*.h5"))
    shard.write_bytes(shard.read_bytes()[:-9])
    assert list_store(own).layers == [str(store)]
    assert (stats(own)[0].features, list(verify(own).values())) == (1, [[]])
    assert list(reindex(own).values()) == [1]
    assert not list(own.glob("features/*/skipped/*"))


@pytest.mark.parametrize(
    "place", ["features/*/tmp/deep.draft", "features/deep", "checkpoints/deep"]
)
def test_folders_however_deep_do_not_keep_the_rest_from_being_collected(store, place, caplog):
    """The kind: one thing in a store that cannot be walked through ends what looks at all."""
    (features,) = store.glob("features/*")
    place = store / place.replace("features/*", str(features.relative_to(store)))
    place.parent.mkdir(parents=True, exist_ok=True)
    make_deep(place, 3000)
    (store / "runs" / "tmp").mkdir(parents=True)
    (store / "runs" / "tmp" / "left.draft").write_text("half")
    found = [item.path for item in collect_garbage(store, grace_seconds=-1, delete=True)]
    assert str(store / "runs" / "tmp" / "left.draft") in found
    assert (str(place) in found) == (place.suffix == ".draft")
    assert place.exists() != (place.suffix == ".draft")
    assert "folders more than 64 deep; move it out of the store; passed over" in caplog.text
    remove(note_root(store) / place.relative_to(store))
    assert not place.exists()


def make_deep(folder, levels):
    """Make folders in folders, deeper than a path can name."""
    folder.mkdir()
    outer = os.open(folder, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("d", dir_fd=outer)
        inner = os.open("d", os.O_RDONLY, dir_fd=outer)
        os.close(outer)
        outer = inner
    os.close(outer)
