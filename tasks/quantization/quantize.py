"""Quantise a backbone for a data set, once; the outcome and its gate's verdict are kept."""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stores.layout import locate
from stores.manifest import Manifest
from stores.quantized import MODEL, PROBE, Gate, Made, Quantized, find_kept, keeping
from stores.storage.location import StoreLike
from stores.storage.publish import check_writable
from tasks.errors import ExtractionError, InputError
from tasks.execution.steps import shown_as_cached, task
from tasks.features.engines import Job, load_engine
from tasks.features.job import asked_for, check_int8, make_job
from tasks.features.request import FeatureRequest
from tasks.quantization.drawn_images import CALIBRATION_IMAGES, Drawn
from tasks.quantization.gate import measured_gate


def quantize(manifest: Manifest, request: FeatureRequest, *, store: StoreLike) -> Quantized:
    """Return the quantised model that a request at int8 is for, which is made unless it is kept.

    Its gate may refuse it. Raises InputError for several taps, too few images, or without the extra
    `int8`; ExtractionError where the backbone cannot be quantised; CorruptStore where one is kept
    and damaged.
    """
    root = locate(store)
    job = float32_job(request, store=root)
    asked = asked_for(request, job.recipes[0])
    if kept := find_kept(root, asked):
        return kept
    check_installed()
    drawn = Drawn.of(manifest)
    check_writable((root / "quantized").path)
    made = Made(
        calibration=drawn.calibration_keys,
        images=min(CALIBRATION_IMAGES, len(drawn.images.keys)),
        seed=drawn.seed,
        nncf=_nncf().__version__,
    )
    graph, probed, gate = _made(drawn, job)
    from tasks.execution.quiet_openvino import ov

    with keeping(root, asked, made=made, gate=gate) as draft:
        ov.save_model(graph, draft / MODEL, compress_to_fp16=False)
        np.save(draft / PROBE, probed, allow_pickle=False)
    found = find_kept(root, asked)
    if found is None:
        raise ExtractionError(f"{root}: the quantised model is gone as soon as it was kept")
    return found


def float32_job(request: FeatureRequest, *, store: StoreLike) -> Job:
    """Return the job of a request at int8 as it is at float32."""
    check_int8(request)
    plain = replace(request, precision="float32", dtype="float32")
    return make_job(plain, store=store, engine="openvino")


def is_quantized(_manifest: Manifest, request: FeatureRequest, *, store: StoreLike) -> bool:
    """Return whether the model that a request is for is kept."""
    (recipe,) = float32_job(request, store=store).recipes
    return find_kept(locate(store), asked_for(request, recipe)) is not None


quantize_task = task(
    name="quantise", task_run_name="quantise {request.backbone} for {request.dataset}"
)(shown_as_cached(quantize, if_stored=is_quantized))


def check_installed() -> None:
    """Raise InputError without the extra `int8`."""
    try:
        _nncf()
    except ImportError as error:
        raise InputError(
            f"--precision int8: NNCF is not installed ({error}); run pip install 'gargalo[int8]'"
        ) from error


def _made(drawn: Drawn, job: Job) -> tuple[Any, NDArray[np.float32], Gate]:
    """Return a quantised graph, its rows of the probe, and what it costs and gains."""
    from tasks.features.engines.int8_engine import Int8Engine

    (recipe,) = job.recipes
    float32 = load_engine(job)
    pixels = drawn.calibration(recipe)
    graph = quantized_graph(job, pixels)
    int8 = Int8Engine.of(graph.clone(), recipe)
    probed = int8.probed(recipe)
    gate = measured_gate(drawn, recipe, float32=float32, int8=int8, calibration=pixels)
    return graph, probed, gate


def quantized_graph(job: Job, pixels: NDArray[np.uint8]) -> Any:  # noqa: ANN401  OpenVINO's model
    """Return a job's backbone quantised by NNCF, calibrated on pixels (n, height, width, 3).

    All layers are quantised. MobileNetV2 at 160 with its first convolution in float was as quick,
    and as far from float32 (0.230 of a row's norm in the mean, else 0.237); with its last one, a
    quarter slower. Accuracies were equal, to 2 of 800 images. Raises ExtractionError where NNCF
    cannot.
    """
    from tasks.features.engines.keras_engine import KerasEngine
    from tasks.features.engines.openvino_engine import at_once

    nncf = _nncf()
    model = at_once(KerasEngine(job), rows=1)
    images = nncf.Dataset(range(len(pixels)), partial(_one, pixels))
    try:
        return nncf.quantize(
            model, images, preset=nncf.QuantizationPreset.MIXED, subset_size=len(pixels)
        )
    except Exception as error:  # any error of a library
        reason = " ".join(str(error).split())[:300]
        raise ExtractionError(
            f"--precision int8: {job.recipes[0].backbone} cannot be quantised: {reason}; use "
            "--precision bfloat16 or float32"
        ) from error


def _one(pixels: NDArray[np.uint8], place: int) -> NDArray[np.float32]:
    return pixels[place : place + 1].astype(np.float32)


def _nncf() -> Any:  # noqa: ANN401  a module without types
    from tasks.execution.quiet_nncf import nncf

    return nncf
