"""Whether a command has anything to do, decided by its store and its folder before it loads much.

Each function gets the arguments of its flow. It returns what loads the slow parts that the flow
needs, which is called while a temporary Prefect server starts; or None where there is nothing to
compute or to train, so that the command needs no server.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from flows.parameters.datasets import DatasetParameters
from flows.parameters.features import AdviseParameters, ExtractParameters
from flows.parameters.finetune import FinetuneParameters
from flows.stages.compute import job_for
from stores.errors import NotInStore
from stores.manifest import Manifest
from stores.runs.store import RunStore
from tasks.datasets.seen_folder import count_unread
from tasks.datasets.subset import drawn_part
from tasks.features.engines import load_engine
from tasks.features.engines.choice import choose_engine
from tasks.features.extract import find_missing

Load = Callable[[], Any]


def ingest_work(folder: Path, *, parameters: DatasetParameters) -> Load | None:
    """Return what imports TensorFlow if there are files to check."""
    there = count_unread(parameters.asked(folder))
    return (lambda: import_module("tasks.images.decoding")) if there else None


def advise_work(source: str, *, parameters: AdviseParameters) -> Load | None:
    """Return what loads the engine if there are features to compute."""
    from tasks.advice.stage_taps import taps_to_compare

    requested, backbone, size = parameters.tap, parameters.backbone, parameters.image_size
    taps = taps_to_compare(requested, backbone, size, store=parameters.store)
    return extract_work(source, parameters=parameters.at(*taps), part=drawn_part)


def extract_work(
    source: str | Path,
    *,
    parameters: ExtractParameters,
    part: Callable[[Manifest], Manifest] = lambda manifest: manifest,
) -> Load | None:
    """Return what loads the engine if there are features to compute."""
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
    return (lambda: load_engine(choose_engine(job, images))) if images else None


def finetune_work(run: str, *, parameters: FinetuneParameters) -> Load | None:
    """Return what imports Keras if there is something to train."""
    from tasks.finetune.plan import plan_finetuning

    parameters.read_through_layers()
    store, runs = parameters.store, RunStore(parameters.store)
    start = runs.read(run)
    if parameters.strategy != "features":
        manifest, request = Manifest.read(store, start.dataset), parameters.request
        planned = plan_finetuning(start, manifest, request, store=store, engine=parameters.engine)
        if planned.id not in runs:
            return lambda: import_module("tasks.finetune.loop")
        run = planned.id
    return nothing if parameters.open_test and not runs.openings(run) else None


def nothing() -> None:
    """Load nothing: what is to be done needs nothing slow."""
