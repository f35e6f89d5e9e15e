import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    LogFilter,
    LogFilterFlowRunId,
)
from prefect.settings import temporary_settings

from tests.support.places import ROOT
from tests.support.prefect_server import PrefectServer, running_server, task_states

SECONDS = 120  # for a run, at the most


@dataclass
class Deployed:
    """A server with all deployments, a worker of its pool, and a folder of images."""

    home: Path
    environment: dict
    server: PrefectServer

    @property
    def photos(self):
        return self.home / "photos"

    def python(self, module):
        """Run a module as `python -m`, and return what came of it."""
        command = [sys.executable, "-m", module]
        told = {"env": self.environment, "cwd": ROOT, "capture_output": True, "text": True}
        return subprocess.run(command, check=False, timeout=3 * SECONDS, **told)

    def deploy(self):
        """Deploy all of `prefect.yaml`."""
        made = self.python("deployments.deploy")
        assert made.returncode == 0, made.stderr
        return made

    def run(self, name, **parameters):
        """Ask for a run of a deployment, and return it when it has ended."""
        return self.wait(self.ask(name, **parameters).id)

    def ask(self, name, **parameters):
        """Ask for a run of a deployment."""
        with self.client() as client:
            deployment = client.read_deployment_by_name(name)
            return client.create_flow_run_from_deployment(deployment.id, parameters=parameters)

    def wait(self, run_id):
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            with self.client() as client:
                run = client.read_flow_run(run_id)
            if run.state.is_final():
                return run
            time.sleep(0.3)
        raise TimeoutError(f"{run.name} is {run.state}")

    def runs_of(self, name):
        """Return the runs of a deployment, newest last."""
        with self.client() as client:
            deployment = client.read_deployment_by_name(name)
            runs = client.read_flow_runs()
        mine = [run for run in runs if run.deployment_id == deployment.id]
        return sorted(mine, key=lambda run: run.expected_start_time)

    def wait_for_runs(self, name, count, *, ended=False):
        """Return the runs of a deployment as soon as there are so many (that have ended)."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            runs = [run for run in self.runs_of(name) if not ended or run.state.is_final()]
            if len(runs) >= count:
                return runs
            time.sleep(0.3)
        raise TimeoutError(f"{name}: {len(runs)} of {count} runs")

    def task_states(self, run):
        """Return the names of a run's tasks with the name of the state that each is in."""
        with self.client():
            return task_states(run)

    def last_task_states(self, run):
        """Return the same once the server, which hears of it later, knows how each ended."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            states = self.task_states(run)
            ended = [state for state in states.values() if state in {"Completed", "Cached"}]
            if any(name.startswith("report ") for name in states) and len(ended) == len(states):
                return states
            time.sleep(0.2)
        raise TimeoutError(f"{run.name}: {states}")

    def wait_for_shards(self, run, count):
        """Return when so many shards of an extraction are stored, and the next are computed."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            states = self.task_states(run)
            done = [n for n in states if n.startswith("extract ") and states[n] == "Completed"]
            if len(done) >= count:
                return
            time.sleep(0.2)
        raise TimeoutError(f"{run.name}: {states}")

    def artifacts(self, run):
        """Return a run's artifacts by their keys."""
        with self.client() as client:
            mine = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run.id]))
            return {found.key: found for found in client.read_artifacts(artifact_filter=mine)}

    def log(self, run):
        """Return what a run's log says on the server."""
        with self.client() as client:
            mine = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run.id]))
            return "\n".join(told.message for told in client.read_logs(mine))

    @contextmanager
    def client(self):
        with temporary_settings(self.server.settings), get_client(sync_client=True) as client:
            yield client


@pytest.fixture(scope="session")
def deployed(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    write_photos(home / "photos", of_a_class=15)
    with running_server(tmp_path_factory.mktemp("prefect")) as server:
        own = {"GARGALO_HOME": str(home), "GARGALO_IMAGES": "photos", "PYTHONPATH": str(ROOT)}
        environment = server.environment | own
        deployed = Deployed(home, environment, server)
        assert "pipeline/nightly" in deployed.deploy().stdout
        command = [sys.executable, "-m", "deployments.worker"]
        quick = {"PREFECT_WORKER_QUERY_SECONDS": "1", "PREFECT_RUNNER_POLL_FREQUENCY": "1"}
        with (home / "worker.log").open("w") as log:
            log_to = {"stdout": log, "stderr": subprocess.STDOUT}
            worker = subprocess.Popen(command, env=environment | quick, cwd=ROOT, **log_to)
            try:
                yield deployed
            finally:
                worker.terminate()
                worker.wait(timeout=60)


def write_photos(folder, *, of_a_class):
    """Write two classes of noisy pictures: reddish and bluish."""
    rng = np.random.default_rng(0)
    for channel, name in ((0, "reddish"), (2, "bluish")):
        (folder / name).mkdir(parents=True)
        for number in range(of_a_class):
            pixels = rng.integers(0, 120, (40, 48, 3), dtype=np.uint8)
            pixels[..., channel] += 100
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
