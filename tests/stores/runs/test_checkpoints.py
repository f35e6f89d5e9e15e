import json
import os
import shutil
import time

import pytest

from stores.errors import NewerFormat, StoreReadOnly
from stores.runs.checkpoints import (
    ABANDONED_SECONDS,
    Checkpoints,
    CheckpointStats,
    all_checkpoints,
    checkpoint_garbage,
    unfinished,
)
from stores.runs.store import RunStore
from tests.support.runs import RUN, publish
from tests.support.samples import flip

HISTORY = [{"loss": 1.0}, {"loss": 0.5}, {"loss": 0.25}]


def keep(checkpoints, epochs):
    def save(folder):
        (folder / "weights").write_text(f"after {epochs} epochs")

    return checkpoints.publish(HISTORY[:epochs], save=save)


def found_in(root):
    """Return the checkpoints of a store as one finds them who knows no run."""
    (found,) = all_checkpoints(root)
    return found


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


def test_a_history_that_was_changed_is_damaged(checkpoints):
    keep(checkpoints, 1)
    about = keep(checkpoints, 2).folder / "checkpoint.json"
    about.write_text(about.read_text().replace("0.5", "0.4"))
    assert checkpoints.latest().epochs == 1


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_is_kept(checkpoints, loss):
    checkpoints.publish([{"val_loss": loss}], save=lambda folder: None)
    assert repr(checkpoints.latest().history) == repr([{"val_loss": loss}])


def test_one_of_the_first_format_is_read(checkpoints):
    about = keep(checkpoints, 1).folder / "checkpoint.json"
    told = json.loads(about.read_text()) | {"format": 1}
    del told["digest"]
    about.write_text(json.dumps(told))
    assert checkpoints.latest().epochs == 1


@pytest.mark.parametrize("file", ["weights", "checkpoint.json"])
@pytest.mark.parametrize("damage", [lambda path: flip(path, 3), os.unlink])
def test_a_damaged_one_is_said_and_the_one_before_is_taken(checkpoints, caplog, file, damage):
    keep(checkpoints, 1)
    damage(keep(checkpoints, 2).folder / file)
    assert checkpoints.latest().epochs == 1
    assert "000002: a damaged checkpoint is passed over" in caplog.text
    keep(checkpoints, 2)
    assert checkpoints.latest().epochs == 2


def test_where_none_is_whole_those_of_a_new_beginning_are_kept(checkpoints):
    for epochs in (1, 2, 3):
        keep(checkpoints, epochs)
    for damaged in ("000002", "000003"):
        flip(checkpoints.folder / damaged / "weights", 3)
    assert checkpoints.latest() is None
    for epochs in (1, 2, 3):
        keep(checkpoints, epochs)
        assert checkpoints.latest().epochs == epochs


def test_one_of_another_run_is_passed_over(checkpoints, tmp_path, caplog):
    other = Checkpoints(tmp_path, RUN.id[:16] + "0" * 48)
    keep(other, 1)
    assert checkpoints.latest() is None
    assert f"of run {RUN.id[:16]}000" in caplog.text


def test_one_of_a_newer_format_is_refused(checkpoints):
    path = keep(checkpoints, 1).folder / "checkpoint.json"
    path.write_text(path.read_text().replace('"format": 2', '"format": 9'))
    with pytest.raises(NewerFormat, match="knows up to 2; update gargalo"):
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


def test_a_stored_run_has_nothing_to_go_on_from(checkpoints, tmp_path):
    (checkpoints.folder / "tmp").mkdir(parents=True)
    assert not unfinished(tmp_path)
    keep(checkpoints, 1)
    assert [found.folder for found in unfinished(tmp_path)] == [checkpoints.folder]
    publish(RunStore(tmp_path))
    assert not unfinished(tmp_path)


def test_they_are_counted_with_their_bytes_but_for_drafts(checkpoints, tmp_path):
    _, *kept = (keep(checkpoints, epochs).folder for epochs in (1, 2, 3))
    size = sum(path.stat().st_size for folder in kept for path in folder.iterdir())
    (checkpoints.folder / "tmp" / "dead.draft").write_bytes(b"123")
    assert found_in(tmp_path).stats() == CheckpointStats(RUN.id[:16], 2, size)


