"""NNCF reports to nobody, prints nothing, and leaves the logging as it was."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("tasks.execution.quiet_nncf", reason="needs the extra int8")
ROOT = Path(__file__).parents[3]
# In a process of its own, for NNCF has no telemetry where pytest runs.
QUANTISE = """
import logging, socket, sys
import numpy as np
def refuse(*arguments): raise SystemExit(f"a connection to {arguments[1:]}")
socket.socket.connect = refuse
socket.getaddrinfo = refuse
from tasks.execution.quiet_nncf import nncf
from tasks.execution.quiet_openvino import ov
ops = ov.opset13
images = ops.parameter([1, 8, 8, 3], np.float32)
kernel = ops.constant(np.ones((4, 3, 3, 3), np.float32))
maps = ops.convolution(ops.transpose(images, [0, 3, 1, 2]), kernel, [1, 1], [0, 0], [0, 0], [1, 1])
model = ov.Model([maps], [images], "one")
some = [np.full((1, 8, 8, 3), value, np.float32) for value in range(9)]
quantised = nncf.quantize(model, nncf.Dataset(some), subset_size=9)
assert any(node.get_type_name() == "FakeQuantize" for node in quantised.get_ops())
assert logging.getLoggerClass() is logging.Logger
assert not [name for name in sys.modules if name.startswith("openvino_telemetry")]
"""


def test_nncf_writes_no_identity_asks_no_network_and_prints_nothing(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    environment = os.environ | {"HOME": str(home), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", QUANTISE]
    done = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert not (home / "intel").exists()
    assert list(tmp_path.iterdir()) == [home]


def test_no_other_module_imports_nncf():
    """The kind: a test that asks whether NNCF is there would report, too."""
    rooms = ("stores", "tasks", "flows", "gargalo", "deployments", "benchmarks", "tests")
    files = [file for room in rooms for file in (ROOT / room).rglob("*.py")]
    importing = re.compile(
        r"^\s*(?:import|from) nncf\b|importorskip\(\s*.(?:nncf|openvino)\b", re.MULTILINE
    )
    found = [file for file in files if importing.search(file.read_text(encoding="utf-8"))]
    assert found == [ROOT / "tasks/execution/quiet_nncf.py"]
