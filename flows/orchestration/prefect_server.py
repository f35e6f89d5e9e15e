"""The Prefect server that a flow talks to: the user's, or a temporary one of its own."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context

from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL, PREFECT_API_URL

from flows.orchestration.server_database import check_database
from flows.orchestration.server_settings import client_settings, share_auth_string

_has_server: ContextVar[bool] = ContextVar("has_server", default=False)


@contextmanager
def prefect_server(meanwhile: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Have a server in the block: the one of PREFECT_API_URL, else a temporary one.

    A temporary server takes some ten seconds to start; `meanwhile` is called in that time. In a
    block within the block there is nothing to do.

    Raises:
        InputError: Prefect's folder, its database or the auth string in it cannot be used.
        ConnectionError: A temporary server ended before it answered.
        TimeoutError: A temporary server did not answer in time.
    """
    if _has_server.get():
        yield
        return
    with client_settings():
        if not PREFECT_API_URL.value():
            check_database(PREFECT_API_DATABASE_CONNECTION_URL.value())
            _start_temporary_server(meanwhile)
            share_auth_string()
        entered = _has_server.set(True)
        try:
            yield
        finally:
            _has_server.reset(entered)


def _start_temporary_server(meanwhile: Callable[[], None]) -> None:
    """Start a temporary server so that Ctrl-C on a terminal does not end it.

    The terminal sends SIGINT to all processes in the foreground; a server that dies first leaves
    the flow retrying its last words for two minutes. A blocked signal stays blocked in a child, and
    only in the thread that blocks it; the server is ended at exit, by SIGTERM.
    """
    failures: list[Exception] = []

    def start() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            from flows.orchestration.temporary_server import (
                TemporaryServer,  # and with it the whole server
            )

            TemporaryServer().start()
        except Exception as error:  # noqa: BLE001  raised in the thread that waits
            failures.append(error)

    context = copy_context()  # which holds Prefect's settings
    starting = threading.Thread(target=context.run, args=(start,), daemon=True)
    starting.start()
    meanwhile()
    starting.join()
    for failure in failures:
        raise failure
