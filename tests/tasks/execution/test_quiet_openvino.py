"""No library reports to anybody: OpenVINO is used, in a process of its own, with an empty home."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
CONVERT = """
import sys
from tasks.execution.checked_keras import tf
from tasks.features.engines.openvino_engine import converted
spec = tf.TensorSpec((1, 4), tf.float32)
assert converted(tf.function(lambda x: x * 2).get_concrete_function(spec)).outputs
print([name for name in sys.modules if name.startswith("openvino_telemetry")])
"""


def test_openvino_writes_no_identity_and_loads_no_telemetry(tmp_path):
    environment = os.environ | {"HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", CONVERT], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert not (tmp_path / "intel").exists()


def test_no_other_module_imports_openvino():
    rooms = ("stores", "tasks", "flows", "gargalo", "deployments", "benchmarks")
    files = [file for room in rooms for file in (ROOT / room).rglob("*.py")]
    importing = re.compile(r"^\s*(?:import|from) openvino\b", re.MULTILINE)
    found = [file for file in files if importing.search(file.read_text(encoding="utf-8"))]
    assert found == [ROOT / "tasks/execution/quiet_openvino.py"]
