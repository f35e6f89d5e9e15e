"""Prefect's temporary server, as this project runs it: it ends with its parent."""

import atexit
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextvars import copy_context
from typing import IO

import httpx
import prefect
from prefect.server.api.server import SubprocessASGIServer
from prefect.settings import (
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS,
    get_current_settings,
)

from flows.orchestration import ends_with_parent

_POLL_SECONDS = 0.1
_ATTEMPTS = 3  # for another program may take the free port first
_PORT_TAKEN = "address already in use"
_RESTARTS = 3
_ERROR = re.compile(rf"^[\w.]*(Error|Exception)\b: |{_PORT_TAKEN}")  # as Python prints one
# As in Prefect's own SubprocessASGIServer: no pages, no schedules, one app in the process.
_EPHEMERAL = {
    "PREFECT_UI_ENABLED": "0",
    "PREFECT__SERVER_EPHEMERAL": "1",
    "PREFECT__SERVER_FINAL": "1",
}


class TemporaryServer(SubprocessASGIServer):
    """The one temporary server of a process, which Prefect finds as `SubprocessASGIServer()`.

    Where it is killed while flows run, as by a machine that is short of memory, another takes its
    port and its database; clients try again for a minute.
    """

    _starting = threading.Lock()
    _stopping = False

    def start(self, timeout: int | None = None) -> None:
        """Start the server and return when it answers.

        Raises:
            ConnectionError: It ended first.
            TimeoutError: It does not answer in PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS.
        """
        with self._starting:
            if not self.running:
                self._start(timeout)
                self._watch()

    def _start(self, timeout: int | None) -> None:
        self._stopping = False
        seconds = timeout or PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS.value()
        atexit.register(self.stop)
        with tempfile.TemporaryFile() as output:
            for attempt in range(1, _ATTEMPTS + 1):
                self.port = self.find_available_port()
                self.server_process = self._start_process(output)
                self.running = self._wait(seconds)
                if self.running:
                    return
                code, reason = self.server_process.wait(), _reason(output)
                if _PORT_TAKEN not in reason or attempt == _ATTEMPTS:
                    raise ConnectionError(_ended(code, reason))

    def stop(self) -> None:
        """End the server."""
        self._stopping = True
        process = self.server_process
        try:
            super().stop()
        except KeyboardInterrupt:  # at the very end: it is not waited for any longer
            if process:
                process.kill()
                process.wait()
        if process:
            _close_input(process)

    def _watch(self) -> None:
        """Start the server again where it ends by itself."""

        def watch() -> None:
            for _ in range(_RESTARTS):
                ended = self.server_process
                if ended:
                    ended.wait()
                if not ended or self._stopping:
                    return
                self.server_process = self._start_process(subprocess.DEVNULL)
                _close_input(ended)

        # The settings of now, which are the flow's; and SIGINT stays blocked.
        threading.Thread(target=copy_context().run, args=(watch,), daemon=True).start()

    def find_available_port(self) -> int:
        """Return a free port of the loopback interface."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port: int = free.getsockname()[1]
            return port

    def _start_process(self, output: IO[bytes] | int) -> subprocess.Popen[bytes]:
        app = ["--factory", "prefect.server.api.server:create_app"]
        place = ["--app-dir", str(prefect.__module_path__.parent), "--host", "127.0.0.1"]
        rest = ["--port", str(self.port), "--log-level", "error", "--lifespan", "on"]
        settings = get_current_settings().to_environment_variables(exclude_unset=True)
        return subprocess.Popen(  # noqa: S603  a fixed command
            [sys.executable, "-P", ends_with_parent.__file__, "uvicorn", *place, *app, *rest],
            env=os.environ | _EPHEMERAL | settings,
            stdin=subprocess.PIPE,  # which is never written to: its end tells that we are gone
            stdout=output,
            stderr=output,
        )

    def _wait(self, seconds: float) -> bool:
        """Return True when the server answers, False when it has ended."""
        assert self.server_process
        deadline = time.monotonic() + seconds
        with httpx.Client(trust_env=False) as client:
            while self.server_process.poll() is None:
                try:
                    if client.get(f"{self.api_url}/health").is_success:
                        return True
                except httpx.TransportError:
                    pass
                if time.monotonic() > deadline:
                    self.stop()
                    raise TimeoutError(
                        f"the temporary Prefect server did not answer within {seconds:g} s: set "
                        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS to more"
                    )
                time.sleep(_POLL_SECONDS)
        return False


def _close_input(process: subprocess.Popen[bytes]) -> None:
    if process.stdin:
        process.stdin.close()


def _reason(output: IO[bytes]) -> str:
    """Return the last line of an output that names an error, or else its last line."""
    output.seek(max(0, output.seek(0, os.SEEK_END) - 65536))
    lines = [line.strip() for line in output.read().decode(errors="replace").split("\n")]
    found = [line for line in lines if _ERROR.search(line)] or [line for line in lines if line]
    return found[-1][:300] if found else ""


def _ended(code: int, reason: str) -> str:
    how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
    return f"the temporary Prefect server {how} before it answered{reason and f' ({reason})'}"
