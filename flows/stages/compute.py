"""Extraction by Prefect: each step is a task, and shards go to whoever computes them."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from prefect import Task
from prefect.futures import PrefectFuture

from flows.artifacts import progress_artifact
from flows.cli.progress import announce
from flows.stages.arguments import quote
from flows.stages.runners import Runner, Workers
from tasks.execution.cancellation import stopped_with_this
from tasks.execution.progress import advance
from tasks.features.engines import Job
from tasks.features.extract import (
    ComputeShards,
    find_missing,
    find_missing_task,
    plan_shards,
    plan_shards_task,
)
from tasks.features.shard_work import ShardDone, ShardWork, extract_shard_task
from tasks.features.unusable_files import record_rejections, record_rejections_task
from tasks.features.version_check import check_producers, check_producers_task

Result = TypeVar("Result")
_TASKS: dict[Callable[..., Any], Task[..., Any]] = {
    find_missing: find_missing_task,
    check_producers: check_producers_task,
    plan_shards: plan_shards_task,
    record_rejections: record_rejections_task,
}


@dataclass(frozen=True)
class ByPrefect:
    """Runs each step of an extraction as a Prefect task; `runner` computes the shards."""

    runner: Runner = field(default_factory=Runner)

    def run(self, step: Callable[..., Result], *arguments: Any, **options: Any) -> Result:  # noqa: ANN401
        """Run a step as its task; Prefect does not look for futures in the arguments."""
        result: Result = _TASKS[step](*map(quote, arguments), **options)
        return result

    @contextmanager
    def shards(self, images: int, dataset: str) -> Iterator[ComputeShards]:
        """Have the workers in the block, and show how far they are."""
        announce(images)
        with progress_artifact(images, f"extracting {dataset}"), self.runner.working() as workers:
            yield lambda works: self._computed(works, workers)

    def _computed(self, works: Sequence[ShardWork], workers: Workers) -> list[ShardDone]:
        done, waiting = list[ShardDone](), deque[PrefectFuture[ShardDone]]()
        with stopped_with_this():
            for work in works:
                if len(waiting) == workers.at_once:
                    done.append(self._result(waiting.popleft()))
                waiting.append(workers.submit(extract_shard_task, work, store=work.job.store))
            done += [self._result(future) for future in waiting]
        return done

    def _result(self, future: PrefectFuture[ShardDone]) -> ShardDone:
        shard = future.result()
        if self.runner.elsewhere:
            advance(shard.computed + len(shard.rejected))
        return shard


def for_any_process(job: Job) -> Job:
    """Return the same job for whoever computes it, wherever that process was started."""
    return replace(job, store=job.store.absolute())
