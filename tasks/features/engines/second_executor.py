"""A second way to compute the features of a backbone from a file, to compare the engine with.

It is onnxruntime for an ONNX file where that and `onnx` are installed, with preprocessing and
pooling in NumPy. Half precision is raised to float32 for it, as OpenVINO does: what each would
round in between is not the same. Else it is OpenVINO again, one image at a time, with nothing done
for speed.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stores.features.recipe import Pooling
from tasks.backbones.files.backbone import FileBackbone, of_recipe
from tasks.backbones.files.network import features_model
from tasks.backbones.files.onnx_graph import read_in_float32, tensor_named
from tasks.execution.onnx_extra import has_onnx, onnx_session
from tasks.execution.quiet_openvino import CORE
from tasks.features.engines import Job

log = logging.getLogger("gargalo.extract")

Pixels = NDArray[np.float32]
Executor = Callable[[Pixels], list[NDArray[np.float32]]]

_PLAIN = {
    "EXECUTION_MODE_HINT": "ACCURACY",
    "INFERENCE_PRECISION_HINT": "f32",
    "NUM_STREAMS": "1",
    "INFERENCE_NUM_THREADS": 1,
}


def second_executor(job: Job) -> tuple[Executor, str]:
    """Return a function from pixels (n, height, width, 3) to each recipe's rows, and its name."""
    backbone = of_recipe(job.recipes[0])
    if backbone.kind == "onnx" and has_onnx():
        try:
            other = _by_onnxruntime(job, backbone)
        except Exception as error:  # noqa: BLE001  it has classes of errors of its own
            reason = " ".join(str(error).split())[:200]
            log.info("onnxruntime cannot compute %s: %s", job.weights.path, reason)
            other = None
        if other:
            return other
    return _by_openvino(job, backbone), "OpenVINO at its most accurate"


def _by_openvino(job: Job, backbone: FileBackbone) -> Executor:
    outputs = [(recipe.tap, recipe.pooling) for recipe in job.recipes]
    size = job.recipes[0].image_size
    model = features_model(Path(job.weights.path), backbone, outputs, image_size=size, rows=1)
    compiled = CORE.compile_model(model, "CPU", _PLAIN)

    def compute(pixels: Pixels) -> list[NDArray[np.float32]]:
        found = [compiled(pixels[n : n + 1]) for n in range(len(pixels))]
        return [np.concatenate([rows[k] for rows in found]) for k in range(len(outputs))]

    return compute


def _by_onnxruntime(job: Job, backbone: FileBackbone) -> tuple[Executor, str] | None:
    """Return onnxruntime's session as a function, or None where it would compute something else.

    This is so for bfloat16, and for an image size that is not the file's.
    """
    import onnx

    path = Path(job.weights.path)
    model, raised = read_in_float32(path)
    kinds = {one.data_type for one in model.graph.initializer}
    names = [tensor_named(model.graph, recipe.tap) for recipe in job.recipes]
    if onnx.TensorProto.BFLOAT16 in kinds or None in names:
        return None
    del model.graph.output[:]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in dict.fromkeys(names))
    session = onnx_session(model.SerializeToString(), path.parent)
    (images,) = session.get_inputs()
    batch, *sides = images.shape
    size = job.recipes[0].image_size
    own = (3, *size) if backbone.layout == "NCHW" else (*size, 3)
    if any(isinstance(side, int) and side != n for side, n in zip(sides, own, strict=True)):
        return None
    poolings = [recipe.pooling for recipe in job.recipes]

    def compute(pixels: Pixels) -> list[NDArray[np.float32]]:
        prepared = prepare(pixels, backbone)
        rows = batch if isinstance(batch, int) else len(prepared)
        found = [
            session.run(names, {images.name: _filled(prepared[n : n + rows], rows)})
            for n in range(0, len(prepared), rows)
        ]
        joined = [np.concatenate(some)[: len(pixels)] for some in zip(*found, strict=True)]
        return [pool(some, how, backbone) for some, how in zip(joined, poolings, strict=True)]

    return compute, "onnxruntime in float32" if raised else "onnxruntime"


def prepare(pixels: Pixels, backbone: FileBackbone) -> Pixels:
    """Return pixels (n, height, width, 3), 0 to 255, as a network takes them."""
    ordered = pixels[..., ::-1] if backbone.channels == "bgr" else pixels
    scaled = (ordered * backbone.scale - np.array(backbone.mean)) / np.array(backbone.std)
    placed = scaled.transpose(0, 3, 1, 2) if backbone.layout == "NCHW" else scaled
    return np.ascontiguousarray(placed, np.float32)


def pool(rows: NDArray[Any], pooling: Pooling, backbone: FileBackbone) -> NDArray[np.float32]:
    """Return a tap's output pooled: a map, tokens (n, tokens, channels), or a vector."""
    nchw = backbone.map_layout == "NCHW"
    if rows.ndim == 2:
        return np.asarray(rows, np.float32)
    special = backbone.class_token + backbone.register_tokens
    pooled: dict[Pooling, Callable[[], Any]] = {
        "none": lambda: rows.transpose(0, 2, 3, 1) if rows.ndim == 4 and nchw else rows,
        "avg": lambda: rows.mean(axis=(2, 3) if nchw else (1, 2)),
        "max": lambda: rows.max(axis=(2, 3) if nchw else (1, 2)),
        "cls": lambda: rows[:, 0],
        "mean-tokens": lambda: rows[:, special:].mean(axis=1),
        "cls+mean": lambda: np.concatenate([rows[:, 0], rows[:, special:].mean(axis=1)], axis=1),
    }
    return np.asarray(pooled[pooling](), np.float32)


def _filled(some: Pixels, rows: int) -> Pixels:
    """Return images filled up to a batch, by the last one."""
    return np.concatenate([some, *[some[-1:]] * (rows - len(some))])
