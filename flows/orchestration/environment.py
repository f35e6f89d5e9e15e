"""The environment of a process and its children, set to what a flow needs."""

import os

from tasks.errors import InputError

LOOPBACK = ("localhost", "127.0.0.1", "::1")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")
_SCHEMES = {"http", "https", "socks5", "socks5h"}  # httpx's


def prepare_environment() -> None:
    """Speak to servers on this machine without a proxy, and report no usage to Prefect.

    What the user excludes from a proxy already stays excluded. Without a proxy nothing is
    excluded: on macOS `no_proxy` alone would hide the system's own settings.

    Raises:
        InputError: A proxy is of a kind that Prefect's client does not know, and would fail on.
    """
    os.environ.setdefault("DO_NOT_TRACK", "1")  # Prefect's SDK; its server has a setting for it
    names = [each for name in _PROXIES for each in (name, name.upper()) if os.environ.get(each)]
    for name in names:
        scheme, separator, _ = os.environ[name].partition("://")
        if separator and scheme.lower() not in _SCHEMES:
            raise InputError(
                f"{name}: expected a proxy as http://HOST:PORT or socks5://HOST:PORT, received "
                f"{scheme}://…: correct it, or unset it"
            )
    if names:
        os.environ.update(_exclusions())


def _exclusions() -> dict[str, str]:
    """Return `no_proxy` and `NO_PROXY` with the loopback hosts; each keeps its own hosts."""
    given = {name: os.environ.get(name, "") for name in ("no_proxy", "NO_PROXY")}
    either = given["no_proxy"] or given["NO_PROXY"]
    return {name: _with_loopback(hosts or either) for name, hosts in given.items()}


def _with_loopback(hosts: str) -> str:
    named = [host.strip() for host in hosts.split(",") if host.strip()]
    if "*" in named:
        return hosts
    return ",".join([*named, *(host for host in LOOPBACK if host not in named)])
