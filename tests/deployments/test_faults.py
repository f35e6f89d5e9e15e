"""What a run on a server keeps when it is cancelled or killed, or when its server goes away."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from prefect.states import Cancelling

from stores.features.store import FeatureStore
from tests.deployments.conftest import write_photos

pytestmark = pytest.mark.server


@pytest.fixture
def many(deployed, tmp_path):
    """What an extraction of some ten seconds is asked for, in shards of half a second."""
    write_photos(tmp_path / "many", of_a_class=200)
    asked = {"image_size": 320, "shard_size": 16, "engine": "keras", "store": str(tmp_path / "s")}
    return {"source": str(tmp_path / "many"), "parameters": asked}


def stored(many):
    """Return how many images' features are stored, of all: before there is a data set, too."""
    keys = FeatureStore.open(many["parameters"]["store"]).keys()
    files = sum(path.is_file() for path in Path(many["source"]).rglob("*"))
    return len(np.unique(keys, axis=0)), files


def computed(deployed, run):
    """Return how many features a run computed."""
    (found,) = [a for key, a in deployed.artifacts(run).items() if key.startswith("accounting")]
    return int(found.data.split('"computed": ')[1].split(",")[0])


def test_a_run_that_is_cancelled_keeps_its_finished_shards_and_ends_as_cancelled(deployed, many):
    asked = deployed.ask("extract/on-demand", **many)
    deployed.wait_for_shards(asked, 2)
    with deployed.client() as client:
        client.set_flow_run_state(asked.id, Cancelling())
    ended = deployed.wait(asked.id)
    assert ended.state.name == "Cancelled"
    kept, images = stored(many)
    assert 2 * 16 <= kept < images
    again = deployed.run("extract/on-demand", **many)
    assert computed(deployed, again) == images - kept


def test_a_run_that_is_killed_is_crashed_and_the_next_one_goes_on(deployed, many):
    asked = deployed.ask("extract/on-demand", **many)
    deployed.wait_for_shards(asked, 2)
    os.kill(process_of(asked), signal.SIGKILL)
    ended = deployed.wait(asked.id)
    assert ended.state.name == "Crashed"
    kept, images = stored(many)
    again = deployed.run("extract/on-demand", **many)
    assert again.state.name == "Completed"
    assert computed(deployed, again) == images - kept


def test_a_run_goes_on_while_its_server_is_started_again(deployed, many):
    asked = deployed.ask("extract/on-demand", **many)
    deployed.wait_for_shards(asked, 2)
    deployed.server.stop()
    deployed.server.start()
    ended = deployed.wait(asked.id)
    assert ended.state.name == "Completed"
    kept, images = stored(many)
    assert kept == images


def process_of(run):
    """Return the process in which a run of a deployment goes on."""
    name = f"PREFECT__FLOW_RUN_ID={run.id}".encode()
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if name in path.read_bytes().split(b"\0"):
                return int(path.parent.name)
        except OSError:
            continue
    raise LookupError(run.id)
