"""The environment of a process and its children, set to what a flow needs."""

import os

LOOPBACK = ("localhost", "127.0.0.1", "::1")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")


def prepare_environment() -> None:
    """Speak to servers on this machine without a proxy, and report no usage to Prefect.

    What the user excludes from a proxy already stays excluded. Without a proxy nothing is
    excluded: on macOS `no_proxy` alone would hide the system's own settings.
    """
    os.environ.setdefault("DO_NOT_TRACK", "1")  # Prefect's SDK; its server has a setting for it
    if any(os.environ.get(name) or os.environ.get(name.upper()) for name in _PROXIES):
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
