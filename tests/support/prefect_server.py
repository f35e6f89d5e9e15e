"""A real Prefect server for tests, on a free port of the loopback interface."""

import fcntl
import os
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId, FlowRunFilterTags
from prefect.events.worker import EventsWorker
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, PREFECT_HOME

from flows.orchestration.auth_string import read_auth_string

START_SECONDS = 120
OURS = f"of-process-{os.getpid()}"  # a tag: several processes may have runs on one server


class PrefectServer:
    """One that can be ended and started again; `environment` leads to it."""

    def __init__(self, home, port=None):
        self._port = port or _free_port()
        own = {"PREFECT_HOME": str(home), "PREFECT_API_URL": f"http://127.0.0.1:{self._port}/api"}
        others = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
        self.environment = others | own
        self._process = None

    @property
    def port(self):
        return self._port

    @property
    def auth_string(self):
        return read_auth_string(Path(self.environment["PREFECT_HOME"]))

    @property
    def settings(self):
        """Return the settings with which a client in this process gets in."""
        return {
            PREFECT_API_URL: self.environment["PREFECT_API_URL"],
            PREFECT_HOME: self.environment["PREFECT_HOME"],
            PREFECT_API_AUTH_STRING: self.auth_string,
        }

    def post(self, path, **content):
        """Return what the server answers to a request, whose content is JSON."""
        address = f"{self.environment['PREFECT_API_URL']}{path}"
        return httpx.post(address, json=content, auth=tuple(self.auth_string.split(":")))

    def start(self):
        # A process's events go to the server that it met first, even when that is gone.
        EventsWorker.drain_all(timeout=5)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "flows.server"],
            env=self.environment | {"PREFECT_SERVER_API_PORT": str(self._port)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        address = f"{self.environment['PREFECT_API_URL']}/health"
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise RuntimeError(f"the Prefect server ended with {self._process.returncode}")
            try:
                with urllib.request.urlopen(address, timeout=1):
                    return
            except OSError:
                time.sleep(0.2)
        raise TimeoutError("the Prefect server did not start")

    def stop(self):
        self._process.terminate()
        self._process.wait(timeout=30)


@contextmanager
def running_server(home):
    """Run a server in the block."""
    server = PrefectServer(home)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@contextmanager
def shared_server(folder):
    """Run a server in the block, or use the one that another process runs in the same folder.

    Who started it ends it, when nobody uses it any more.
    """
    folder.mkdir(exist_ok=True)
    address = folder / "port"
    with (folder / "start").open("w") as start, (folder / "users").open("w") as users:
        fcntl.flock(start, fcntl.LOCK_EX)
        fcntl.flock(users, fcntl.LOCK_SH)
        if address.exists():
            fcntl.flock(start, fcntl.LOCK_UN)
            yield PrefectServer(folder / "home", int(address.read_text()))
            return
        with running_server(folder / "home") as server:
            address.write_text(str(server.port))
            fcntl.flock(start, fcntl.LOCK_UN)
            try:
                yield server
            finally:
                fcntl.flock(users, fcntl.LOCK_EX)
                address.unlink()


def _free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def last_run():
    """Return the newest flow run of this process on the server of the settings."""
    ours = FlowRunFilter(tags=FlowRunFilterTags(all_=[OURS]))
    with get_client(sync_client=True) as client:
        return client.read_flow_runs(flow_run_filter=ours, sort="START_TIME_DESC", limit=1)[0]


def task_runs(run):
    """Return the tasks of a flow run, as the server of the settings has them by now."""
    with get_client(sync_client=True) as client:
        mine = FlowRunFilter(id=FlowRunFilterId(any_=[run.id]))
        return client.read_task_runs(flow_run_filter=mine)


def task_states(run):
    """Return the names of a flow run's tasks with the name of the state that each is in."""
    # The server may hear of a task before it hears of the task's first state.
    return {task.name: task.state.name if task.state else "Unknown" for task in task_runs(run)}


def eventually(found, *, seconds=60):
    """Return what `found` returns once that is something: a server hears of tasks later."""
    deadline = time.monotonic() + seconds
    while not (result := found()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"the server did not show it within {seconds} s")
        time.sleep(0.2)
    return result
