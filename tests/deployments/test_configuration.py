import pytest

from deployments.configuration import QUEUES, deployments, environment
from deployments.serve import runner_deployment
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
    assert told["sweep", "weekly"]["parameters"]["dataset"] == "photos"


def test_without_images_it_is_about_the_sample(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GARGALO_IMAGES", raising=False)
    told = named(environment())
    assert not told["pipeline", "nightly"]["parameters"].get("folder")
    assert told["sweep", "weekly"]["parameters"]["dataset"] == "digits"


@pytest.mark.parametrize("variable", ["GARGALO_HOME", "GARGALO_IMAGES"])
def test_a_folder_that_is_not_there_is_named(places, monkeypatch, variable):
    monkeypatch.setenv(variable, "nowhere")
    with pytest.raises(InputError, match=f"{variable}: there is no folder .*nowhere"):
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
