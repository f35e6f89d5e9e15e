"""This project's packages are found whatever modules of their names lie in the current folder."""

import subprocess
import sys

import pytest

from tests.support.places import ROOT

OWN = ("flows", "stores", "tasks")


def python(code, folder):
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        check=False,
        capture_output=True,
        text=True,
    )


@pytest.fixture
def folder(tmp_path):
    """A folder with modules of all their names."""
    for name in OWN:
        (tmp_path / f"{name}.py").write_text(f"print('the wrong {name}')")
    return tmp_path


def test_a_users_own_modules_are_not_taken_for_them(folder):
    done = python("import gargalo; print(gargalo.InputError('x'), gargalo.StoreError('y'))", folder)
    assert (done.returncode, done.stdout, done.stderr) == (0, "x y\n", "")


@pytest.mark.parametrize("name", OWN)
def test_a_module_that_was_imported_before_is_refused_by_name(folder, name):
    done = python(f"import {name}, gargalo", folder)
    assert done.returncode == 1
    told = done.stderr.splitlines()[-1]
    assert told.startswith(f"ImportError: gargalo has a package '{name}', but another module")
    assert str(folder / f"{name}.py") in told


def test_packages_of_its_own_may_be_imported_before(tmp_path):
    done = python("import tasks.errors, gargalo; gargalo.InputError", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
