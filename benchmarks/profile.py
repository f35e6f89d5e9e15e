"""Where the forward pass spends its time: why a figure cannot be reached on a machine."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.timing import Finding
from tasks.execution.quiet_openvino import CORE

CALLS = 40


def forward_profile(group: str, store: Path, precision: str) -> Iterator[Finding]:
    """Tell by how much matrix products fill the forward pass of the store's newest model."""
    models = sorted((store / "engines").rglob("model.xml"), key=lambda path: path.stat().st_mtime)
    if not models:  # Keras computed
        return
    settings = {
        "INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[precision],
        "NUM_STREAMS": 1,
        "INFERENCE_NUM_THREADS": 1,
        "PERF_COUNT": True,
    }
    compiled = CORE.compile_model(models[-1], "CPU", settings)
    request = compiled.create_infer_request()
    pixels = np.random.default_rng(0).uniform(0, 255, tuple(compiled.inputs[0].shape))
    seconds: Counter[str] = Counter()
    kernels: Counter[str] = Counter()
    for _ in range(CALLS):
        request.infer({0: pixels.astype(np.float32)})
        for node in request.profiling_info:
            seconds[node.node_type] += node.real_time.total_seconds()
            kernels[node.exec_type] += node.real_time.total_seconds()
    products = sum(seconds[kind] for kind in ("Convolution", "GroupConvolution", "MatMul"))
    remark = f"most of it in {kernels.most_common(1)[0][0]}"
    share = 100 * products / seconds.total()
    yield Finding(group, "share of convolutions in the forward pass", (share,), "%", "", remark)
