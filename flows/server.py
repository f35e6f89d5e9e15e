"""The Prefect server that a command line talks to: the user's, or a temporary one of its own.

`python -m flows.server` runs one that stays.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context

from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
    PREFECT_HOME,
    PREFECT_SERVER_ANALYTICS_ENABLED,
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS,
    PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE,
    PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL,
    get_current_settings,
    temporary_settings,
)

from stores.publish import nearest_there
from tasks.errors import InputError

# Where the user has said nothing else. A temporary server takes up to 22 s to start here, and its
# own limit of 20 s is too close; without the heartbeat a flow ends a second sooner. A server writes
# down each state of each task by itself, 8 ms at a time on the cores that compute; many at once,
# two seconds later, cost a tenth of that.
_SETTINGS = {
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS: 120,
    PREFECT_SERVER_ANALYTICS_ENABLED: False,
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None,
    PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE: 64,
    PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL: 2,
}


@contextmanager
def prefect_server(meanwhile: Callable[[], None]) -> Iterator[None]:
    """Have a server in the block: the one of PREFECT_API_URL, else a temporary one.

    A temporary server takes some ten seconds to start; `meanwhile` is called in that time.

    Raises:
        InputError: Prefect's folder cannot be written to.
    """
    _check_home()
    with temporary_settings(set_defaults=_SETTINGS):
        if not PREFECT_API_URL.value():
            _start_temporary_server(meanwhile)
        yield


def _check_home() -> None:
    # Both Prefect and its server would say so at great length, and try for minutes.
    nearest = nearest_there(PREFECT_HOME.value())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        raise InputError(
            f"cannot write {nearest}, where Prefect keeps its state: "
            "set PREFECT_HOME to a folder with write permission"
        )


def _start_temporary_server(meanwhile: Callable[[], None]) -> None:
    """Start Prefect's temporary server so that Ctrl-C on a terminal does not end it.

    The terminal sends SIGINT to all processes in the foreground; a server that dies first leaves
    the flow retrying its last words for two minutes. A blocked signal stays blocked in a child, and
    only in the thread that blocks it; Prefect ends the server at exit, by SIGTERM.
    """
    from prefect.server.api.server import SubprocessASGIServer

    failures: list[Exception] = []

    def start() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            SubprocessASGIServer().start()
        except Exception as error:  # noqa: BLE001  raised in the thread that waits
            failures.append(error)

    context = copy_context()  # which holds Prefect's settings
    starting = threading.Thread(target=context.run, args=(start,), daemon=True)
    starting.start()
    meanwhile()
    starting.join()
    for failure in failures:
        raise failure


def become_a_server() -> None:
    """Turn this process into a Prefect server for this machine alone, which runs until it is ended.

    It listens on 127.0.0.1, on port 4200 or that of PREFECT_SERVER_API_PORT.
    """
    with temporary_settings(set_defaults=_SETTINGS):
        settings = get_current_settings().to_environment_variables(exclude_unset=True)
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1"]
    os.execve(sys.executable, command, os.environ | settings)  # noqa: S606  a fixed command


if __name__ == "__main__":
    from flows.command_line import plain_command_line

    plain_command_line(become_a_server, "flows.server")
