import os
import signal
import subprocess
import sys

import pytest
from prefect.settings import PREFECT_HOME, temporary_settings

pytestmark = pytest.mark.server


def test_a_home_that_cannot_be_written_is_one_line_and_exit_code_2(run, tmp_path):
    (tmp_path / "file").touch()
    home = tmp_path / "file" / "home"
    with temporary_settings({PREFECT_HOME: home}):
        code, _, errors = run("maintain", "list")
    assert code == 2
    assert f"cannot write {home}, where Prefect keeps its state" in errors
    assert errors.count("\n") == 1


@pytest.fixture
def extracting(photos, prefect_environment):
    """An extraction that takes a while, with a temporary server, in a process group of its own."""
    environment = {n: v for n, v in prefect_environment.items() if n != "PREFECT_API_URL"}
    flags = ["--engine", "keras", "--batch-size", "1", "--image-size", "1024"]
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.extract", str(photos), *flags],
        cwd=photos.parent,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    yield process
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def test_an_interrupt_from_the_terminal_ends_the_flow_before_its_server(extracting):
    said = next(line for line in extracting.stderr if line.startswith("extracting: "))
    assert "of 30 images" in said  # and not yet all of them
    os.killpg(extracting.pid, signal.SIGINT)  # as a terminal: the server gets it too
    _, errors = extracting.communicate(timeout=60)
    told = [line for line in errors.splitlines() if not line.startswith("extracting: ")]
    assert told == ["interrupted; finished work is kept; run the command again to resume"]
    assert extracting.returncode == 130
