"""The server of the page: on 127.0.0.1, until somebody ends it."""

import socket
from collections.abc import Callable
from contextlib import suppress

import uvicorn

from tasks.errors import InputError
from tasks.review.page.app import Page
from tasks.review.page.guard import Guard, new_token
from tasks.review.session import Session

HOST = "127.0.0.1"
_SECONDS_TO_END = 2  # for requests that are being answered


def serve(session: Session, *, port: int, ready: Callable[[str], None]) -> None:
    """Serve a review until its page is closed by its button, or until Ctrl-C.

    `ready` is called with the address, once somebody may go there. Port 0 is any that is free.
    Raises InputError for a port that is taken.
    """
    with bound(port) as listening:
        number, token = listening.getsockname()[1], new_token()
        page = Page(session, end=lambda: setattr(server, "should_exit", True))
        guarded = Guard(page.app(), token, [f"{HOST}:{number}", f"localhost:{number}"])
        config = uvicorn.Config(
            guarded,
            log_level="critical",
            lifespan="off",
            timeout_graceful_shutdown=_SECONDS_TO_END,
            server_header=False,
        )
        server = uvicorn.Server(config)
        listening.listen()  # whoever comes before the loop runs waits
        ready(f"http://{HOST}:{number}/{token}/")
        with suppress(KeyboardInterrupt):  # that is how it is ended
            server.run(sockets=[listening])


def bound(port: int) -> socket.socket:
    """Return a socket of a port of this machine alone; raises InputError where it is taken."""
    listening = socket.socket()
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((HOST, port))
    except OSError as error:
        listening.close()
        raise InputError(
            f"--port {port}: cannot be used: {error.strerror}; give another, or none for any that "
            "is free"
        ) from None
    return listening
