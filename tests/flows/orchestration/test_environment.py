import httpx
import pytest

from flows.orchestration.environment import prepare_environment
from tasks.errors import InputError

NAMES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
PROXY = "http://127.0.0.1:9"


@pytest.fixture
def prepared(monkeypatch):
    """Prepare an environment with nothing but these variables, and return it."""

    def prepared(**variables):
        environment = {}
        monkeypatch.setattr("os.environ", environment)
        environment.update(variables)
        prepare_environment()
        return environment

    return prepared


def test_without_a_proxy_nothing_is_excluded(prepared):
    assert prepared() == {"DO_NOT_TRACK": "1"}


def test_what_the_user_says_of_tracking_stays(prepared):
    assert prepared(DO_NOT_TRACK="0")["DO_NOT_TRACK"] == "0"


@pytest.mark.parametrize("name", ["http_proxy", "HTTPS_PROXY", "ALL_PROXY"])
def test_with_a_proxy_this_machine_is_excluded(prepared, name):
    environment = prepared(**{name: PROXY})
    assert environment["no_proxy"] == environment["NO_PROXY"] == "localhost,127.0.0.1,::1"
    assert environment[name] == PROXY


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"NO_PROXY": "a.org, b.org"}, "a.org,b.org,localhost,127.0.0.1,::1"),
        ({"no_proxy": "127.0.0.1,a.org"}, "127.0.0.1,a.org,localhost,::1"),
        ({"no_proxy": "*"}, "*"),
    ],
)
def test_what_is_excluded_already_stays_so(prepared, given, expected):
    environment = prepared(http_proxy=PROXY, **given)
    assert environment["no_proxy"] == environment["NO_PROXY"] == expected


def test_both_spellings_keep_their_own(prepared):
    environment = prepared(http_proxy=PROXY, no_proxy="a.org", NO_PROXY="b.org")
    assert environment["no_proxy"] == "a.org,localhost,127.0.0.1,::1"
    assert environment["NO_PROXY"] == "b.org,localhost,127.0.0.1,::1"


@pytest.mark.parametrize("name", ["all_proxy", "HTTP_PROXY"])
def test_a_proxy_of_an_unknown_kind_is_refused_without_its_password(prepared, name):
    with pytest.raises(InputError, match=f"^{name}: .*received ftp://…: correct it") as error:
        prepared(**{name: "ftp://me:secret@proxy:21"})
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("scheme", ["http", "socks5", "socks5h"])
@pytest.mark.parametrize(
    ("url", "direct"),
    [
        ("http://127.0.0.1:4200/api", True),
        ("http://localhost:4200/api", True),
        ("http://[::1]:4200/api", True),
        ("https://bucket.s3.amazonaws.com/key", False),
    ],
)
def test_prefects_client_goes_directly_to_this_machine_alone(monkeypatch, url, direct, scheme):
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv(name.upper(), "" if name == "no_proxy" else f"{scheme}://127.0.0.1:9")
    prepare_environment()
    with httpx.Client() as client:
        chosen = client._transport_for_url(httpx.URL(url))
        assert (chosen is client._transport) == direct
