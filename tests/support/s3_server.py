"""An S3-compatible server on a free loopback port, and a proxy before it that cuts connections."""

import os
import socket
import subprocess
import sys
import time
from collections import deque
from contextlib import contextmanager, suppress
from threading import Thread

import httpx

SECRET = "wJalrXUtnFEMI"
BUCKET = "bucket"


@contextmanager
def running_s3(folder, *, trusts_nobody=False):
    """Run moto's server with one bucket, or one that refuses all that follows; yield its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with (folder / "moto.log").open("wb") as log:
        own = {"INITIAL_NO_AUTH_ACTION_COUNT": "1"} if trusts_nobody else {}
        process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | own)
    try:
        for _ in range(600):
            with suppress(httpx.TransportError):
                httpx.put(f"http://127.0.0.1:{port}/{BUCKET}").raise_for_status()
                break
            time.sleep(0.1)
        yield port
    finally:
        process.kill()
        process.wait()


def environment(port, cache):
    """Return the environment that leads to the server, with a cache of one's own."""
    return {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_RETRY_MODE": "standard",
        "AWS_MAX_ATTEMPTS": "1",  # s3fs itself makes several of each of these
        "GARGALO_CACHE": str(cache),
    }


class CuttingProxy:
    """Passes bytes on to a port, and cuts connections in the middle of a request.

    `cuts` has for each of the next requests that begin so (as `PUT /`) the direction ("up": of the
    request, "down": of its answer) and the number of bytes that still pass.
    """

    def __init__(self, port, request):
        self.cuts = deque()
        self.done = 0  # cuts
        self._request = request.encode()
        self._target = port
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        Thread(target=self._accept, daemon=True).start()

    def close(self):
        self._server.close()

    def _accept(self):
        with suppress(OSError):  # closed: the test is over
            while True:
                client, _ = self._server.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                budget = {}
                for way, *ends in (("up", client, server), ("down", server, client)):
                    Thread(target=self._pass, args=(way, *ends, budget), daemon=True).start()

    def _pass(self, way, source, target, budget):
        with suppress(OSError):  # the other direction was cut
            while content := source.recv(4096):
                if way == "up" and content.startswith(self._request) and self.cuts:
                    budget.update([self.cuts.popleft()])
                if budget.get(way, len(content)) < len(content):
                    target.sendall(content[: budget[way]])
                    self.done += 1
                    break
                target.sendall(content)
                budget.update({way: budget[way] - len(content)} if way in budget else {})
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        source.close()
