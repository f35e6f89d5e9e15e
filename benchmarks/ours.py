"""This project's own way, by its plain functions, so that nothing but the work is measured."""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from flows.extract import extract_stage
from flows.parameters.features import ExtractParameters
from flows.stages.read_and_compute import ingest_and_compute_stage
from stores.manifest import Manifest
from tasks.datasets.ingest import ingest
from tasks.execution.steps import without_prefect
from tasks.features.engines import Job, load_engine
from tasks.features.engines.choice import choose_engine
from tasks.features.extract import ComputeShards, compute_missing
from tasks.features.job import make_job
from tasks.features.request import EngineChoice, FeatureRequest
from tasks.features.shard_work import extract_shard

REQUEST = FeatureRequest("mobilenet_v2", weights="none", image_size=160)


@dataclass(frozen=True)
class Setting:
    """What is measured with: images, a store of its own, and what features are asked for."""

    folder: Path
    store: Path
    request: FeatureRequest
    engine: EngineChoice = "auto"
    shard_size: int = 512

    @property
    def job(self) -> Job:
        """The job that computes it, with its engine yet to be chosen."""
        return make_job(self.request, store=self.store, engine=self.engine)

    def chosen(self, images: int) -> Job:
        """Return the job with the engine that so many images get."""
        return choose_engine(self.job, images)

    def ingest(self) -> Manifest:
        """Bring the data set up to date."""
        return ingest(self.folder, store=self.store, dataset="photos").manifest

    def asked(self, **changes: Any) -> "Setting":  # noqa: ANN401
        """Return the same with other features asked for."""
        return replace(self, request=replace(self.request, **changes))

    def forget_features(self) -> None:
        """Remove all features, and nothing else."""
        shutil.rmtree(self.store / "features", ignore_errors=True)

    def forget(self) -> None:
        """Remove the whole store but the converted models, which are timed apart."""
        for name in ("features", "datasets"):
            shutil.rmtree(self.store / name, ignore_errors=True)


def extract(setting: Setting, manifest: Manifest) -> int:
    """Do what the extract flow does, without Prefect; return how many images were computed."""
    with without_prefect():
        done = compute_missing(
            manifest, setting.job, shards=in_two_threads, shard_size=setting.shard_size
        )
    return sum(shard.computed for shard in done.shards)


def ingest_and_extract(setting: Setting) -> int:
    """Do what that flow does with new files, without Prefect; return how many were computed."""
    request = setting.request
    parameters = ExtractParameters(
        store=setting.store,
        dataset="photos",
        backbone=request.backbone,
        weights=request.weights,
        image_size=request.image_size,
        engine=setting.engine,
        shard_size=setting.shard_size,
        decode=request.decode,
        precision=request.precision,
    )
    with without_prefect():
        manifest, _, begun = ingest_and_compute_stage(setting.folder, parameters)
        return int(extract_stage(manifest, parameters, begun)[1].computed)


@contextmanager
def in_two_threads(_images: int, _dataset: str) -> Iterator[ComputeShards]:
    """Have two shards at a time, as a flow does: one computes while the other is written."""
    with ThreadPoolExecutor(2) as pool:
        yield lambda works: pool.map(lambda work: extract_shard(work, store=work.job.store), works)


@contextmanager
def counted_rows(job: Job) -> Iterator[list[int]]:
    """Give, in the block, the number of rows of each request that an engine gets."""
    engine = load_engine(job)
    requests: list[int] = []

    def compute(pixels: np.ndarray[Any, Any]) -> Any:  # noqa: ANN401
        requests.append(len(pixels))
        return type(engine).compute(engine, pixels)

    with patch.object(engine, "compute", compute):
        yield requests
