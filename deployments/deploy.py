"""Deploy: `python -m deployments.deploy` puts all of `prefect.yaml` on a Prefect server."""

import subprocess
import sys
from contextlib import suppress

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_UI_URL

from deployments.configuration import CONFIGURATION, deployments, environment, names_of
from deployments.connection import server
from deployments.pool import make_pool
from flows.cli.command_line import plain_command_line
from flows.orchestration.server_settings import settings_environment
from tasks.errors import InputError

_SAMPLE = "the embedded sample"


def deploy() -> None:
    """Create the work pool and its queues where they are missing, and deploy every flow."""
    places = environment()
    names = names_of(deployments(places))
    with server() as client:
        make_pool(client)
        before = {name: _found(client, name) for name in names}
        _run_prefect("deploy", "--all", "--prefect-file", str(CONFIGURATION), places=places)
        kept = [name for name in names if _keep_active(client, name, before[name])]
    others = f"all schedules but those of {', '.join(kept)}" if kept else "all schedules"
    lines = [
        f"deployed, to be run in {places['GARGALO_HOME']}:",
        *(f"  {name}" for name in names),
        _about(places, before["pipeline/nightly"]),
        f"{others} are inactive: switch on what you want, at {PREFECT_UI_URL.value()}/deployments",
        "next: make worker (python -m deployments.worker), and, to try it, "
        "prefect deployment run pipeline/nightly",
    ]
    print("\n".join(lines))  # noqa: T201  what it is for


def _run_prefect(*arguments: str, places: dict[str, str]) -> None:
    command = [sys.executable, "-m", "prefect", "--no-prompt", *arguments]
    own = {name: place for name, place in places.items() if name.startswith("GARGALO_")}
    done = subprocess.run(  # noqa: S603  Prefect's own command line
        command, env=settings_environment() | own, check=False, capture_output=True, text=True
    )
    if done.returncode:
        words = " ".join((done.stderr or done.stdout).split())
        raise InputError(f"prefect {' '.join(arguments)} failed: {words[-500:]}")


def _found(client: SyncPrefectClient, name: str) -> DeploymentResponse | None:
    with suppress(ObjectNotFound):
        return client.read_deployment_by_name(name)
    return None


def _keep_active(client: SyncPrefectClient, name: str, before: DeploymentResponse | None) -> bool:
    """Switch on what was on before; return whether anything was.

    Prefect puts the schedules of the file in the place of all. One that somebody made, or changed,
    on the server and switched on is made again.
    """
    active = [schedule for schedule in before.schedules if schedule.active] if before else []
    now = client.read_deployment_by_name(name)
    for schedule in active:
        if same := [shipped for shipped in now.schedules if shipped.schedule == schedule.schedule]:
            client.update_deployment_schedule(now.id, same[0].id, active=True)
        else:
            kept = ("schedule", "active", "max_scheduled_runs", "parameters", "slug")
            again = DeploymentScheduleCreate(**{name: getattr(schedule, name) for name in kept})
            client.create_deployment_schedules(now.id, [again])
    return bool(active)


def _about(places: dict[str, str], before: DeploymentResponse | None) -> str:
    """Say which images the scheduled runs are about, and if they were about others before."""
    images = places.get("GARGALO_IMAGES") or _SAMPLE
    was = (before.parameters.get("folder") or _SAMPLE) if before else images
    changed = f", and no longer about {was} (IMAGES=FOLDER says which)" if was != images else ""
    return f"scheduled runs are about {images}{changed}"


if __name__ == "__main__":
    plain_command_line(deploy, "deployments.deploy")
