"""All of `prefect.yaml` on a real server, run by a real worker."""

import json
from datetime import timedelta

import numpy as np
import pytest
from PIL import Image
from prefect.client.schemas.schedules import IntervalSchedule

from flows.parameters.features import ExtractParameters
from stores.features.store import FeatureStore
from stores.runs.store import RunStore
from tests.support.onnx_files import network
from tests.support.prefect_server import eventually
from tests.support.samples import flip_row

pytestmark = pytest.mark.server

SMALL = {"image_size": 32, "head": ["dense", "logistic"]}


@pytest.fixture(scope="module")
def first(deployed):
    """The first run of the pipeline."""
    return deployed.run("pipeline/nightly", parameters=SMALL)


def test_a_triggered_pipeline_completes_and_shows_what_it_did(deployed, first):
    assert first.state.name == "Completed", first.state.message
    assert first.name == "pipeline photos by efficientnet_lite0 output"
    shown = deployed.artifacts(first)
    (row,) = json.loads(shown["accounting-photos"].data)
    assert (row["images"], row["computed"]) == (30, 30)
    heads = shown["heads-photos"].data
    assert "logistic" in heads
    assert str(deployed.home / "feature-store/reports/photos-") in heads
    assert shown["learning-curve-photos"].data.startswith("data:image/svg+xml;base64,")
    eventually(lambda: "features of photos: 30 computed, 0 cached" in deployed.log(first))
    assert "1 test evaluation over all runs" in deployed.log(first)
    assert "extract 1 to 30 of 30 images of photos by efficientnet_lite0 output" in (
        deployed.last_task_states(first)
    )


def test_a_second_run_computes_and_trains_nothing_and_shows_it_as_cached(deployed, first):
    again = deployed.run("pipeline/nightly", parameters=SMALL)
    (row,) = json.loads(deployed.artifacts(again)["accounting-photos"].data)
    assert (row["cached"], row["computed"]) == (30, 0)
    states = deployed.last_task_states(again)
    trained = {name: state for name, state in states.items() if name.startswith("train ")}
    assert set(trained.values()) == {"Cached"}
    assert len(trained) == 2
    assert not [name for name in states if name.startswith("extract ")]
    changed = np.random.default_rng(1).integers(0, 255, (40, 48, 3), dtype=np.uint8)
    Image.fromarray(changed).save(deployed.photos / "reddish/0.png")
    third = deployed.run("pipeline/nightly", parameters=SMALL)
    (row,) = json.loads(deployed.artifacts(third)["accounting-photos"].data)
    assert (row["images"], row["computed"]) == (30, 1)


def test_heads_of_a_sweep_are_told_apart(deployed, first):
    parameters = SMALL | {"head": ["logistic"], "grid": ["inverse_regularization=0.1,1"]}
    swept = deployed.run("sweep/weekly", file=None, parameters=parameters)
    assert swept.state.name == "Completed", swept.state.message
    heads = deployed.artifacts(swept)["heads-photos"].data
    assert all(f"| inverse_regularization {value} |" in heads for value in ("0.1", "1.0"))


def test_an_extract_that_completed_starts_a_training_on_its_features(deployed, first):
    # As the server's form has it: all parameters are said, those too that are as usual.
    taps = ["block5c_add", "output"]
    form = ExtractParameters(image_size=48, tap=taps).model_dump(mode="json")
    extracted = deployed.run("extract/on-demand", source="photos", parameters=form)
    assert extracted.state.name == "Completed", extracted.state.message
    trainings = deployed.wait_for_runs("train/after-extract", 2)
    assert all(training.parameters["dataset"] == "photos" for training in trainings)
    asked = [training.parameters["parameters"] for training in trainings]
    assert {"image_size": 48} in asked
    assert {"image_size": 48, "tap": ["block5c_add"]} in asked
    for training in trainings:
        assert deployed.wait(training.id).state.name == "Completed"


