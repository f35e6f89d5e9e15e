import os

import pytest
from prefect.plugins import HookContext
from prefect.settings import (
    PREFECT_API_AUTH_STRING,
    PREFECT_API_URL,
    PREFECT_HOME,
    PREFECT_SERVER_ANALYTICS_ENABLED,
    PREFECT_SERVER_API_AUTH_STRING,
    PREFECT_SERVER_CORS_ALLOWED_ORIGINS,
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS,
    temporary_settings,
)

from flows.orchestration.auth_string import make_auth_string, read_auth_string
from flows.orchestration.prefect_plugin import setup_environment
from flows.orchestration.server_settings import (
    client_settings,
    server_environment,
    settings_environment,
)
from tasks.errors import InputError

HERE, THERE = "http://127.0.0.1:4200/api", "https://prefect.example.com/api"
BOTH = (PREFECT_API_AUTH_STRING, PREFECT_SERVER_API_AUTH_STRING)


@pytest.fixture
def home(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("PREFECT_")]:
        monkeypatch.delenv(name)
    nothing = dict.fromkeys([*BOTH, PREFECT_API_URL])
    with temporary_settings(nothing | {PREFECT_HOME: tmp_path}):
        yield tmp_path


def strings(settings=None):
    """Return the auth strings of a client and of a server that it starts, by these settings."""
    with temporary_settings(settings or {}), client_settings():
        return tuple(setting.value() for setting in BOTH)


def test_a_temporary_server_and_its_client_have_the_string_of_this_home(home):
    assert strings() == (read_auth_string(home),) * 2
    assert strings()[0] is not None


def test_a_server_on_this_machine_gets_it_once_there_is_one(home):
    assert strings({PREFECT_API_URL: HERE}) == (None, None)
    made = make_auth_string(home)
    assert strings({PREFECT_API_URL: HERE})[0] == made


def test_another_machine_never_gets_it(home):
    made = make_auth_string(home)
    assert strings({PREFECT_API_URL: THERE})[0] is None
    assert strings({PREFECT_API_URL: THERE, PREFECT_API_AUTH_STRING: made})[0] is None
    own = {PREFECT_API_URL: THERE, PREFECT_API_AUTH_STRING: "me:there"}
    assert strings(own)[0] == "me:there"


@pytest.mark.parametrize("given", BOTH, ids=lambda setting: setting.name)
def test_what_the_user_has_set_comes_first(home, given):
    assert strings({given: "me:here"}) == ("me:here", "me:here")
    own = {PREFECT_API_URL: HERE, PREFECT_API_AUTH_STRING: "me:here"}
    assert strings(own)[0] == "me:here"
    assert read_auth_string(home) is None


def test_a_file_that_is_not_safe_stops_a_client_and_a_server(home):
    (home / "gargalo-auth-string").symlink_to("/dev/zero")
    with pytest.raises(InputError, match="not a link"), client_settings():
        pass
    with pytest.raises(InputError, match="not a link"):
        server_environment(4200)


def test_usage_is_not_reported_and_only_the_servers_pages_read_its_answers(home):
    environment = server_environment(4321)
    assert environment["DO_NOT_TRACK"] == "1"
    assert environment[PREFECT_SERVER_ANALYTICS_ENABLED.name].lower() == "false"
    origins = environment["PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS"]
    assert origins == "http://127.0.0.1:4321,http://localhost:4321"
    assert environment[PREFECT_SERVER_API_AUTH_STRING.name] == read_auth_string(home)
    with client_settings():
        assert not PREFECT_SERVER_ANALYTICS_ENABLED.value()
        assert "*" not in PREFECT_SERVER_CORS_ALLOWED_ORIGINS.value()
        assert settings_environment()[PREFECT_API_AUTH_STRING.name] == read_auth_string(home)


def test_settings_of_the_users_own_stay(home):
    own = {
        PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS: 7,
        PREFECT_SERVER_CORS_ALLOWED_ORIGINS: "https://ui.example.com",
    }
    with temporary_settings(own), client_settings():
        assert PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS.value() == 7
        assert PREFECT_SERVER_CORS_ALLOWED_ORIGINS.value() == "https://ui.example.com"


@pytest.mark.parametrize(("url", "expected"), [(HERE, True), (THERE, False), (None, False)])
def test_prefects_own_command_line_gets_it_for_this_machine_alone(home, url, expected):
    context = HookContext(prefect_version="3", api_url=url, logger_factory=None)
    assert setup_environment(ctx=context) is None
    made = make_auth_string(home)
    result = setup_environment(ctx=context)
    assert (result.env if result else None) == (
        {"PREFECT_API_AUTH_STRING": made} if expected else None
    )
    with temporary_settings({PREFECT_API_AUTH_STRING: "me:here"}):
        assert setup_environment(ctx=context) is None


@pytest.mark.parametrize("place", ["/proc/self/none/below", "/proc/self", "a-file/below"])
def test_a_home_that_cannot_be_written_is_told_at_once(tmp_path, place):
    """The kind: advice to call again where that never helps."""
    (tmp_path / "a-file").touch()
    nothing = dict.fromkeys([*BOTH, PREFECT_API_URL])
    with (
        temporary_settings(nothing | {PREFECT_HOME: tmp_path / place}),
        pytest.raises(InputError, match="set PREFECT_HOME to a folder with write permission"),
        client_settings(),
    ):
        pass
