"""Extraction with Prefect: shards go to whoever computes them, and the progress is shown."""

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from flows.artifacts import progress_artifact
from flows.cli.progress import announce
from flows.parameters.features import ComputeParameters
from flows.parameters.seeds import seed_for
from flows.stages.runners import Runner, Workers
from stores.manifest import Manifest
from tasks.execution.cancellation import stopped_with_this
from tasks.execution.progress import advance
from tasks.features.engines import Job
from tasks.features.extract import ComputeShards, Shards
from tasks.features.job import make_job
from tasks.features.shard_work import ShardDone, ShardWork, extract_shard_task

if TYPE_CHECKING:
    from prefect.futures import PrefectFuture


def shards_by(runner: Runner) -> Shards:
    """Return what has a runner's workers in a block, and shows how far they are."""

    @contextmanager
    def working(images: int, dataset: str) -> Iterator[ComputeShards]:
        announce(images)
        with progress_artifact(images, f"extracting {dataset}"), runner.working() as workers:
            yield lambda works: _computed(works, workers, runner)

    return working


def _computed(works: Sequence[ShardWork], workers: Workers, runner: Runner) -> list[ShardDone]:
    done, waiting = list[ShardDone](), deque["PrefectFuture[ShardDone]"]()
    with stopped_with_this():
        for work in works:
            if len(waiting) == workers.at_once:
                done.append(_result(waiting.popleft(), runner))
            waiting.append(workers.submit(extract_shard_task, work, store=work.job.store))
        done += [_result(future, runner) for future in waiting]
    return done


def _result(future: "PrefectFuture[ShardDone]", runner: Runner) -> ShardDone:
    shard = future.result()
    if runner.elsewhere:
        advance(shard.files)
    return shard


def job_for(parameters: ComputeParameters, manifest: Manifest | None) -> Job:
    """Return the job that computes features of a data set; None: it is not ingested yet.

    Its store is absolute, for any process, wherever it was started. All get the same job: the
    engine that a command warmed up is then the one that its flow takes.
    """
    seed = seed_for(parameters.seed, manifest)
    request = parameters.request(weights_seed=seed, dataset=manifest.name if manifest else "")
    return make_job(request, store=parameters.store.absolute(), engine=parameters.engine)
