import numpy as np
import pytest

from stores.features.store import FeatureStore
from stores.runs.checkpoints import Checkpoints
from tests.support.samples import RECIPE, flip

RUN = "ab" * 32


@pytest.fixture
def state(run_json, photos):
    """A file of a fine-tuning that was interrupted after its first epoch."""
    run_json("ingest", photos)

    def save(folder):
        (folder / "state.npz").write_bytes(bytes(2**20))

    kept = Checkpoints(photos.parent / "feature-store", RUN).publish([{"loss": 1.0}], save=save)
    return kept.folder / "state.npz"


def test_checkpoints_are_listed(run, run_json, state):
    assert run("maintain", "stats")[1] == f"1 checkpoint, 1.0 MiB: fine-tuning {RUN[:16]}\n"
    (row,) = run_json("maintain", "stats")["checkpoints"]
    assert row["bytes"] > 2**20
    listed = run("maintain", "list")[1].splitlines()
    assert listed[-1] == f"fine-tuning {RUN[:16]}: not finished, 1 epoch done, 1.0 MiB"


def test_verify_ends_with_1_where_a_checkpoint_is_damaged(run, state):
    code, output, _ = run("maintain", "verify")
    assert (code, output.splitlines()[-1]) == (0, f"fine-tuning {RUN[:16]}: whole")
    flip(state, 1000)
    code, output, _ = run("maintain", "verify")
    assert code == 1
    assert "state.npz: the checkpoint is damaged" in output
    assert "the next call begins anew" in output


def test_a_store_is_merged_into_another(run, photos):
    store = FeatureStore(photos.parent / "theirs", RECIPE)
    store.write([bytes(32)], np.ones((1, 3), "f4"))
    merge = ("maintain", "merge", "--store", photos.parent / "ours", "--from", store.root)
    code, output, _ = run(*merge)
    assert (code, output.count("1 feature in 1 shard")) == (0, 1)
    store.write([b"k" * 32], np.zeros((1, 3), "f4"))
    flip(max(store.folder.glob("shards/*"), key=lambda path: path.stat().st_mtime_ns), 0)
    code, output, _ = run(*merge)
    assert code == 1
    assert "damaged, not taken over: features" in output
    assert "0 features in 0 shards" in output


def test_merge_asks_from_where(run):
    code, _, errors = run("maintain", "merge")
    assert (code, errors) == (2, "error: merge: from which store? give its folder with --from\n")
