"""The errors of a Prefect server, in one line each."""

import os
from http import HTTPStatus
from typing import NamedTuple

from httpx import HTTPStatusError, TransportError
from prefect.settings import PREFECT_API_URL

from flows.orchestration.resume import RESUME

_NO_SERVER = (
    "(the Prefect server of PREFECT_API_URL does not answer, or has another version: start one "
    "with `python -m flows.server`{or_else})"
)
_NO_TEMPORARY_SERVER = f"(the temporary Prefect server has ended; {RESUME})"
_REFUSED = (
    "error: the Prefect server at {url} refuses the auth string of this PREFECT_HOME: set "
    "PREFECT_API_AUTH_STRING to the server's auth string, or PREFECT_HOME to the server's folder"
)


class Failure(NamedTuple):
    """What to report, and the exit code."""

    line: str
    code: int


def failure_of(error: Exception, *, or_temporary: bool) -> Failure | None:
    """Return what an error says of a server, with the fix; None for one that says nothing.

    `or_temporary`: if the server does not answer, suggest to use a temporary one.
    """
    url = PREFECT_API_URL.value()
    if isinstance(error, HTTPStatusError):
        if error.response.status_code == HTTPStatus.UNAUTHORIZED:
            return Failure(_REFUSED.format(url=url), 2)
        return Failure(f"error: the Prefect server failed: {error}", 1)
    of_runtime = isinstance(error, RuntimeError) and _is_of_server(str(error))
    if not (of_runtime or isinstance(error, TransportError)):
        return None
    if not url:
        return Failure(f"error: {error} {_NO_TEMPORARY_SERVER}", 1)
    unset = "unset" if PREFECT_API_URL.name in os.environ else "`prefect config unset`"
    or_else = f", or {unset} PREFECT_API_URL to use a temporary one" if or_temporary else ""
    return Failure(f"error: {error} {_NO_SERVER.format(or_else=or_else)}", 1)


def _is_of_server(message: str) -> bool:
    return " API " in message or "incompatible versions" in message
