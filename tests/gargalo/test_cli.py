"""The command `gargalo`: its list of commands, and the flow that it runs."""

import os
import subprocess
import sys

import pytest

from gargalo.public_names import commands, function_names
from tests.support.places import ROOT


def gargalo(*arguments, cwd=ROOT, **variables):
    code = "from gargalo.cli import main; main()"
    command = [sys.executable, "-P", "-c", code, *arguments]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", **variables}
    return subprocess.run(
        command, cwd=cwd, env=environment, check=False, capture_output=True, text=True
    )


def test_each_command_is_a_flow_with_a_line_of_help_and_all_but_the_server_an_example():
    flows = {p.stem for p in (ROOT / "flows").glob("*.py") if '"__main__"' in p.read_text()}
    assert set(commands()) == flows
    # `next` is a built-in function of Python's.
    assert set(function_names()) == flows - {"server", "next"} | {"features", "next_images"}


def test_the_commands_are_listed_in_the_order_of_the_work():
    listed = [line.split()[0] for line in gargalo("--help").stdout.splitlines() if line[:2] == "  "]
    assert listed == list(commands())
    assert listed[:3] == ["ingest", "extract", "train"]


def test_a_reader_that_has_ended_is_no_error():
    reader, writer = os.pipe()
    os.close(reader)
    code = "from gargalo.cli import main; main()"
    command = [sys.executable, "-c", code, "--help"]
    done = subprocess.run(command, cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("name", "hint"), [("extrct", "did you mean extract?"), ("x", "gargalo --help lists")]
)
def test_an_unknown_command_is_one_line_and_exit_code_2(name, hint):
    done = gargalo(name)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: unknown command '{name}': {hint}")
    assert done.stderr.count("\n") == 1


def test_a_command_is_the_flow_whatever_modules_lie_in_the_current_folder(tmp_path):
    """The kind: a user's own `tasks.py` is taken for this project's."""
    for name in ("tasks", "stores", "flows"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the wrong module')")
    done = gargalo("runs", "list", "--store", "nowhere", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: nowhere: there is no store")


def test_it_is_a_program_as_python_m_is(tmp_path):
    """The kind: what a flow does before its first import is not done by the other door."""
    done = gargalo("maintain", "list", PREFECT_LOGGING_LEVEL="LOUD")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: PREFECT_LOGGING_LEVEL: ")
    assert done.stderr.count("\n") == 1
