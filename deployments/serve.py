"""Serve: `python -m deployments.serve` runs all of `prefect.yaml` in one process."""

import os
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, cast

from prefect import serve
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import ConcurrencyLimitConfig
from prefect.deployments.runner import RunnerDeployment
from prefect.events import DeploymentTriggerTypes
from prefect.exceptions import ObjectNotFound
from prefect.flows import Flow, load_flow_from_entrypoint
from prefect.schedules import Schedule
from prefect.types.entrypoint import EntrypointType
from pydantic import TypeAdapter

from deployments.configuration import deployments, environment, names_of
from deployments.connection import server
from flows.cli.command_line import plain_command_line
from tasks.errors import InputError


def serve_all() -> None:
    """Deploy every flow to be run by this process, one run at a time, until it is interrupted."""
    places = environment()
    os.environ.update(places)
    os.chdir(places["GARGALO_HOME"])
    with server() as client:
        _check_no_worker_takes_them(client, places)
        served = [runner_deployment(described) for described in deployments(places)]
        serve(*served, limit=1)


def _check_no_worker_takes_them(client: SyncPrefectClient, places: dict[str, str]) -> None:
    """Raise InputError where a work pool has them: its worker would run them elsewhere.

    A deployment that is served loses the folder in which it is to be run, but not its pool.
    """
    for name in names_of(deployments(places)):
        with suppress(ObjectNotFound):
            if pool := client.read_deployment_by_name(name).work_pool_name:
                raise InputError(
                    f"{name} is deployed to work pool {pool!r} on this server already: let "
                    "`make worker` run it, or delete the pool, as by "
                    f"`prefect work-pool delete {pool}`, and serve then"
                )


def runner_deployment(described: dict[str, Any]) -> RunnerDeployment:
    """Return a deployment of `prefect.yaml` as one that a process serves."""
    flow: Flow[..., Any] = load_flow_from_entrypoint(described["entrypoint"])
    limit = described.get("concurrency_limit")
    deployment = flow.to_deployment(
        name=described["name"],
        description=described.get("description") or flow.description,
        parameters=described.get("parameters") or {},
        schedules=[_schedule(some) for some in described.get("schedules", [])],
        concurrency_limit=ConcurrencyLimitConfig(**limit) if limit else None,
        triggers=[
            TypeAdapter(DeploymentTriggerTypes).validate_python(
                {"name": f"{flow.name}/{described['name']}", **trigger}
            )
            for trigger in described.get("triggers", [])
        ],
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    return cast("RunnerDeployment", deployment)  # outside of an event loop it is no coroutine


def _schedule(described: dict[str, Any]) -> Schedule:
    schedule = dict(described)
    if "interval" in schedule:
        schedule["interval"] = timedelta(seconds=schedule["interval"])
        schedule["anchor_date"] = datetime.fromisoformat(schedule["anchor_date"])
    return Schedule(**schedule)


if __name__ == "__main__":
    plain_command_line(serve_all, "deployments.serve")
