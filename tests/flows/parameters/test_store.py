"""Flows over a store that a team shares."""

import pytest
from pydantic import ValidationError

from flows.parameters.features import FeatureParameters
from stores.features.store import FeatureStore
from stores.manifest import Manifest
from tests.support.samples import flip_row, snapshot

SMALL = ("--image-size", "32", "--weights", "none", "--backbone", "lenet5")
LOGISTIC = ("train", "photos", *SMALL, "--head", "logistic")


@pytest.fixture
def team(run_json, photos):
    """A store that has the features of all photos."""
    store = photos.parent / "team"
    assert run_json("extract", photos, *SMALL, "--store", store)["computed"] == 30
    return FeatureStore.open(store)


def test_features_of_a_layer_are_not_computed(run, run_json, photos, team):
    before = snapshot(team.root)
    mine = ("--store", photos.parent / "own")
    through = run_json("extract", photos, *SMALL, *mine, "--read-through", team.root)
    assert (through["computed"], through["cached"]) == (0, 30)
    chosen = run_json(*LOGISTIC, *mine)["run"]
    predicted = run_json("predict", chosen, photos, *mine)
    assert (predicted["cached"], predicted["computed"]) == (30, 0)
    assert f"reads through to {team.root}\n" in run("maintain", "list", *mine)[1]
    assert not (photos.parent / "own" / "features").exists()
    assert snapshot(team.root) == before
    alone = run_json("extract", photos, *SMALL, *mine, "--read-through", "none")
    assert alone["computed"] == 30


def test_what_trains_reads_features_of_a_layer(run_json, photos, team):
    before = snapshot(team.root)
    mine = ("--store", photos.parent / "own")
    piped = run_json("pipeline", photos, *SMALL, *mine, "--read-through", team.root)
    assert (piped["extract"]["computed"], piped["extract"]["cached"]) == (0, 30)
    swept = run_json("sweep", "photos", *SMALL, *mine, "--head", "ridge", "--head", "dense")
    assert (swept["trials"], swept["failed"]) == (2, 0)
    start = next(run["run"] for run in swept["runs"] if run["specification"]["kind"] == "dense")
    tuned = run_json("finetune", start, "--strategy", "full", "--epochs", "1", *mine)
    assert tuned["started_from"] == start
    assert not (photos.parent / "own" / "features").exists()
    assert snapshot(team.root) == before


def test_a_bad_row_of_a_layer_is_computed_into_ones_own_store(run, run_json, photos, team, caplog):
    mine = ("--store", photos.parent / "own")
    run_json("extract", photos, *SMALL, *mine, "--read-through", team.root)
    key = Manifest.read(photos.parent / "own", "photos").select("train").keys[0]
    team.missing([])
    (shard,) = team._index
    flip_row(team, shard.keys.tolist().index(key.tolist()))
    before = snapshot(team.root)
    code, _, errors = run(*LOGISTIC, *mine)
    assert (code, caplog.text.count("skipped there from now on")) == (2, 1)
    assert "1 of 24 features are not stored" in errors
    again = run_json("extract", photos, *SMALL, *mine)
    assert (again["computed"], again["cached"]) == (1, 29)
    run_json(*LOGISTIC, *mine)
    assert snapshot(team.root) == before


def test_a_layer_that_is_none_is_a_mistake_of_one_line(run, photos):
    code, _, errors = run("extract", photos, *SMALL, "--read-through", photos)
    assert code == 2
    assert errors.startswith(f"error: --read-through {photos}: there is no store; give the folder")
    assert errors.count("\n") == 1


def test_credentials_in_the_address_of_a_layer_come_to_no_server(
    run, photos, server, tmp_path, monkeypatch
):
    monkeypatch.setenv("GARGALO_CACHE", str(tmp_path / "cache"))
    code, output, errors = run("extract", photos, "--read-through", "s3://key:se/cret@bucket")
    assert code == 2
    assert "belong in the environment" in errors
    assert errors.count("\n") == 1
    assert "se/cret" not in output + errors + server.post("/flow_runs/filter", limit=200).text


def test_what_is_as_usual_is_not_told_and_a_store_by_its_address():
    assert FeatureParameters().unusual() == {}
    assert FeatureParameters(store="s3://bucket/store").unusual() == {"store": "s3://bucket/store"}
    assert FeatureParameters(store="mine", tap=["a"]).flags == "--store=mine --tap=a"


@pytest.mark.parametrize("leads_to", ["loop", "nowhere"])
def test_a_link_that_leads_to_no_folder_is_refused(tmp_path, leads_to):
    """The kind: a path that cannot be resolved."""
    (tmp_path / "loop").symlink_to(tmp_path / leads_to)
    for store in (tmp_path / "loop", tmp_path / "loop" / "store"):
        with pytest.raises(ValidationError, match="loop is not a folder"):
            FeatureParameters(store=store)
