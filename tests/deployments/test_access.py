"""Who can have a server of this project run something."""

import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from prefect.client.schemas.actions import WorkPoolUpdate
from prefect.exceptions import PrefectHTTPStatusError
from prefect.workers.process import ProcessWorker

from deployments.pool import POOL, TEMPLATE

pytestmark = pytest.mark.server

FOREIGN = {"Origin": "http://evil.example"}
DUE = {"type": "SCHEDULED", "state_details": {"scheduled_time": "2020-01-01T00:00:00Z"}}


def test_a_request_without_the_auth_string_is_refused(deployed):
    api = deployed.environment["PREFECT_API_URL"]
    for path in ("/flow_runs/filter", "/deployments/filter", "/work_pools/filter"):
        assert httpx.post(f"{api}{path}", json={}).status_code == 401
        guessed = httpx.post(f"{api}{path}", json={}, auth=("gargalo", "guess"))
        assert guessed.status_code == 401
    assert deployed.server.post("/flow_runs/filter").status_code == 200


def test_a_page_of_another_origin_is_refused(deployed):
    address = f"{deployed.environment['PREFECT_API_URL']}/flow_runs/filter"
    asked = {"Access-Control-Request-Method": "POST"}
    preflight = httpx.options(address, headers=FOREIGN | asked)
    assert preflight.status_code == 400
    assert "access-control-allow-origin" not in preflight.headers
    own = tuple(deployed.server.auth_string.split(":"))
    for auth in (None, own):
        answer = httpx.post(address, json={}, headers=FOREIGN, auth=auth)
        assert "access-control-allow-origin" not in answer.headers
    page = {"Origin": address.partition("/api")[0]}
    assert httpx.options(address, headers=page | asked).status_code == 200


@pytest.mark.parametrize(
    "variables", [{"command": "touch ran"}, {"env": {"PYTHONSTARTUP": "x"}}, {"working_dir": "/"}]
)
def test_a_run_with_job_variables_is_refused(deployed, variables):
    with deployed.client() as client:
        deployment = client.read_deployment_by_name("ingest/on-demand")
        asked = {"parameters": {"folder": str(deployed.photos)}, "job_variables": variables}
        with pytest.raises(PrefectHTTPStatusError, match=r"Additional properties"):
            client.create_flow_run_from_deployment(deployment.id, **asked)


def test_job_variables_that_a_server_lets_through_change_nothing(deployed, tmp_path):
    """A run that is created directly, and not of a deployment, is not checked by the server."""
    with deployed.client() as client:
        deployment = client.read_deployment_by_name("ingest/on-demand")
    made = deployed.server.post(
        "/flow_runs/",
        flow_id=str(deployment.flow_id),
        deployment_id=str(deployment.id),
        work_pool_name=POOL,
        work_queue_name="writers",
        parameters={"folder": str(deployed.photos), "parameters": {"store": str(tmp_path / "s")}},
        job_variables={"command": f"touch {tmp_path}/ran", "env": {"X": "1"}},
        state=DUE,
    )
    assert made.status_code == 201
    ended = deployed.wait(made.json()["id"])
    assert ended.state.name == "Completed"
    assert (tmp_path / "s").is_dir()
    assert not (tmp_path / "ran").exists()


def test_a_pool_that_was_made_before_is_closed(deployed):
    open_template = ProcessWorker.get_default_base_job_template()
    with deployed.client() as client:
        client.update_work_pool(POOL, WorkPoolUpdate(base_job_template=open_template))
    told = deployed.deploy().stderr
    assert "work pool 'gargalo': runs no longer take job variables" in told
    assert told.count("\n") == 1
    with deployed.client() as client:
        assert client.read_work_pool(POOL).base_job_template == TEMPLATE
    assert not deployed.deploy().stderr


def test_prefects_own_command_line_works_as_the_readme_shows_it(deployed):
    command = [Path(sys.executable).with_name("prefect"), "deployment", "run", "ingest/on-demand"]
    command += ["-p", f"folder={deployed.photos}", "--watch"]
    assert "PREFECT_API_AUTH_STRING" not in deployed.environment
    done = subprocess.run(
        command,
        env=deployed.environment,
        cwd=deployed.home,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Flow run finished successfully" in done.stdout


def test_the_events_of_a_run_reach_its_server(deployed):
    """They go over a websocket, which is authenticated by a message of its own."""
    began = time.monotonic()
    ended = deployed.run("ingest/on-demand", folder=str(deployed.photos))
    assert ended.state.name == "Completed"
    found = []
    while not found and time.monotonic() - began < 60:
        asked = {"event": {"prefix": ["prefect.flow-run.Completed"]}}
        events = deployed.server.post("/events/filter", filter=asked).json()["events"]
        found = [e for e in events if str(ended.id) in e["resource"]["prefect.resource.id"]]
    assert found
