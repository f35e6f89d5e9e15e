"""What is wrong with Prefect's settings is one line, wherever Prefect would read them."""

import os
import subprocess
import sys

import pytest

from flows.orchestration.first_import import import_prefect
from tasks.errors import InputError

LEVEL = "Input should be 'DEBUG', 'INFO', 'WARNING', 'ERROR' or 'CRITICAL'. Received: 'LOUD'"


@pytest.fixture
def home(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("PREFECT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    monkeypatch.delitem(sys.modules, "prefect")
    monkeypatch.chdir(tmp_path)
    return tmp_path


NAMES = ("profiles.toml", "logging.yml", "prefect.toml", "pyproject.toml")


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
@pytest.mark.parametrize("name", NAMES)
def test_what_is_no_file_is_not_waited_for(home, name, make):
    """The kind: a traceback, or no end, while Prefect is imported."""
    make(home / name)
    with pytest.raises(InputError, match=rf"{name}: a (pipe|folder), expected a file of Prefect"):
        import_prefect()


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith("toml")])
@pytest.mark.parametrize("content", [b"[[[", b"\xff", b"a = " + b"[" * 5000])
def test_what_is_no_toml_is_named(home, name, content):
    (home / name).write_bytes(content)
    with pytest.raises(InputError, match=f"{name}: expected TOML"):
        import_prefect()


@pytest.mark.parametrize("content", ["profiles = [1]", "[profiles]\na = 1", "active = [1]"])
def test_profiles_that_are_no_tables_are_named(home, content):
    (home / "profiles.toml").write_text(content)
    with pytest.raises(InputError, match="expected a table of settings for each profile"):
        import_prefect()


@pytest.mark.parametrize("name", ["1" * 300, "loop"])
def test_a_home_that_is_no_path_is_named(home, monkeypatch, name):
    (home / "loop").symlink_to("loop")
    monkeypatch.setenv("PREFECT_HOME", str(home / name))
    with pytest.raises(InputError, match="set PREFECT_HOME to a folder with write permission"):
        import_prefect()


def ended(home, *command, **variables):
    done = subprocess.run(
        [sys.executable, *command],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)} | variables,
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr.splitlines()


def test_a_variable_that_no_setting_may_have_is_named(home):
    code, told = ended(home, "-m", "flows.maintain", "list", PREFECT_LOGGING_LEVEL="LOUD")
    assert code == 2
    assert told == [f"error: PREFECT_LOGGING_LEVEL: {LEVEL}; correct or unset it"]


def test_a_profile_that_no_setting_may_have_is_named_in_python_too(home):
    profile = home / "profiles.toml"
    profile.write_text('active = "a"\n[profiles.a]\nPREFECT_LOGGING_LEVEL = "LOUD"\n')
    code, told = ended(home, "-c", "from flows.pipeline import pipeline; pipeline.prefect")
    assert code == 1
    assert told[-1].startswith(f"tasks.errors.InputError: Prefect's setting 'level': {LEVEL}; ")
    assert told[-1].endswith(str(profile))
    assert len(told) < 20
