"""Deploy: `python -m deployments.deploy` puts all of `prefect.yaml` on a Prefect server."""

import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import DeploymentSchedule
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_UI_URL
from prefect.workers.process import ProcessWorker

from deployments.configuration import (
    CONFIGURATION,
    POOL,
    QUEUES,
    deployments,
    environment,
    names_of,
)
from deployments.connection import server
from flows.command_line import plain_command_line
from tasks.errors import InputError


def deploy() -> None:
    """Create the work pool and its queues where they lack, and deploy every flow."""
    places = environment()
    names = names_of(deployments(places))
    with server() as client:
        _make_pool(client)
        active = {name: _schedules(client, name, active=True) for name in names}
        _run_prefect("deploy", "--all", "--prefect-file", str(CONFIGURATION), places=places)
        kept = [name for name in names if _switch_on(client, name, active[name])]
    others = f"all schedules but those of {', '.join(kept)}" if kept else "all schedules"
    lines = [
        f"deployed, to be run in {places['GARGALO_HOME']}:",
        *(f"  {name}" for name in names),
        f"{others} are inactive: switch on what you want, at {PREFECT_UI_URL.value()}/deployments",
        "next: make worker (python -m deployments.worker), and, to try it, "
        "prefect deployment run pipeline/nightly",
    ]
    print("\n".join(lines))  # noqa: T201  what it is for


def _make_pool(client: SyncPrefectClient) -> None:
    try:
        found = client.read_work_pool(POOL)
        if found.type != ProcessWorker.type:
            raise InputError(
                f"work pool {POOL!r} is of type {found.type}, expected {ProcessWorker.type}: "
                f"delete it (prefect work-pool delete {POOL}), or rename it"
            )
    except ObjectNotFound:
        template = ProcessWorker.get_default_base_job_template()
        client.create_work_pool(
            WorkPoolCreate(name=POOL, type=ProcessWorker.type, base_job_template=template)
        )
    for name, limit in QUEUES.items():
        try:
            client.read_work_queue_by_name(name, work_pool_name=POOL)
        except ObjectNotFound:
            client.create_work_queue(name, concurrency_limit=limit, work_pool_name=POOL)


def _run_prefect(*arguments: str, places: dict[str, str]) -> None:
    command = [sys.executable, "-m", "prefect", "--no-prompt", *arguments]
    done = subprocess.run(  # noqa: S603  Prefect's own command line
        command, env=places, check=False, capture_output=True, text=True
    )
    if done.returncode:
        words = " ".join((done.stderr or done.stdout).split())
        raise InputError(f"prefect {' '.join(arguments)} failed: {words[-500:]}")


def _schedules(
    client: SyncPrefectClient, name: str, *, active: bool
) -> Sequence[DeploymentSchedule]:
    """Return the schedules of a deployment, if it is there, that are switched on, or off."""
    with suppress(ObjectNotFound):
        found = client.read_deployment_by_name(name).schedules
        return [schedule for schedule in found if schedule.active == active]
    return ()


def _switch_on(client: SyncPrefectClient, name: str, before: Sequence[DeploymentSchedule]) -> bool:
    """Switch on what was on before, and was replaced; tell whether there was such."""
    times = [schedule.schedule for schedule in before]
    again = [s for s in _schedules(client, name, active=False) if s.schedule in times]
    deployment = client.read_deployment_by_name(name)
    for schedule in again:
        client.update_deployment_schedule(deployment.id, schedule.id, active=True)
    return bool(again)


if __name__ == "__main__":
    plain_command_line(deploy, "deployments.deploy")
