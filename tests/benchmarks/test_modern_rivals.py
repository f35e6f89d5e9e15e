"""What is compared with PyTorch and ONNX Runtime is the same work."""

import json
import math
import os
import subprocess
import sys

import pytest

from benchmarks.modern import started
from benchmarks.modern_rivals import TIMM_NAMES, lacking
from tasks.backbones.registry import find_backbone
from tests.support.places import ROOT

# In a process of its own: with TensorFlow in the same one, the import of PyTorch crashes.
THEIRS = """
import json, sys
import torch
from benchmarks.modern_rivals import timm_network
found = []
def look(layer, _, output):
    out, each, *kernel = layer.weight.shape
    found.append([*kernel, each * layer.groups, out, layer.groups, *output.shape[2:]])
model = timm_network(sys.argv[1])
for module in model.modules():
    if isinstance(module, torch.nn.Conv2d):
        module.register_forward_hook(look)
model(torch.zeros(1, 3, 96, 96))
print(json.dumps(sorted(found)))
"""


def convolutions(model):
    """Return each convolution's kernel, channels, groups, and size of its output."""
    found = []
    for layer in model.layers:
        if "Conv2D" in type(layer).__name__:
            *kernel, channels, out = layer.kernel.shape
            deep = type(layer).__name__ == "DepthwiseConv2D"
            groups, out = (channels, channels * out) if deep else (1, out)
            found.append([*kernel, channels, out, groups, *layer.output.shape[1:3]])
    return sorted(found)


@pytest.mark.skipif(bool(lacking()), reason="the extra [rivals] is not installed")
@pytest.mark.parametrize("backbone", TIMM_NAMES)
def test_the_rivals_network_has_the_convolutions_of_ours(backbone):
    ours = convolutions(find_backbone(backbone).build((96, 96)))
    done = subprocess.run(
        [sys.executable, "-c", THEIRS, backbone],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ours
    assert sum(map(math.prod, ours)) > 10**7


def test_a_rival_that_ends_says_why(tmp_path):
    with (
        pytest.raises(RuntimeError, match=r"fast.* ended: KeyError: 'fast'"),
        started("fast", tmp_path / "state", {}) as run,
    ):
        run(tmp_path)
