"""A Prefect server that stays: `python -m flows.server`.

Command 12: Run a Prefect server that stays.
"""

import os
import sys

from prefect.settings import (
    PREFECT_API_DATABASE_CONNECTION_URL,
    PREFECT_HOME,
    PREFECT_PLUGINS_ENABLED,
    PREFECT_SERVER_API_AUTH_STRING,
    PREFECT_SERVER_API_PORT,
    update_current_profile,
)

from flows.cli.command_line import plain_command_line
from flows.orchestration.auth_string import FILE_NAME
from flows.orchestration.server_database import check_database
from flows.orchestration.server_settings import server_environment

_PLUGIN = "gargalo"  # as pyproject.toml names it


def become_a_server() -> None:
    """Turn this process into a Prefect server for this machine only.

    It listens on 127.0.0.1, on port 4200 or that of PREFECT_SERVER_API_PORT, and needs the auth
    string.

    Raises InputError as `prefect_server`.
    """
    port = PREFECT_SERVER_API_PORT.value()
    check_database(PREFECT_API_DATABASE_CONNECTION_URL.value())
    environment = server_environment(port)
    _enable_plugin()
    if not PREFECT_SERVER_API_AUTH_STRING.value():
        print(  # noqa: T201  the user needs it
            f"http://127.0.0.1:{port} needs an auth string: the content of "
            f"{PREFECT_HOME.value() / FILE_NAME}",
            flush=True,
        )
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1"]
    os.execve(sys.executable, command, environment)  # noqa: S606  a fixed command


def _enable_plugin() -> None:
    """Have Prefect's own command line use the auth string too, by our plugin."""
    if not PREFECT_PLUGINS_ENABLED.value():
        update_current_profile({"PREFECT_PLUGINS_ENABLED": True, "PREFECT_PLUGINS_ALLOW": _PLUGIN})


if __name__ == "__main__":
    plain_command_line(become_a_server, "flows.server")
