"""The Prefect server that deployments need: one that stays."""

from collections.abc import Iterator
from contextlib import contextmanager

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import WorkPool
from prefect.settings import PREFECT_API_URL
from prefect.workers.process import ProcessWorker

from tasks.errors import InputError


def check_pool(found: WorkPool) -> None:
    """Raise InputError where a work pool is of another type than a worker here."""
    if found.type != ProcessWorker.type:
        raise InputError(
            f"work pool {found.name!r} is of type {found.type}, expected {ProcessWorker.type}: "
            f"delete it (prefect work-pool delete {found.name}), or rename it"
        )


@contextmanager
def server() -> Iterator[SyncPrefectClient]:
    """Yield a client of the server of PREFECT_API_URL.

    Raises InputError where none is named, and RuntimeError where it does not answer, or is of
    another major version.
    """
    if not PREFECT_API_URL.value():
        raise InputError(
            "PREFECT_API_URL is not set, and deployments need a server that stays: start one with "
            "`python -m flows.server`, and export PREFECT_API_URL=http://127.0.0.1:4200/api"
        )
    with get_client(sync_client=True) as client:
        client.raise_for_api_version_mismatch()
        yield client
