"""What Prefect calls when it is imported: its own command line then gets in as the flows do.

An entry point in pyproject.toml names this module; `python -m flows.server` enables it, in the
profile of its PREFECT_HOME.
"""

from prefect.plugins import HookContext, SetupResult, register_hook
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_HOME

from flows.orchestration.auth_string import may_receive, read_auth_string


@register_hook
def setup_environment(*, ctx: HookContext) -> SetupResult | None:
    """Return the auth string for a server of this user, who has set none."""
    if PREFECT_API_AUTH_STRING.value() or not may_receive(ctx.api_url or ""):
        return None
    auth_string = read_auth_string(PREFECT_HOME.value())
    return SetupResult(env={PREFECT_API_AUTH_STRING.name: auth_string}) if auth_string else None
