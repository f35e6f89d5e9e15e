"""`--help`: grouped, the same as the flow's own parser shows, and without the flow's imports."""

import subprocess
import sys
from io import StringIO

import pytest
from rich.console import Console

from flows.cli.command_line import make_app
from flows.cli.help import command_of
from flows.cli.parser import make_parser
from gargalo.public_names import commands, function_names
from tests.support.flows import flow_of
from tests.support.places import ROOT

FLOWS = sorted(function_names() & commands().keys())
HEAVY = {"prefect", "tensorflow", "keras", "sklearn", "scipy", "pyarrow", "h5py", "numpy"}
GROUPS = ["Arguments", "Most used", "Data", "Features", "Head", "Run", "Output"]
BY_MODULE = [["-m", f"flows.{name}"] for name in commands()]
GARGALO = ["-c", "from gargalo.cli import main; main()"]


def shown_by(app):
    """Return the help that an app prints."""
    console = Console(file=StringIO(), width=100)
    app.help_print([], console=console)
    return console.file.getvalue()


def groups_in(shown):
    return [line.strip("╭─╮ ") for line in shown.splitlines() if line.startswith("╭")]


@pytest.mark.parametrize(
    "command",
    [*(["-m", f"flows.{name}"] for name in commands()), [*GARGALO, "extract"]],
    ids=" ".join,
)
def test_help_imports_nothing_heavy(command):
    """The kind: one import too many, and `--help` takes seconds."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *command, "--help"],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "flows.cli.parser" in imported
    assert imported & HEAVY == set()
    assert groups_in(done.stdout)[-1] == "Output"
    typed = (
        " ".join(command).replace("-m", "python -m") if command in BY_MODULE else "gargalo extract"
    )
    assert done.stdout.startswith(f"Usage: {typed}")


@pytest.mark.parametrize("name", FLOWS)
def test_help_is_that_of_the_flow_in_groups(name):
    function, has_json = command_of((ROOT / "flows" / f"{name}.py").read_text())
    assert has_json
    shown = shown_by(
        make_parser(function, f"python -m flows.{name}", lambda _given, _as_json: None)
    )
    assert shown == shown_by(make_app(flow_of(name), str))
    groups = groups_in(shown)
    assert groups == [group for group in GROUPS if group in groups]
    assert {"Arguments", "Most used", "Output"} <= set(groups)
    assert "parameters" not in shown.lower()


def test_after_two_dashes_nothing_is_a_flag():
    done = subprocess.run(
        [sys.executable, "-m", "flows.runs", "show", "--store", "nowhere", "--", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
