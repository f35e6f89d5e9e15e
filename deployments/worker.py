"""Worker: `python -m deployments.worker` runs on this machine what is scheduled and asked for."""

import os
import sys

from prefect.exceptions import ObjectNotFound

from deployments.configuration import POOL
from deployments.connection import check_pool, server
from flows.command_line import plain_command_line
from tasks.errors import InputError

# How soon a run begins after it was asked for; Prefect's own 10 s are for many workers.
_SETTINGS = {"PREFECT_WORKER_QUERY_SECONDS": "5", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}


def become_a_worker() -> None:
    """Turn this process into a worker of the pool, which runs until it is ended."""
    with server() as client:
        try:
            check_pool(client.read_work_pool(POOL))
        except ObjectNotFound:
            raise InputError(
                f"there is no work pool {POOL!r} on the server: deploy first, with `make deploy` "
                "(python -m deployments.deploy)"
            ) from None
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", POOL]
    os.execve(sys.executable, command, _SETTINGS | os.environ)  # noqa: S606  a fixed command


if __name__ == "__main__":
    plain_command_line(become_a_worker, "deployments.worker")
