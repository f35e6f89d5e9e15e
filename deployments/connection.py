"""The Prefect server that deployments need: one that stays."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.settings import PREFECT_API_URL

from flows.orchestration.server_settings import client_settings
from tasks.errors import InputError

_OPEN = (
    "warning: the Prefect server at {url} answers without an auth string: whoever reaches it can "
    "run commands as its worker; `make server` (python -m flows.server) starts one that does not"
)


@contextmanager
def server() -> Iterator[SyncPrefectClient]:
    """Yield a client of the server of PREFECT_API_URL, with the settings for it in the block.

    Raises InputError where none is named, and RuntimeError where it does not answer, or is of
    another major version.
    """
    url = PREFECT_API_URL.value()
    if not url:
        raise InputError(
            "PREFECT_API_URL is not set, and deployments need a server that stays: start one with "
            "`python -m flows.server`, and export PREFECT_API_URL=http://127.0.0.1:4200/api"
        )
    with client_settings(), get_client(sync_client=True) as client:
        client.raise_for_api_version_mismatch()
        if _is_open(url):
            print(_OPEN.format(url=url), file=sys.stderr)  # noqa: T201  what a user must know
        yield client


def _is_open(url: str) -> bool:
    try:
        return httpx.get(f"{url}/admin/version", timeout=10).is_success
    except httpx.HTTPError:
        return False
