"""Slow imports and model loading, done while a temporary Prefect server starts.

Errors are ignored here: the flow meets them again, and reports them.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from flows.parameters.datasets import DatasetParameters
from flows.parameters.features import AdviseParameters, ExtractParameters
from flows.parameters.finetune import FinetuneParameters
from flows.stages.compute import job_for
from stores.errors import NotInStore
from stores.manifest import Manifest
from stores.runs.store import RunStore
from tasks.advice.stage_taps import taps_to_compare
from tasks.datasets.seen_folder import count_unread
from tasks.datasets.subset import drawn_part
from tasks.features.engines import load_engine
from tasks.features.engines.choice import choose_engine
from tasks.features.extract import find_missing
from tasks.finetune.plan import plan_finetuning


def warm_up_ingest(folder: Path, *, parameters: DatasetParameters) -> None:
    """Import TensorFlow if there are files to check."""
    if count_unread(parameters.asked(folder)):
        import tasks.images.decoding  # noqa: F401


def warm_up_advise(source: str, *, parameters: AdviseParameters) -> None:
    """Find the taps, and load the engine if there are features to compute."""
    requested, backbone, size = parameters.tap, parameters.backbone, parameters.image_size
    taps = taps_to_compare(requested, backbone, size, store=parameters.store)
    warm_up_extract(source, parameters=parameters.at(*taps), part=drawn_part)


def warm_up_extract(
    source: str | Path,
    *,
    parameters: ExtractParameters,
    part: Callable[[Manifest], Manifest] = lambda manifest: manifest,
) -> None:
    """Load the engine if there are features to compute."""
    parameters.read_through_layers()
    place = Path(source)
    folder = place if place.is_dir() or parameters.makes(place) else None
    name = parameters.dataset or (Path(os.path.realpath(folder)).name if folder else str(source))
    manifest = None
    with suppress(NotInStore):
        manifest = part(Manifest.read(parameters.store, name))
    job = job_for(parameters, manifest)
    images = 0
    if folder:
        images = count_unread(parameters.asked(folder, needs_labels=False))
    if manifest:
        images += sum(len(g.images) for g in find_missing(manifest, job, store=parameters.store))
    if images:
        load_engine(choose_engine(job, images))


def warm_up_finetune(run: str, *, parameters: FinetuneParameters) -> None:
    """Import Keras if there is something to train."""
    parameters.read_through_layers()
    store, runs = parameters.store, RunStore(parameters.store)
    start = runs.read(run)
    if parameters.strategy == "features":
        return
    manifest, request = Manifest.read(store, start.dataset), parameters.request
    planned = plan_finetuning(start, manifest, request, store=store, engine=parameters.engine)
    if planned.id not in runs:
        import tasks.finetune.loop  # noqa: F401
