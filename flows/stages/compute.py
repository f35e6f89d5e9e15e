"""Computing what a store lacks: the tasks that extract and fine-tuning share."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace

from prefect.futures import PrefectFuture
from prefect.utilities.annotations import quote

from flows.artifacts import progress_artifact
from flows.cli.progress import announce
from flows.stages.runners import Runner, Workers
from stores.manifest import Manifest, Split
from stores.storage.remote.mirror import TravellingStore
from tasks.execution.cancellation import stopped_with_this
from tasks.execution.progress import advance
from tasks.features.engines import Job
from tasks.features.extract import (
    Missing,
    ShardDone,
    ShardWork,
    extract_shard_task,
    find_missing_task,
    plan_shards_task,
    with_engine,
)
from tasks.features.feature_batches import Rejection
from tasks.features.unusable_files import check_all_there, record_rejections_task
from tasks.features.version_check import check_producers_task


def compute_missing(
    manifest: Manifest, job: Job, *, sizes: Mapping[str, int], runner: Runner
) -> tuple[Manifest, list[ShardDone], int]:
    """Compute the features of a job that the store does not have, as tasks, a shard each.

    `sizes` are those of batches and shards. Return the manifest without unusable files, what was
    done, and how many rows were checked.
    """
    done, checked = list[ShardDone](), 0
    while missing := find_missing_task(quote(manifest), quote(job), store=job.store):
        shards, compared = _compute(missing, manifest, sizes, runner)
        done, checked = done + shards, checked + compared
        if not (rejected := _rejected(shards)):
            break
        # A rejected file may have a whole duplicate elsewhere: look again.
        manifest = record_rejections_task(quote(manifest), quote(rejected), store=job.store)
    return manifest, done, checked


def compute_needed(
    manifest: Manifest, job: Job, *, splits: Sequence[Split], views: int = 0
) -> None:
    """Compute what lacks of images of which none can be left out; the data set stays as it is.

    `splits` and `views` say which, as for `find_missing`. Raises InputError for a bad image.
    """
    asked = {"store": job.store, "splits": splits, "views": views}
    if missing := find_missing_task(quote(manifest), quote(job), **asked):
        shards, _ = _compute(missing, manifest, {}, Runner())
        check_all_there(_rejected(shards))


def _compute(
    missing: Sequence[Missing], manifest: Manifest, sizes: Mapping[str, int], runner: Runner
) -> tuple[list[ShardDone], int]:
    """Compute shard after shard; return what was done, and how many rows were checked before."""
    images = sum(len(group.images) for group in missing)
    announce(images)
    groups, done = [with_engine(group) for group in missing], list[ShardDone]()
    checked = sum(
        check_producers_task(quote(group.job), quote(manifest), store=group.job.store)
        for group in groups
    )
    with progress_artifact(images, f"extracting {manifest.name}"), runner.working() as workers:
        for group in groups:
            shards = plan_shards_task(quote(_anywhere(group)), quote(manifest), **sizes)
            done += _computed(shards, workers, runner)
    return done, checked


def _computed(shards: Sequence[ShardWork], workers: Workers, runner: Runner) -> list[ShardDone]:
    done, waiting = list[ShardDone](), deque[PrefectFuture[ShardDone]]()
    with stopped_with_this():
        for work in shards:
            if len(waiting) == workers.at_once:
                done.append(_result(waiting.popleft(), runner))
            waiting.append(workers.submit(extract_shard_task, work, store=work.job.store))
        done += [_result(future, runner) for future in waiting]
    return done


def _result(future: PrefectFuture[ShardDone], runner: Runner) -> ShardDone:
    shard = future.result()
    if runner.elsewhere:
        advance(shard.computed + len(shard.rejected))
    return shard


def _anywhere(missing: Missing) -> Missing:
    """Return the same for whoever computes it, wherever that process was started."""
    store = TravellingStore(missing.job.store.absolute())
    return replace(missing, job=replace(missing.job, store=store))


def _rejected(shards: Sequence[ShardDone]) -> list[Rejection]:
    return [rejection for shard in shards for rejection in shard.rejected]
