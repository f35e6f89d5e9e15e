"""The quantised backbone of `--precision int8`: made before the job of an extraction is settled."""

from typing import cast

from flows.cli.progress import announce
from flows.parameters.features import ComputeParameters
from flows.parameters.seeds import seed_for
from stores.manifest import Manifest
from stores.quantized import Gate, Quantized
from tasks.execution.steps import quote
from tasks.features.engines.choice import check_precision
from tasks.features.job import check_gate
from tasks.quantization.drawn_images import CALIBRATION_IMAGES, GATE_IMAGES
from tasks.quantization.quantize import is_quantized, quantize_task


def quantize_stage(manifest: Manifest, parameters: ComputeParameters) -> Gate | None:
    """Quantise the backbone for a data set where int8 is asked for, and it is not kept yet.

    Returns what int8 costs and gains; None at another precision. Raises InputError for an engine
    that computes no int8, and where that costs too much or gains nothing.
    """
    if parameters.precision != "int8":
        return None
    check_precision(parameters.engine, parameters.precision)
    store = parameters.store.absolute()
    seed = seed_for(parameters.seed, manifest)
    request = parameters.request(weights_seed=seed, dataset=manifest.name)
    if not is_quantized(manifest, request, store=store):
        there = len(manifest.select("train").keys)
        images = min(CALIBRATION_IMAGES, there) + min(GATE_IMAGES, there)
        announce(images, doing="quantising and measuring")
    model = cast(Quantized, quantize_task(quote(manifest), quote(request), store=store))
    check_gate(model)
    return model.gate
