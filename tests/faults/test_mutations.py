"""The tests notice mistakes: each is made in a copy of the source, where a named test must fail."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from tests.faults.conftest import FULL
from tests.faults.mutations import MUTATIONS, QUICK
from tests.support.places import ROOT

TRIED = MUTATIONS if FULL else QUICK
PROBE = """
import subprocess, sys
from pathlib import Path
import flows, stores, tasks, tests.faults.mutations

def test_probe():
    here = str(Path(__file__).parents[1])
    for module in flows, stores, tasks, tests.faults.mutations:
        assert module.__file__.startswith(here)
    command = [sys.executable, "-c", "import stores; print(stores.__file__)"]
    assert subprocess.check_output(command, text=True).startswith(here)
"""


@pytest.fixture
def tree(tmp_path):
    """A copy of the source and its tests."""
    ignore = shutil.ignore_patterns("__pycache__")
    for name in ("stores", "tasks", "flows", "tests"):
        shutil.copytree(ROOT / name, tmp_path / "copy" / name, ignore=ignore)
    shutil.copy(ROOT / "pyproject.toml", tmp_path / "copy")
    return tmp_path / "copy"


def run_tests(tree, *tests):
    """Run tests of a copy; return pytest's exit code, and the names of those that failed."""
    inherited = {name: value for name, value in os.environ.items() if "PYTEST" not in name}
    settings = {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1", "GARGALO_FAULTS": ""}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-rfE", *tests],
        cwd=tree,
        env=inherited | settings,
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    print(done.stdout[-5000:], done.stderr[-2000:])
    failed = re.findall(r"^(?:FAILED|ERROR) (.*?)(?: - .*)?$", done.stdout, re.MULTILINE)
    return done.returncode, failed


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_mutation_is_still_one(mutation):
    assert (ROOT / mutation.file).read_text().count(mutation.old) == 1
    path, name = mutation.test.split("::")
    assert f"def {name.partition('[')[0]}(" in (ROOT / path).read_text()


def test_the_copy_is_what_is_tested_and_without_a_mutation_the_named_tests_pass(tree):
    (tree / "tests/test_probe.py").write_text(PROBE)
    named = {mutation.test for mutation in TRIED}
    assert run_tests(tree, "tests/test_probe.py", *named) == (0, [])


@pytest.mark.parametrize("mutation", TRIED, ids=lambda mutation: mutation.name)
def test_a_mutation_is_noticed(tree, mutation):
    path = tree / mutation.file
    path.write_text(path.read_text().replace(mutation.old, mutation.new))
    code, failed = run_tests(tree, mutation.test)
    assert code == pytest.ExitCode.TESTS_FAILED
    assert failed
    assert all(name.startswith(mutation.test) for name in failed)