@pytest.mark.parametrize("file", ["weights", "checkpoint.json"])
@pytest.mark.parametrize("damage", [lambda path: flip(path, 3), os.unlink])
@pytest.mark.parametrize(
    ("damaged", "way_out"),
    [
        ({2}, ["goes on from the one before, after epoch 1"]),
        ({1}, ["goes on from the newest, after epoch 2"]),
        ({1, 2}, ["no other is whole, the next call begins anew"] * 2),
    ],
)
def test_verify_tells_damage_and_from_where_it_goes_on(
    checkpoints, tmp_path, file, damage, damaged, way_out
):
    keep(checkpoints, 1)
    keep(checkpoints, 2)
    assert found_in(tmp_path).verify() == []
    for epochs in damaged:
        damage(checkpoints.folder / f"{epochs:06}" / file)
    findings = found_in(tmp_path).verify()
    assert all(f"{n:06}/{file}" in told for n, told in zip(damaged, findings, strict=True))
    assert all(told.endswith(end) for told, end in zip(findings, way_out, strict=True))
    latest = checkpoints.latest()
    assert (f"after epoch {latest.epochs}" if latest else "begins anew") in findings[0]


def test_verify_says_of_a_newer_format_what_the_next_call_says(checkpoints, tmp_path):
    path = keep(checkpoints, 1).folder / "checkpoint.json"
    path.write_text(path.read_text().replace('"format": 2', '"format": 9'))
    (told,) = found_in(tmp_path).verify()
    with pytest.raises(NewerFormat) as error:
        checkpoints.latest()
    assert told == str(error.value)
    assert not list(checkpoint_garbage(tmp_path, -1))


def test_one_that_is_replaced_meanwhile_is_not_damaged(checkpoints, tmp_path, monkeypatch):
    gone = keep(checkpoints, 1).folder
    keep(checkpoints, 2)

    def read(self, folder, read=Checkpoints._read):
        if gone.exists():
            keep(checkpoints, 3)
        return read(self, folder)

    monkeypatch.setattr(Checkpoints, "_read", read)
    assert found_in(tmp_path).verify() == []
    assert not gone.exists()


def test_one_goes_at_once(checkpoints, monkeypatch):
    removed = []
    with monkeypatch.context() as patch:
        patch.setattr("stores.storage.location.remove", removed.append)
        for epochs in (1, 2, 3):
            keep(checkpoints, epochs)
    (draft,) = removed  # what a writer that died here would have left
    assert (draft.parent.name, draft.suffix) == ("tmp", ".draft")
    assert (draft / "weights").read_text() == "after 1 epochs"
    assert not (checkpoints.folder / "000001").exists()


def test_damaged_ones_are_garbage_when_they_are_old_enough(checkpoints, tmp_path):
    keep(checkpoints, 1)
    damaged = keep(checkpoints, 2).folder
    flip(damaged / "weights", 3)
    (found,) = checkpoint_garbage(tmp_path, -1)
    assert (found.path, found.reason) == (damaged, "a damaged checkpoint")
    assert not list(checkpoint_garbage(tmp_path, 3600))


def test_where_all_were_collected_the_next_draft_is_left_alone(checkpoints, tmp_path):
    keep(checkpoints, 1)
    shutil.rmtree(checkpoints.folder / "000001")
    long_ago = time.time() - ABANDONED_SECONDS - 60
    os.utime(checkpoints.folder, (long_ago, long_ago))
    assert not list(checkpoint_garbage(tmp_path, -1))
    os.utime(checkpoints.folder / "tmp", (long_ago, long_ago))
    assert [found.path for found in checkpoint_garbage(tmp_path, -1)] == [checkpoints.folder]


def test_discarded_ones_are_gone(checkpoints):
    keep(checkpoints, 1)
    checkpoints.discard()
    checkpoints.discard()
    assert not checkpoints.folder.exists()
