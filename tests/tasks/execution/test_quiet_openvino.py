"""OpenVINO reports to nobody, seen in a process with an empty home, and has one core."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
# What is converted tells of telemetry; two engines that end in their order, of signals.
_CONVERT = """
import sys
from tasks.execution.checked_keras import tf
from tasks.features.engines.openvino_engine import converted
spec = tf.TensorSpec((1, 4), tf.float32)
assert converted(tf.function(lambda x: x * 2).get_concrete_function(spec)).outputs
print([name for name in sys.modules if name.startswith("openvino_telemetry")], flush=True)

import signal
from tasks.features.engines.openvino_engine import OpenVinoEngine
from tasks.features.job import make_job
from tasks.features.request import FeatureRequest
request = FeatureRequest("lenet5", taps=("c1",), weights="none", image_size=16)
job = make_job(request, store=sys.argv[1], engine="openvino")
engines = [OpenVinoEngine(job), OpenVinoEngine(job)]
del engines[0]
del engines[0]
signal.signal(signal.SIGINT, lambda *_: None)
signal.raise_signal(signal.SIGINT)
"""


@pytest.fixture(scope="module")
def process(tmp_path_factory):
    """A process that converts a graph and uses two engines, and the home that it was given."""
    home = tmp_path_factory.mktemp("home")
    environment = os.environ | {"HOME": str(home), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", _CONVERT, tmp_path_factory.mktemp("store")]
    told = {"env": environment, "capture_output": True, "text": True}
    return subprocess.run(command, check=False, **told), home


def test_openvino_writes_no_identity_and_loads_no_telemetry(process):
    done, home = process
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
    assert not (home / "intel").exists()


def test_no_other_module_imports_openvino():
    rooms = ("stores", "tasks", "flows", "gargalo", "deployments", "benchmarks")
    files = [file for room in rooms for file in (ROOT / room).rglob("*.py")]
    importing = re.compile(r"^\s*(?:import|from) openvino\b", re.MULTILINE)
    found = [file for file in files if importing.search(file.read_text(encoding="utf-8"))]
    assert found == [ROOT / "tasks/execution/quiet_openvino.py"]


def test_no_other_module_makes_a_core():
    """The kind: where one of two cores has ended, a signal kills the process."""
    rooms = ("stores", "tasks", "flows", "gargalo", "deployments", "benchmarks", "tests")
    files = [file for room in rooms for file in (ROOT / room).rglob("*.py")]
    made = ("ov" + ".Core()", "openvino" + ".Core()")
    found = [file for file in files if any(one in file.read_text("utf-8") for one in made)]
    assert found == [ROOT / "tasks/execution/quiet_openvino.py"]


def test_a_signal_is_handled_after_engines_have_ended_in_their_order(process):
    done, _ = process
    assert done.returncode == 0, done.stderr
