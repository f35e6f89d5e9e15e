import pytest
from prefect.settings import PREFECT_HOME, PREFECT_SERVER_API_AUTH_STRING, temporary_settings
from starlette.applications import Starlette
from starlette.testclient import TestClient

from flows.orchestration.served_reports import register, report_route

AUTH = "gargalo:" + "x" * 43


@pytest.fixture
def pages(tmp_path):
    with temporary_settings(
        {PREFECT_HOME: tmp_path / "home", PREFECT_SERVER_API_AUTH_STRING: AUTH}
    ):
        (tmp_path / "home").mkdir()
        with TestClient(Starlette(routes=[report_route()])) as client:
            yield client


@pytest.fixture
def report(tmp_path):
    folder = tmp_path / "store" / "reports"
    folder.mkdir(parents=True)
    (folder / "pets & more-0123.html").write_text("<h1>pets</h1>")
    (tmp_path / "store" / "run.json").write_text("{}")
    return folder / "pets & more-0123.html"


def test_a_registered_report_is_served_and_may_reach_nothing(pages, report):
    path = register(report, AUTH)
    assert register(report, AUTH) == path
    answer = pages.get(path)
    assert (answer.status_code, answer.text) == (200, "<h1>pets</h1>")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox ")
    assert "allow-same-origin" not in policy
    assert "script" not in policy
    assert "default-src 'none'" in policy


def test_nothing_else_is_served(pages, report):
    folder = register(report, AUTH).rpartition("/")[0]
    (report.parent / "link.html").symlink_to(report)
    (report.parent / "notes.txt").write_text("")
    for name in ("link.html", "notes.txt", "..%2Frun.json", "%2e%2e/run.json", "gone.html", ""):
        assert pages.get(f"{folder}/{name}").status_code == 404, name
    assert pages.get(f"/reports/{'0' * 64}/{report.name}").status_code == 404


def test_a_folder_that_was_registered_by_nobody_with_the_auth_string_is_not_served(pages, report):
    path = register(report, "another")
    assert pages.get(path).status_code == 404