def test_what_is_predicted_and_verified_is_shown(deployed, first):
    store = deployed.home / "feature-store"
    run = RunStore(store).table()["run"][0].as_py()
    predicted = deployed.run("predict/on-demand", model=run, images=["photos"])
    (told,) = deployed.artifacts(predicted).values()
    assert "30 images in" in told.data
    features = FeatureStore.open(store, RunStore(store).read(run).fingerprint)
    features.missing([])
    flip_row(features, 0)
    verified = deployed.run("maintain/weekly", action="verify", parameters={})
    assert verified.state.name == "Failed"
    assert "damage was found" in verified.state.message
    assert "digest" in deployed.artifacts(verified)["answer-maintain-verify"].data


def test_what_was_switched_on_stays_on_when_it_is_deployed_again(deployed):
    def schedule():
        with deployed.client() as client:
            deployment = client.read_deployment_by_name("maintain/weekly")
            return deployment.id, *deployment.schedules

    with deployed.client() as client:
        deployment, found = schedule()
        client.update_deployment_schedule(deployment, found.id, active=True)
        every = IntervalSchedule(interval=timedelta(days=99))
        client.create_deployment_schedules(deployment, [(every, True)])
    assert "all schedules but those of maintain/weekly" in deployed.deploy().stdout
    deployment, *found = schedule()
    assert [told.active for told in found] == [True, True]
    assert every.interval in [getattr(told.schedule, "interval", None) for told in found]
    with deployed.client() as client:
        for told in found:
            client.update_deployment_schedule(deployment, told.id, active=False)


def test_it_is_said_what_scheduled_runs_are_about_and_were(deployed):
    images = deployed.environment["GARGALO_IMAGES"]
    deployed.environment["GARGALO_IMAGES"] = ""
    try:
        told = deployed.deploy().stdout
    finally:
        deployed.environment["GARGALO_IMAGES"] = images
    was = f"and no longer about {deployed.photos} (IMAGES=FOLDER says which)"
    assert f"scheduled runs are about the embedded sample, {was}" in told
    assert f"about {deployed.photos}, and no longer about the emb" in deployed.deploy().stdout


def test_what_a_worker_runs_is_not_served_as_well(deployed):
    refused = deployed.python("deployments.serve")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1), refused.stderr
    assert "is deployed to work pool 'gargalo' on this server already" in refused.stderr


def test_a_schedule_of_seconds_runs_by_itself(deployed, first):
    with deployed.client() as client:
        deployment = client.read_deployment_by_name("maintain/nightly")
        assert not [schedule for schedule in deployment.schedules if schedule.active]
        # More often, and runs begin before those before them have ended, ever more of them at once.
        every = IntervalSchedule(interval=timedelta(seconds=12))
        (added,) = client.create_deployment_schedules(deployment.id, [(every, True)])
    try:
        runs = deployed.wait_for_runs("maintain/nightly", 2, ended=True)
    finally:
        with deployed.client() as client:
            client.delete_deployment_schedule(deployment.id, added.id)
            for run in deployed.runs_of("maintain/nightly"):  # they would slow down the next tests
                if not run.state.is_final():
                    client.delete_flow_run(run.id)
    assert [run.state.name for run in runs[:2]] == ["Completed", "Completed"]
    assert all(run.auto_scheduled for run in runs[:2])


def test_a_backbone_from_a_file_is_found_from_the_home_by_either_path(deployed):
    """A worker runs in GARGALO_HOME, wherever it was started."""
    (deployed.home / "nets").mkdir()
    path = network(deployed.home / "nets" / "m.onnx")
    computed = []
    for backbone in ("nets/m.onnx", str(path)):
        asked = {"backbone": backbone, "store": "by-file"}
        run = deployed.run("extract/on-demand", source="photos", parameters=asked)
        assert run.state.name == "Completed", run.state.message
        (row,) = json.loads(deployed.artifacts(run)["accounting-photos"].data)
        computed.append(row["computed"])
    assert computed == [30, 0]
    asked = {"backbone": "nets/m.onnx", "store": "by-file", "head": ["ridge"]}
    trained = deployed.run("train/after-extract", dataset="photos", parameters=asked)
    assert trained.state.name == "Completed", trained.state.message
