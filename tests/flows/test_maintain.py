import pytest

from stores.checkpoints import Checkpoints
from tests.stores.samples import flip

RUN = "ab" * 32


@pytest.fixture
def state(run_json, photos):
    """A file of a fine-tuning that was interrupted after its first epoch."""
    run_json("ingest", photos)

    def save(folder):
        (folder / "state.npz").write_bytes(bytes(2**20))

    kept = Checkpoints(photos.parent / "feature-store", RUN).publish([{"loss": 1.0}], save=save)
    return kept.folder / "state.npz"


def test_checkpoints_are_told(run, run_json, state):
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
