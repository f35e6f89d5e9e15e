"""Deploy: `python -m deployments.deploy` puts all of `prefect.yaml` on a Prefect server."""

import subprocess
import sys

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_UI_URL
from prefect.workers.process import ProcessWorker

from deployments.configuration import CONFIGURATION, POOL, QUEUES, deployments, environment
from deployments.connection import server
from flows.command_line import errors_told
from tasks.errors import InputError


def deploy() -> None:
    """Create the work pool and its queues where they lack, and deploy every flow."""
    places = environment()
    with server() as client:
        _make_pool(client)
        _run_prefect("deploy", "--all", "--prefect-file", str(CONFIGURATION), places=places)
        told = [f"  {name}" for name in sorted(_names(places))]
    lines = [
        f"deployed, to be run in {places['GARGALO_HOME']}:",
        *told,
        "all schedules are inactive: switch on what you want, at "
        f"{PREFECT_UI_URL.value()}/deployments",
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


def _names(places: dict[str, str]) -> list[str]:
    return [
        f"{told['entrypoint'].rpartition('.')[2]}/{told['name']}" for told in deployments(places)
    ]


if __name__ == "__main__":
    with errors_told():
        deploy()
