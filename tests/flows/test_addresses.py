import socket
import sys
from pathlib import Path

import pytest

from stores.layout import locate
from tests.support.prefect_server import eventually, last_run, task_runs
from tests.support.s3_server import SECRET, environment, running_s3

pytestmark = pytest.mark.server

HEAD = ("--backbone", "lenet5", "--weights", "none")


@pytest.fixture
def address(tmp_path, monkeypatch):
    monkeypatch.setenv("GARGALO_CACHE", str(tmp_path / "cache"))
    return f"memory://{tmp_path.name}/store"


@pytest.fixture
def lead_to(tmp_path, monkeypatch):
    """Return a function that leads to a port as to an S3-compatible server."""

    def lead_to(port):
        for name, value in environment(port, tmp_path / "cache").items():
            monkeypatch.setenv(name, value)

    return lead_to


@pytest.fixture(scope="module")
def s3(tmp_path_factory):
    with running_s3(tmp_path_factory.mktemp("s3")) as port:
        yield port


def test_what_one_machine_made_another_does_not_make_again(
    run, run_json, photos, address, tmp_path, monkeypatch
):
    said = (photos, "--store", address, *HEAD)
    first = run_json("pipeline", *said)
    monkeypatch.setenv("GARGALO_CACHE", str(tmp_path / "another"))
    second = run_json("pipeline", *said)
    assert second["ingest"]["read"] == second["extract"]["computed"] == 0
    assert second["train"]["cached"]
    assert second["train"]["test_openings"] == first["train"]["test_openings"] == 1
    listed = run_json("maintain", "list", "--store", address)["list"]
    assert {run["run"] for run in listed["runs"]} == {run["run"] for run in first["train"]["runs"]}
    assert run("maintain", "verify", "--store", address)[0] == 0
    model, image = second["train"]["run"], photos / "bluish" / "0.png"
    assert run_json("predict", model, image, "--store", address)["cached"] == 1
    merged = run_json("maintain", "merge", "--store", "own", "--from", address)
    assert (merged["from"], merged["merge"]["runs"]) == (address, len(first["train"]["runs"]))
    assert eventually(lambda: [task.name for task in task_runs(last_run())]) == [f"merge {address}"]
    assert not list(tmp_path.glob("memory:*"))


def test_the_address_is_what_is_shown(run_json, photos, address):
    summary = run_json("pipeline", photos, "--store", address, *HEAD)
    (record,) = (locate(address) / "runs").path.glob(f"{summary['train']['run'][:16]}/run.json")
    assert f'"store": "{address}"' in record.read_text()
    assert f"--store={address}" in Path(summary["report"]).read_text()
    assert last_run().parameters["parameters"]["store"] == address


def test_there_is_no_store_yet(run, address):
    code, _, errors = run("maintain", "stats", "--store", address)
    assert code == 2
    assert f"{address}: there is no store" in errors


@pytest.mark.parametrize(
    ("store", "part"),
    [
        ("s3://missing/x", "s3://missing/x: there is no such bucket; make it"),
        ("s3://key:wJalrXUtnFEMI@bucket", "belong in the environment"),
        ("nope://x/y", "expected a folder, or an address as s3://bucket/prefix"),
        ("zip://x::file:///y.zip", "an address that leads to another ('::') is not opened"),
        ("s3:/x/y", "an address has two slashes, as s3://bucket/prefix"),
    ],
)
@pytest.mark.parametrize("flow", ["train", "ingest"])
def test_an_address_that_cannot_be_is_one_line_and_exit_code_2(
    run, photos, s3, lead_to, flow, store, part
):
    lead_to(s3)
    source = photos if flow == "ingest" else "photos"
    code, output, errors = run(flow, source, "--store", store)
    assert code == 2
    assert part in errors
    assert errors.count("\n") == 1
    assert SECRET not in output + errors


@pytest.mark.parametrize("flag", ["--from", "--read-through"])
@pytest.mark.parametrize("address", ["zip://x::file:///y.zip", "reference://x"])
def test_no_flag_takes_an_address_that_leads_to_another(run, photos, flag, address):
    flow = ["maintain", "merge"] if flag == "--from" else ["extract", photos]
    code, _, errors = run(*flow, flag, address)
    assert code == 2
    assert address in errors
    assert errors.count("\n") == 1


def test_wrong_credentials_are_not_shown(run, lead_to, tmp_path):
    with running_s3(tmp_path, trusts_nobody=True) as port:
        lead_to(port)
        code, output, errors = run("train", "photos", "--store", "s3://bucket/x")
    assert code == 2
    assert "permission refused, or no credentials; give credentials" in errors
    assert errors.count("\n") == 1
    assert SECRET not in output + errors


def test_the_software_for_an_address_may_lack(run, address, monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, "s3", raising=False)
    code, _, errors = run("train", "photos", "--store", "s3://bucket/lacking")
    assert code == 2
    assert "pip install 'gargalo[s3]'" in errors


def test_a_server_that_does_not_answer_is_one_line_and_exit_code_1(run, lead_to):
    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        lead_to(taken.getsockname()[1])
        code, _, errors = run("train", "photos", "--store", "s3://bucket/x")
    assert code == 1
    assert "s3://bucket/x" in errors
    assert "run the command again" in errors
    assert errors.count("\n") == 1
