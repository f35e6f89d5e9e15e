"""The work pool of the deployments: a process for each run, started by the worker's own command."""

import sys

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.client.schemas.objects import WorkPool
from prefect.exceptions import ObjectNotFound
from prefect.workers.process import ProcessWorker

from tasks.errors import InputError

POOL = "gargalo"
# How many runs of a queue a worker has at once: None is as many as there are.
QUEUES: dict[str, int | None] = {"writers": 1, "readers": None}
# Prefect's own template lets whoever asks for a run choose its command, environment and folder, and
# thereby what the worker's user runs. Here a run has no job variables: the server refuses them, and
# a worker that gets some has no place to put them. What a run needs is in the worker's environment.
TEMPLATE = {
    "job_configuration": {"stream_output": True},
    "variables": {"type": "object", "properties": {}, "additionalProperties": False},
}


def make_pool(client: SyncPrefectClient) -> None:
    """Create the pool and its queues where they are missing.

    Raises InputError where a pool of that name is of another type.
    """
    try:
        close_pool(client, client.read_work_pool(POOL))
    except ObjectNotFound:
        client.create_work_pool(
            WorkPoolCreate(name=POOL, type=ProcessWorker.type, base_job_template=TEMPLATE)
        )
    for name, limit in QUEUES.items():
        try:
            client.read_work_queue_by_name(name, work_pool_name=POOL)
        except ObjectNotFound:
            client.create_work_queue(name, concurrency_limit=limit, work_pool_name=POOL)


def close_pool(client: SyncPrefectClient, found: WorkPool) -> None:
    """Give a pool the template, if it has another: one made before, or changed on the server.

    Raises InputError where it is of another type than a worker here.
    """
    check_pool(found)
    if found.base_job_template == TEMPLATE:
        return
    client.update_work_pool(found.name, WorkPoolUpdate(base_job_template=TEMPLATE))
    print(  # noqa: T201  what a user must know
        f"work pool {found.name!r}: runs no longer take job variables (command, environment, "
        "folder), which let a request run any command; set them in the worker's environment",
        file=sys.stderr,
    )


def check_pool(found: WorkPool) -> None:
    """Raise InputError where a work pool is of another type than a worker here."""
    if found.type != ProcessWorker.type:
        raise InputError(
            f"work pool {found.name!r} is of type {found.type}, expected {ProcessWorker.type}: "
            f"delete it (prefect work-pool delete {found.name}), or rename it"
        )
