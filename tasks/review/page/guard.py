"""Who may talk to the page: whoever knows the token in its address, and from this machine alone.

The token is the first part of each path, so that no cookie and no header has to be sent, and no
other page that is open in the browser can make a request that counts. The Host header is checked,
too: else a site whose name is made to lead to 127.0.0.1 could ask in the browser's name.
"""

import secrets
from collections.abc import Iterable
from typing import Any

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

# plotly writes style sheets into the page, and makes functions of text for WebGL ('unsafe-eval');
# nothing else comes from anywhere but this server.
_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS = [
    (b"content-security-policy", _POLICY.encode()),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
]


def new_token() -> str:
    """Return a token that nobody guesses."""
    return secrets.token_urlsafe(24)


class Guard:
    """An application behind a token; whatever is not allowed is answered alike."""

    def __init__(self, app: ASGIApp, token: str, hosts: Iterable[str]) -> None:
        self._app, self._token = app, token.encode()
        self._hosts = {host.encode() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through without the token in its path, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        inner = self.inside(scope["path"])
        if scope["type"] != "http" or inner is None or not self._is_ours(scope):
            await PlainTextResponse("not found", 404)(scope, receive, send)
            return

        async def guarded(message: Any) -> None:  # noqa: ANN401  as ASGI has it
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *_HEADERS]
            await send(message)

        await self._app({**scope, "path": inner, "raw_path": inner.encode()}, receive, guarded)

    def inside(self, path: str) -> str | None:
        """Return a path without the token; None if that is another, or none."""
        _, given, *rest = [*path.split("/", 2), ""]
        # Compared as a whole, whatever its first letters are.
        same = secrets.compare_digest(given.encode(errors="surrogatepass"), self._token)
        return f"/{rest[0]}" if same and path.count("/") > 1 else None

    def _is_ours(self, scope: Scope) -> bool:
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        return len(hosts) == 1 and hosts[0] in self._hosts
