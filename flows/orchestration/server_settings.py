"""Prefect's settings in every process of this project, where the user has set nothing else."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import prefect.context
from prefect.settings import (
    PREFECT_API_AUTH_STRING,
    PREFECT_API_URL,
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
    PREFECT_HOME,
    PREFECT_SERVER_ANALYTICS_ENABLED,
    PREFECT_SERVER_API_AUTH_STRING,
    PREFECT_SERVER_CORS_ALLOWED_ORIGINS,
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS,
    PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE,
    PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL,
    get_current_settings,
    temporary_settings,
)

from flows.orchestration.auth_string import make_auth_string, may_receive, read_auth_string
from flows.orchestration.environment import prepare_environment
from flows.orchestration.first_import import ANOTHER_HOME
from tasks.errors import InputError

# A temporary server takes up to 22 s to start here, and its own limit of 20 s is too close; without
# the heartbeat a flow ends a second sooner. A server writes down each state of each task by itself,
# 8 ms at a time on the cores that compute; many at once, two seconds later, cost a tenth of that.
_DEFAULTS = {
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS: 120,
    PREFECT_SERVER_ANALYTICS_ENABLED: False,
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None,
    PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE: 64,
    PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL: 2,
}


@contextmanager
def client_settings() -> Iterator[None]:
    """Have the settings with which a flow or a client talks to its server in the block.

    Raises:
        InputError: Prefect's folder cannot be written to, or the auth string in it is not safe.
    """
    prepare_environment()
    _check_home()
    with temporary_settings(_authentication(PREFECT_API_URL.value()), _with_origins(4200)):
        yield


def share_auth_string() -> None:
    """Let the user's own flows in this process use the temporary server too."""
    context, own = prefect.context.GLOBAL_SETTINGS_CONTEXT, PREFECT_API_AUTH_STRING.value()
    if PREFECT_API_AUTH_STRING.value_from(context.settings) != own:
        settings = context.settings.copy_with_update({PREFECT_API_AUTH_STRING: own})
        shared = prefect.context.SettingsContext(profile=context.profile, settings=settings)
        prefect.context.GLOBAL_SETTINGS_CONTEXT = shared


def server_environment(port: int) -> dict[str, str]:
    """Return the environment of a server that stays, for pages at a port of this machine.

    Raises as `client_settings`.
    """
    prepare_environment()
    _check_home()
    own = PREFECT_SERVER_API_AUTH_STRING.value() or make_auth_string(PREFECT_HOME.value())
    with temporary_settings({PREFECT_SERVER_API_AUTH_STRING: own}, _with_origins(port)):
        return settings_environment()


def settings_environment() -> dict[str, str]:
    """Return this process's environment with Prefect's settings of now, for another process."""
    return os.environ | get_current_settings().to_environment_variables(exclude_unset=True)


def _with_origins(port: int) -> dict[Any, Any]:
    """Return the defaults, by which only the pages of a server may read what it answers."""
    pages = f"http://127.0.0.1:{port},http://localhost:{port}"
    return _DEFAULTS | {PREFECT_SERVER_CORS_ALLOWED_ORIGINS: pages}


def _authentication(url: str | None) -> Mapping[Any, str | None]:
    """Return the auth string for the server at a URL; a temporary one, without, gets the same.

    What the user has set comes first. The string of this home goes to this user's servers alone.
    """
    home, given = PREFECT_HOME.value(), PREFECT_API_AUTH_STRING.value()
    if not url:
        own = PREFECT_SERVER_API_AUTH_STRING.value() or given or make_auth_string(home)
        return {PREFECT_SERVER_API_AUTH_STRING: own, PREFECT_API_AUTH_STRING: own}
    if not may_receive(url):
        own = read_auth_string(home) if given else None
        return {PREFECT_API_AUTH_STRING: None} if given and given == own else {}
    return {PREFECT_API_AUTH_STRING: given or read_auth_string(home)}


def _check_home() -> None:
    # Both Prefect and its server would say so at great length, and try for minutes.
    home = PREFECT_HOME.value()
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.access(home, os.W_OK | os.X_OK):
            return
        reason = "no permission"
    except OSError as error:
        reason = error.strerror or str(error)
    raise InputError(
        f"cannot write {home}, where Prefect keeps its state ({reason}): {ANOTHER_HOME}"
    )
