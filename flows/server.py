"""A Prefect server that stays: `python -m flows.server`.

Command 12: Run a Prefect server that stays.
"""

import os
import socket
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
from tasks.errors import InputError

_PLUGIN = "gargalo"  # as pyproject.toml names it


def become_a_server() -> None:
    """Turn this process into a Prefect server for this machine only.

    It listens on 127.0.0.1, on port 4200 or that of PREFECT_SERVER_API_PORT, and needs the auth
    string. Its pages link to the reports of this machine, and serve them.

    Raises InputError as `prefect_server`, or for a port that is in use.
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
    _check_port(port)
    command = [sys.executable, "-m", "flows.orchestration.server_process"]
    os.execve(sys.executable, command, environment)  # noqa: S606  a fixed command


def _check_port(port: int) -> None:
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("127.0.0.1", port))
        except OSError as error:
            raise InputError(
                f"port {port} of 127.0.0.1 cannot be used ({error.strerror}): end the server that "
                "listens there, or set PREFECT_SERVER_API_PORT to another port"
            ) from None


def _enable_plugin() -> None:
    """Have Prefect's own command line use the auth string too, by our plugin."""
    if not PREFECT_PLUGINS_ENABLED.value():
        update_current_profile({"PREFECT_PLUGINS_ENABLED": True, "PREFECT_PLUGINS_ALLOW": _PLUGIN})


if __name__ == "__main__":
    plain_command_line(become_a_server, "flows.server")
