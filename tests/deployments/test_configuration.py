from pathlib import Path

import pytest

from deployments.configuration import CONFIGURATION, deployments, environment
from deployments.pool import QUEUES
from deployments.serve import runner_deployment
from flows.parameters.heads import SweepParameters
from flows.pipeline import SAMPLE_DEFAULTS
from flows.sweep import requested_sweep
from tasks.errors import InputError


@pytest.fixture
def places(tmp_path, monkeypatch):
    (tmp_path / "photos").mkdir()
    monkeypatch.setenv("GARGALO_HOME", str(tmp_path))
    monkeypatch.setenv("GARGALO_IMAGES", "photos")
    return environment()


def named(places):
    return {
        (told["entrypoint"].rpartition(".")[2], told["name"]): told for told in deployments(places)
    }


def test_images_are_below_home_and_name_the_data_set(places, tmp_path):
    told = named(places)
    assert told["pipeline", "nightly"]["parameters"] == {"folder": str(tmp_path / "photos")}
    asked = told["sweep", "weekly"]["parameters"]
    assert asked == {"dataset": "photos", "file": str(CONFIGURATION.with_name("sweep.toml"))}


def test_without_images_it_is_about_the_sample(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GARGALO_IMAGES", raising=False)
    told = named(environment())
    assert not told["pipeline", "nightly"]["parameters"].get("folder")
    asked = told["sweep", "weekly"]["parameters"]
    assert asked["dataset"] == "digits"
    tried = requested_sweep(Path(asked["file"]), SweepParameters())
    (size,) = tried.features["image_size"]
    assert {"tap": tried.features["tap"], "image_size": size} == SAMPLE_DEFAULTS


@pytest.mark.parametrize("variable", ["GARGALO_HOME", "GARGALO_IMAGES", "GARGALO_SWEEP"])
def test_what_is_not_there_is_named(places, monkeypatch, variable):
    monkeypatch.setenv(variable, "nowhere")
    with pytest.raises(InputError, match=f"{variable}: there is no (folder|file) .*nowhere"):
        environment()


def test_every_schedule_ships_inactive_and_every_queue_is_known(places):
    found = list(deployments(places))
    schedules = [schedule for told in found for schedule in told.get("schedules", [])]
    assert {name for told in schedules for name in told} >= {"cron", "interval", "rrule"}
    assert not any(schedule["active"] for schedule in schedules)
    assert {told["work_pool"]["work_queue_name"] for told in found} == set(QUEUES)


def test_what_is_served_is_what_is_deployed(places):
    for told in deployments(places):
        served = runner_deployment(told)
        assert served.name == told["name"]
        assert served.parameters == (told.get("parameters") or {})
        assert not any(schedule.active for schedule in served.schedules)
        assert len(served.schedules) == len(told.get("schedules", []))
        assert len(served.triggers) == len(told.get("triggers", []))
        assert served.entrypoint == told["entrypoint"]
