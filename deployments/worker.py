"""Worker: `python -m deployments.worker` runs scheduled and requested runs on this machine."""

import os
import sys

from prefect.exceptions import ObjectNotFound

from deployments.connection import server
from deployments.pool import POOL, close_pool
from flows.cli.command_line import plain_command_line
from flows.orchestration.server_settings import settings_environment
from tasks.errors import InputError

# How soon a run begins after its request; Prefect's own 10 s are for many workers.
_SETTINGS = {"PREFECT_WORKER_QUERY_SECONDS": "5"}


def become_a_worker() -> None:
    """Turn this process into a worker of the pool, which runs until it is ended."""
    with server() as client:
        try:
            close_pool(client, client.read_work_pool(POOL))
        except ObjectNotFound:
            raise InputError(
                f"there is no work pool {POOL!r} on the server: deploy first, with `make deploy` "
                "(python -m deployments.deploy)"
            ) from None
        environment = _SETTINGS | settings_environment()
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", POOL]
    os.execve(sys.executable, command, environment)  # noqa: S606  a fixed command


if __name__ == "__main__":
    plain_command_line(become_a_worker, "deployments.worker")
