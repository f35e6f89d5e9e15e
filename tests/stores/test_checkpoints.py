import os
import time

import pytest

from stores.checkpoints import ABANDONED_SECONDS, Checkpoints, checkpoint_garbage
from stores.errors import NewerFormat, StoreReadOnly
from stores.runs import RunStore
from tests.stores.runs import RUN, publish
from tests.stores.samples import flip

HISTORY = [{"loss": 1.0}, {"loss": 0.5}, {"loss": 0.25}]


def keep(checkpoints, epochs):
    def save(folder):
        (folder / "weights").write_text(f"after {epochs} epochs")

    return checkpoints.publish(HISTORY[:epochs], save=save)


def weights(checkpoint):
    return (checkpoint.folder / "weights").read_text()


@pytest.fixture
def checkpoints(tmp_path):
    return Checkpoints(tmp_path, RUN.id)


def test_without_any_there_is_nothing_to_go_on_with(checkpoints, tmp_path):
    assert checkpoints.latest() is None
    assert not list(tmp_path.iterdir())


def test_the_latest_is_what_was_kept_last(checkpoints):
    for epochs in (1, 2, 3):
        keep(checkpoints, epochs)
    latest = checkpoints.latest()
    assert latest.epochs == 3
    assert latest.history == HISTORY
    assert weights(latest) == "after 3 epochs"
    assert len([path for path in checkpoints.folder.iterdir() if path.name != "tmp"]) == 2


@pytest.mark.parametrize("file", ["weights", "checkpoint.json"])
@pytest.mark.parametrize("damage", [lambda path: flip(path, 3), os.unlink])
def test_a_damaged_one_is_said_and_the_one_before_is_taken(checkpoints, caplog, file, damage):
    keep(checkpoints, 1)
    damage(keep(checkpoints, 2).folder / file)
    assert checkpoints.latest().epochs == 1
    assert "000002: a damaged checkpoint is passed over" in caplog.text
    keep(checkpoints, 2)
    assert checkpoints.latest().epochs == 2


def test_one_of_another_run_is_passed_over(checkpoints, tmp_path, caplog):
    other = Checkpoints(tmp_path, RUN.id[:16] + "0" * 48)
    keep(other, 1)
    assert checkpoints.latest() is None
    assert f"of run {RUN.id[:16]}000" in caplog.text


def test_one_of_a_newer_format_is_refused(checkpoints):
    path = keep(checkpoints, 1).folder / "checkpoint.json"
    path.write_text(path.read_text().replace('"format": 1', '"format": 2'))
    with pytest.raises(NewerFormat, match="knows up to 1; update gargalo"):
        checkpoints.latest()


def test_a_failed_one_leaves_what_was_there(checkpoints):
    def save(folder):
        (folder / "weights").write_text("half")
        raise PermissionError(13, "no")

    keep(checkpoints, 1)
    with pytest.raises(StoreReadOnly):
        checkpoints.publish(HISTORY[:2], save=save)
    assert checkpoints.latest().epochs == 1
    assert not list((checkpoints.folder / "tmp").iterdir())


def test_a_stored_runs_and_abandoned_ones_are_garbage(checkpoints, tmp_path):
    abandoned, at_work = (Checkpoints(tmp_path, letter * 64) for letter in "ab")
    for some in (checkpoints, abandoned, at_work):
        keep(some, 1)
    publish(RunStore(tmp_path))
    long_ago = time.time() - ABANDONED_SECONDS - 60
    os.utime(abandoned.latest().folder, (long_ago, long_ago))
    found = {item.path: item.reason for item in checkpoint_garbage(tmp_path, -1)}
    assert found == {
        checkpoints.folder: "checkpoints of a run that is stored",
        abandoned.folder: "checkpoints that nobody went on with",
    }
    assert not list(checkpoint_garbage(tmp_path, 3600))


def test_discarded_ones_are_gone(checkpoints):
    keep(checkpoints, 1)
    checkpoints.discard()
    checkpoints.discard()
    assert not checkpoints.folder.exists()
