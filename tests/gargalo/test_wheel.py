"""The wheel holds all that the command and the functions need, and what type checkers read."""

import json
import shutil
import subprocess
import sys
import zipfile

import pytest

from tests.support.extraction import write_folder
from tests.support.places import ROOT

SOURCES = ("deployments", "flows", "gargalo", "stores", "tasks", "pyproject.toml", "README.md")
TYPES = {f"{name}/py.typed" for name in ("flows", "gargalo", "stores", "tasks")}
# Whatever connects or starts Python is refused: there is no server. HOME is a new user's.
ALONE = """
import sys
def refuse(event, arguments):
    if event == "socket.connect" or event == "subprocess.Popen" and "python" in str(arguments[1]):
        raise AssertionError((event, arguments))
sys.addaudithook(refuse)
import gargalo, json
result = gargalo.pipeline("photos", head="ridge", image_size=32)
print(json.dumps([gargalo.__file__, result.extract.cached, result.report]))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The folder that the built wheel was unpacked into, as an installation does."""
    pytest.importorskip("wheel")
    folder = tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, folder / name)
    build = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", "built", "."]
    subprocess.run([sys.executable, "-m", "pip", *build], cwd=folder, check=True)
    (built,) = (folder / "built").glob("gargalo-*.whl")
    with zipfile.ZipFile(built) as content:
        content.extractall(folder / "installed")
    return folder / "installed"


@pytest.mark.server
def test_it_works_in_a_folder_with_modules_of_the_same_names(wheel, tmp_path):
    write_folder(tmp_path / "photos")
    for name in ("flows", "stores", "tasks"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the wrong module')")
    environment = {"PYTHONPATH": str(wheel), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}

    def python(*arguments):
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env=environment,
            check=False,
            capture_output=True,
            text=True,
        )

    command = ["-P", "-c", "from gargalo.cli import main; main()", "extract", "photos"]
    done = python(*command, "--image-size", "32", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["computed"] == 20
    done = python("-c", ALONE)
    assert (done.returncode, done.stderr) == (0, "")
    where, cached, report = json.loads(done.stdout)
    assert where.startswith(str(wheel))
    assert cached == 20
    assert (tmp_path / report).is_file()


@pytest.mark.server
def test_it_has_the_types(wheel):
    assert {path.relative_to(wheel).as_posix() for path in wheel.glob("*/py.typed")} == TYPES
    assert (wheel / "gargalo/__init__.pyi").is_file()
