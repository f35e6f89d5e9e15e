"""The auth string of the Prefect servers on this machine: one for each PREFECT_HOME.

Prefect's API runs whatever a request asks for, as the worker's user. So each server that this
project starts requires `gargalo:TOKEN` with every request (HTTP basic authentication). The file
that holds it is readable by its owner alone, and the string is sent to this user's servers alone.
"""

import os
import re
import secrets
import stat
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from flows.orchestration.first_import import ANOTHER_HOME
from tasks.errors import InputError

FILE_NAME = "gargalo-auth-string"
_FORM = re.compile(r"gargalo:[\w-]{40,}\n?")
_MAX_BYTES = 1000  # far more than one has
_TCP_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_LISTEN = "0A"
_TRUSTED = {0}  # root reads the file anyway
_FIX = (
    "delete it, and the next server makes another; or set PREFECT_SERVER_API_AUTH_STRING and "
    "PREFECT_API_AUTH_STRING to a string of your own"
)


def read_auth_string(home: Path) -> str | None:
    """Return the auth string of a PREFECT_HOME, or None where no server has made one yet.

    Raises:
        InputError: The file is a link, no regular file, another user's, readable by others, or
            has other content.
    """
    path = home / FILE_NAME
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(
            f"{path}, the auth string of Prefect's servers, cannot be opened ({error.strerror}; "
            f"expected a regular file, not a link): {_FIX}"
        ) from None
    try:
        if fault := _fault(os.fstat(descriptor)):
            raise InputError(f"{path}, the auth string of Prefect's servers, {fault}: {_FIX}")
        content = os.read(descriptor, _MAX_BYTES).decode(errors="replace")
    finally:
        os.close(descriptor)
    if not _FORM.fullmatch(content):
        raise InputError(
            f"{path}: expected gargalo:TOKEN, received {len(content)} other characters: {_FIX}"
        )
    return content.strip()


def make_auth_string(home: Path) -> str:
    """Return the auth string of a PREFECT_HOME, which is made where there is none.

    It appears as a whole or not at all: of two processes that make one, both return the first.

    Raises InputError as `read_auth_string`, or where it cannot be written.
    """
    if found := read_auth_string(home):
        return found
    try:
        _make(home)
    except OSError as error:
        raise InputError(
            f"{home / FILE_NAME}, the auth string of Prefect's servers, cannot be written "
            f"({error.strerror}): {ANOTHER_HOME}"
        ) from None
    made = read_auth_string(home)
    assert made
    return made


def _make(home: Path) -> None:
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = home / f".{FILE_NAME}.{secrets.token_hex(8)}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open(partial, flags, 0o600), "w") as file:
        try:
            file.write(f"gargalo:{secrets.token_urlsafe(32)}\n")
            file.flush()
            os.link(partial, home / FILE_NAME, follow_symlinks=False)
        except FileExistsError:
            pass  # somebody else's is as good
        finally:
            partial.unlink()


def is_on_this_machine(url: str) -> bool:
    """Return whether a URL leads to the loopback interface."""
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def may_receive(url: str) -> bool:
    """Return whether a URL leads to a server on this machine that is not another user's.

    On Linux, which shows who listens; elsewhere any server on this machine may.
    """
    if not is_on_this_machine(url):
        return False
    parts = urlsplit(url)
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return False
    return _listening_users(port) <= _TRUSTED | {os.geteuid()}


def _listening_users(port: int) -> set[int]:
    """Return the users who listen on a TCP port of this machine: proc_net(5)."""
    users = set()
    for table in _TCP_TABLES:
        with suppress(OSError):
            for line in table.read_text().splitlines()[1:]:
                _, address, _, state, _, _, _, user, *_ = line.split()
                if state == _LISTEN and int(address.rpartition(":")[2], 16) == port:
                    users.add(int(user))
    return users


def _fault(status: os.stat_result) -> str:
    if not stat.S_ISREG(status.st_mode):
        return "is no regular file"
    if status.st_uid != os.geteuid():
        return "belongs to another user"
    if status.st_mode & 0o077:
        return (
            f"can be used by others than its owner (mode {stat.S_IMODE(status.st_mode):04o}, "
            "expected 0600)"
        )
    return ""
