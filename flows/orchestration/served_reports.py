"""Reports on the pages of a Prefect server: `python -m flows.server` serves them to its browser.

A browser opens no file from a page of HTTP. So a flow registers its store's folder of reports in
PREFECT_HOME, and the server of that home serves what lies in it, at an address that only somebody
with the auth string can know. A report may come with somebody else's store: its page gets no access
to the server's API or to anything outside itself.
"""

import hashlib
import hmac
import re
from pathlib import Path
from urllib.parse import quote

from prefect.settings import PREFECT_HOME, PREFECT_SERVER_API_AUTH_STRING
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stores.errors import StoreError
from stores.storage.publish import publish_file
from stores.storage.safe_files import note_root, read_bytes, read_text

_TYPES = {".html": "text/html", ".csv": "text/csv", ".toml": "text/plain"}
_NAME = re.compile(r"[^/\\\x00-\x1f]{1,250}\.(html|csv|toml)")
_FOLDER = re.compile(r"[0-9a-f]{64}")
_REGISTER = "gargalo-reports"
# The page has an origin of its own, runs no script, and loads nothing.
_POLICY = "sandbox allow-popups; default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def register(report: Path, auth_string: str) -> str:
    """Register the folder of a report; return the path of the report on its server's pages."""
    folder = str(report.parent.absolute())
    name = _name_of(folder, auth_string)
    register = PREFECT_HOME.value() / _REGISTER
    if not (register / name).exists():
        register.mkdir(mode=0o700, exist_ok=True)
        publish_file(folder.encode(), register / name, tmp=register)
    return f"/reports/{name}/{quote(report.name)}"


def report_route() -> Route:
    """Return the route of a server's pages to the reports that are registered in its home."""
    return Route("/reports/{folder}/{name}", _serve)


def _serve(request: Request) -> Response:
    """Return a file beside a report, or 404."""
    folder, name = request.path_params["folder"], request.path_params["name"]
    auth_string = PREFECT_SERVER_API_AUTH_STRING.value() or ""
    try:
        if not (_FOLDER.fullmatch(folder) and _NAME.fullmatch(name)):
            raise ValueError  # noqa: TRY301  as for one that is not registered
        registered = read_text(PREFECT_HOME.value() / _REGISTER / folder)
        if not hmac.compare_digest(folder, _name_of(registered, auth_string)):
            raise ValueError  # noqa: TRY301
        content = read_bytes(note_root(Path(registered)) / name)
    except (OSError, ValueError, StoreError):
        return Response("no such report", status_code=404, media_type="text/plain")
    headers = {
        "content-security-policy": _POLICY,
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
    }
    return Response(content, media_type=_TYPES[Path(name).suffix], headers=headers)


def _name_of(folder: str, auth_string: str) -> str:
    """Return the name under which a folder is registered: nobody guesses it."""
    return hmac.new(auth_string.encode(), folder.encode(), hashlib.sha256).hexdigest()
