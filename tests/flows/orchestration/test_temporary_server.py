"""A temporary server: who it answers to, and when it ends."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from prefect.server.api.server import SubprocessASGIServer
from prefect.settings import (
    PREFECT_API_DATABASE_CONNECTION_URL,
    PREFECT_API_URL,
    PREFECT_HOME,
    temporary_settings,
)

from flows.orchestration import ends_with_parent
from flows.orchestration.temporary_server import TemporaryServer
from tests.support.places import ROOT

pytestmark = pytest.mark.server

DEAD_PROXY = "http://127.0.0.1:9"  # port 9 is "discard": nobody listens
# What a user types, and then what the temporary server answers, with and without the auth string;
# a flow of the user's own, after that, has the same server.
FROM_PYTHON = """
import json, pathlib, sys
from flows.ingest import ingest
from flows.parameters.datasets import IngestParameters
summary = ingest(pathlib.Path("photos"), parameters=IngestParameters())
import httpx, prefect
from prefect.server.api.server import SubprocessASGIServer
from flows.orchestration.auth_string import read_auth_string
api = SubprocessASGIServer().api_url
auth = tuple(read_auth_string(pathlib.Path(sys.argv[1])).split(":"))
origin = {"Origin": "http://evil.example"}
opened = httpx.get(f"{api}/admin/settings", headers=origin, auth=auth)
closed = httpx.post(f"{api}/flow_runs/filter", json={}, headers=origin)
own = prefect.flow(lambda: 7, name="own")()
print(json.dumps({
    "own": own,
    "images": summary.images,
    "analytics": opened.json()["server"]["analytics_enabled"],
    "status": [opened.status_code, closed.status_code],
    "allowed": [r.headers.get("access-control-allow-origin") for r in (opened, closed)],
}))
"""
# Has a temporary server, says where, and waits.
SERVED = """
import time
from flows.orchestration.prefect_server import prefect_server
from prefect.server.api.server import SubprocessASGIServer
with prefect_server():
    print(SubprocessASGIServer().api_url, flush=True)
    time.sleep(120)
"""
# Starts a child that ends with its parent, and tells its id.
PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-P", *sys.argv[1:]], stdin=subprocess.PIPE)
print(child.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def environment(tmp_path):
    others = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    return others | {"PREFECT_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT)}


def status_of(process):
    """Return the state and the parent of a process, as /proc has them; None where it is gone."""
    try:
        state, parent = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[:2]
    except OSError:
        return None
    return None if state == "Z" else (state, int(parent))  # Z: ended, and nobody waits for it


def is_gone(process, seconds=10):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not status_of(process):
            return True
        time.sleep(0.05)
    return False


def test_called_from_python_a_flow_has_a_closed_server_whatever_the_proxy(
    photos, environment, tmp_path
):
    proxies = dict.fromkeys(["http_proxy", "HTTPS_PROXY", "ALL_PROXY"], DEAD_PROXY)
    done = subprocess.run(
        [sys.executable, "-c", FROM_PYTHON, environment["PREFECT_HOME"]],
        env=environment | proxies,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told == {
        "own": 7,
        "images": 30,
        "analytics": False,
        "status": [200, 401],
        "allowed": [None, None],
    }


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM])
def test_a_program_ends_with_its_parent(sign, tmp_path):
    child = [ends_with_parent.__file__, "http.server", "--bind", "127.0.0.1", "0"]
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, *child], stdout=subprocess.PIPE, cwd=tmp_path
    ) as parent:
        process = int(parent.stdout.readline())
        time.sleep(0.5)
        os.kill(process, 0)
        parent.send_signal(sign)
    assert is_gone(process)


def test_a_server_ends_with_a_command_that_is_killed(photos, environment, tmp_path):
    command = [sys.executable, "-m", "flows.extract", str(photos), "--engine", "keras"]
    command += ["--batch-size", "1", "--image-size", "1024"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, **quiet) as process:
        try:
            server = server_of(process)
        finally:
            process.kill()
    assert is_gone(server)


def test_a_server_that_is_killed_while_flows_run_is_started_again(environment, tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", SERVED], env=environment, cwd=tmp_path, stdout=subprocess.PIPE
    ) as process:
        first = server_of(process)
        api = process.stdout.readline().decode().strip()
        os.kill(first, signal.SIGKILL)
        assert is_gone(first)
        assert answers(api)
        second = server_of(process)
        assert second != first
        process.terminate()
    assert is_gone(second)


def answers(api, seconds=90):
    """Return whether a server answers in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with suppress(httpx.TransportError):
            return httpx.get(f"{api}/health", trust_env=False).is_success
        time.sleep(0.2)
    return False


def server_of(process, seconds=60):
    """Return the id of the temporary server that a process starts."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            status = status_of(path.parent.name)
            if status and status[1] == process.pid and b"uvicorn" in path.read_bytes():
                return int(path.parent.name)
        time.sleep(0.1)
    raise TimeoutError("no server")


def test_a_server_that_ends_before_it_answers_is_one_line_at_once(run, tmp_path):
    # The database of a machine that answers nothing: Prefect itself tries again for two minutes.
    nowhere = "postgresql+asyncpg://nobody:none@127.0.0.1:9/none"
    alone = {
        PREFECT_API_URL: None,
        PREFECT_HOME: tmp_path,
        PREFECT_API_DATABASE_CONNECTION_URL: nowhere,
    }
    with temporary_settings(alone):
        code, _, errors = run("maintain", "list")
    assert (code, errors.count("\n")) == (1, 1), errors
    assert "the temporary Prefect server ended with exit code 3 before it answered (" in errors
    assert "PREFECT_API_URL" not in errors


def test_a_database_of_a_later_version_is_one_line_before_a_server_starts(run, tmp_path):
    (tmp_path / "prefect.db").write_bytes(b"no database" * 1000)
    began = time.monotonic()
    with temporary_settings({PREFECT_API_URL: None, PREFECT_HOME: tmp_path}):
        code, _, errors = run("maintain", "list")
    assert (code, errors.count("\n")) == (2, 1), errors
    assert f"{tmp_path}/prefect.db: expected Prefect's database" in errors
    assert time.monotonic() - began < 20


def test_an_interrupt_while_it_ends_kills_it_without_a_traceback(monkeypatch):
    """The kind: Ctrl-C as the command is over already."""
    server = TemporaryServer(port=1)
    server.server_process = sleeping = subprocess.Popen(["sleep", "60"])

    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(SubprocessASGIServer, "stop", interrupted)
    server.stop()
    assert sleeping.poll() == -signal.SIGKILL
