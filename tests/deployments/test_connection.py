"""What one is told who has no server, an old one, or no work pool."""

import json
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from prefect import __version__
from prefect.client.schemas.objects import WorkPool
from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings

from deployments.connection import server
from deployments.pool import check_pool
from tasks.errors import InputError
from tests.support.places import ROOT

pytestmark = pytest.mark.server


class OldServer(BaseHTTPRequestHandler):
    """Answers as a Prefect server of the second major version, whoever asks."""

    version = "2.20.9"

    def do_GET(self):
        content = json.dumps(self.version).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def run(tmp_path):
    def run(module, *arguments, address):
        own = {"PREFECT_HOME": str(tmp_path), "PREFECT_API_URL": address}
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            env=os.environ | own,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stderr

    return run


class OpenServer(OldServer):
    version = __version__


@contextmanager
def answering(handler):
    server = HTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/api"
    server.shutdown()
    server.server_close()


@pytest.fixture
def old_server():
    with answering(OldServer) as address:
        yield address


@pytest.mark.parametrize("module", ["deployments.deploy", "deployments.worker"])
def test_no_server_is_one_line_with_the_way_to_start_one(run, module):
    code, errors = run(module, address="http://127.0.0.1:1/api")
    assert (code, errors.count("\n")) == (1, 1), errors
    assert "http://127.0.0.1:1/api" in errors
    assert "python -m flows.server" in errors
    assert "unset" not in errors  # deployments need one


def test_deployments_need_a_server_that_stays(run):
    code, errors = run("deployments.deploy", address="")
    assert (code, errors.count("\n")) == (2, 1), errors
    assert "PREFECT_API_URL is not set" in errors


def test_a_pool_of_another_type_is_refused():
    check_pool(WorkPool(name="gargalo", type="process"))
    with pytest.raises(InputError, match="'gargalo' is of type docker, expected process: delete"):
        check_pool(WorkPool(name="gargalo", type="docker"))


def test_a_server_that_answers_anybody_is_one_warning(tmp_path, capfd):
    with answering(OpenServer) as address:
        settings = {PREFECT_API_URL: address, PREFECT_HOME: tmp_path}
        with temporary_settings(settings), server():
            pass
    errors = capfd.readouterr().err
    assert errors.count("\n") == 1
    assert f"the Prefect server at {address} answers without an auth string" in errors


def test_an_old_server_is_one_line(run, old_server, tmp_path):
    code, errors = run("deployments.deploy", address=old_server)
    assert (code, errors.count("\n")) == (1, 1), errors
    assert "server: 2.20.9" in errors
    code, errors = run("flows.ingest", str(ROOT / "tests"), address=old_server)
    assert (code, errors.count("\n")) == (1, 1), errors
    assert "incompatible versions" in errors


@pytest.mark.parametrize(
    "module", ["deployments.deploy", "deployments.worker", "deployments.serve", "flows.server"]
)
def test_asked_for_help_or_for_what_it_has_not_it_starts_nothing(run, module):
    assert run(module, "--help", address="") == (0, "")
    code, errors = run(module, "--nonsense", address="")
    assert (code, errors.count("\n")) == (2, 1), errors
    assert "--nonsense" in errors
