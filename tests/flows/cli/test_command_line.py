import socket
import subprocess
import sys

import httpx
import pytest
from prefect import flow
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

from flows.cli.command_line import command_line

FLOWS = ("ingest", "extract", "train", "pipeline", "maintain", "sweep", "runs", "predict", "export")
FLOWS += ("advise",)


def imports_tensorflow(*arguments, environment=None, folder=None):
    """Run a flow's command line in a fresh process; tell if TensorFlow came in, and what it said.

    Returns that, standard output and standard error.
    """
    flow, *rest = map(str, arguments)
    code = (
        f"import sys, runpy; sys.argv = {[flow, *rest]!r}\n"
        f"try: runpy.run_module('flows.{flow}', run_name='__main__')\n"
        "finally: print('tensorflow' in sys.modules or 'keras' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=180,
        check=True,
        env=environment,
        cwd=folder,
    )
    *output, answer = done.stdout.splitlines()
    return answer == "True", "\n".join(output), done.stderr


def test_help_imports_no_tensorflow():
    imported, output, _ = imports_tensorflow("pipeline", "--help")
    assert "--validation-split" in output
    assert not imported


@pytest.mark.parametrize("flow", FLOWS)
def test_help_shows_the_common_flags(run, flow):
    code, output, _ = run(flow, "--help")
    assert code == 0
    assert "--store" in output
    assert "--json" in output


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("extract",), "requires an argument"),
        (("extract", "x", "--poolling", "avg"), "--pooling"),
        (
            ("extract", "x", "--pooling", "sum"),
            "'cls', 'mean-tokens' or 'cls+mean'. Received: 'sum'",
        ),
        (("extract", "x", "--image-size", "-3"), "greater than 0. Received: '-3'"),
        (("extract", "x", "--backbone", "mobilnet_v2"), "did you mean mobilenet_v2"),
        (("extract", "x", "--crop-to-aspect-ratio", "--pad-to-aspect-ratio"), "not both"),
        (("extract", "missing/folder"), "folder not found"),
        (("extract", "missing"), "'missing': folder not found; feature-store: no data set"),
        (("ingest", "missing"), "missing: folder not found; give a folder"),
        (
            ("ingest", ".", "--layout", "splits"),
            "--layout: expected auto, classes, unlabelled, or SPLIT",
        ),
        (("extract", "missing", "--rehash"), "--rehash: only for a folder"),
        (("extract", "x", "--image-size", "100000"), "less than or equal to 4096"),
        (("train", "missing/"), "no data set 'missing'"),
        (("train", "x", "--hidden-units", "0"), "greater than 0"),
        (("train", "x", "--hidden-units", "100000000"), "less than or equal to 65536"),
        (("train", "some/photos"), "give the name of a data set, not a folder: photos"),
        (("extract", ""), "'': folder not found"),
        (("train", "x", "--activation", "rellu"), "'relu'"),
        (("train", "x", "--learning-rate", "inf"), "less than 1000000"),
        (("train", "x", "--tap", "a", "--tap", "b"), "expected one tap, received several"),
        (("pipeline", "missing"), "missing: folder not found; give a folder"),
        (("maintain", "stats"), "there is no store"),
        (("maintain", "stats", "--store", "/dev/null"), "--store: /dev/null is not a folder"),
        (("maintain", "tidy"), "tidy"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(run, arguments, part):
    code, output, errors = run(*arguments)
    assert code == 2
    assert part in errors
    assert errors.count("\n") == 1
    assert not output


def test_what_the_system_refuses_is_one_line_and_exit_code_1(run, photos):
    code, output, errors = run("ingest", photos, "--store", "/proc/store")
    assert code == 1
    assert "No such file or directory: " in errors
    assert "run the command again" in errors
    assert errors.count("\n") == 1
    assert not output


def test_verify_ends_with_1_where_something_is_damaged(run, run_json, photos):
    run_json("ingest", photos)
    assert run("maintain", "verify") == (0, "data set photos: whole\n", "")
    (photos.parent / "feature-store/datasets/photos/manifest.parquet").write_text("damaged")
    code, output, errors = run("maintain", "verify")
    assert code == 1
    assert "data set photos: " in output
    assert "ingest again" in output
    assert not errors


def test_who_reads_no_further_is_no_error(run_json, photos, prefect_environment):
    run_json("ingest", photos)
    command = [sys.executable, "-m", "flows.maintain", "stats"]
    process = subprocess.Popen(
        command,
        cwd=photos.parent,
        env=prefect_environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(timeout=60) == 1


@pytest.mark.parametrize(
    ("source", "fix"),
    [
        ("environment", "or unset PREFECT_API_URL"),
        ("profile", "`prefect config unset` PREFECT_API"),
    ],
)
def test_a_server_that_does_not_answer_is_one_line_and_exit_code_1(run, monkeypatch, source, fix):
    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}/api"
        monkeypatch.delenv("PREFECT_API_URL", raising=False)
        if source == "environment":
            monkeypatch.setenv("PREFECT_API_URL", address)
        with temporary_settings({PREFECT_API_URL: address}):
            code, _, errors = run("maintain", "stats")
    assert code == 1
    assert f"Failed to reach API at {address}" in errors
    assert fix in errors
    assert errors.count("\n") == 1


def test_a_server_with_another_auth_string_is_one_line_and_exit_code_2(run):
    with temporary_settings({PREFECT_API_AUTH_STRING: "somebody:else"}):
        code, _, errors = run("maintain", "stats")
    assert (code, errors.count("\n")) == (2, 1), errors
    assert "refuses the auth string" in errors
    assert "set PREFECT_API_AUTH_STRING" in errors


def test_an_error_that_an_interrupt_led_to_is_an_interrupt(monkeypatch, capfd):
    @flow(name="interrupted")
    def interrupted() -> dict[str, str]:
        try:
            raise KeyboardInterrupt
        finally:
            raise httpx.ReadError("the connection is of no more use")

    monkeypatch.setattr(sys, "argv", ["interrupted"])
    with pytest.raises(SystemExit) as end:
        command_line(interrupted, str, needs_server=False)
    assert end.value.code == 130
    assert capfd.readouterr().err.startswith("interrupted; finished work is kept")


def test_json_is_the_last_line_and_has_the_promised_fields(run_json, photos):
    ingested = run_json("ingest", photos)
    assert {"dataset", "classes", "images", "train", "validation", "test"} <= ingested.keys()
    assert {"rejected", "read"} <= ingested.keys()
    extracted = run_json("extract", "photos", "--image-size", "32")
    assert {"images", "cached", "computed", "checked", "duplicates", "rejected"} <= extracted.keys()
    assert {"fingerprint", "feature_shape", "seconds", "images_per_second"} <= extracted.keys()
    assert extracted["engine"] == "keras"
    trained = run_json("train", "photos", "--image-size", "32", "--head", "svm")
    assert {"run", "head", "validation_accuracy", "test_accuracy", "cached"} <= trained.keys()
    assert trained["test_accuracy"] is None


def test_tensorflow_is_imported_to_compute_quietly_and_not_where_nothing_is_to_compute(
    photos, prefect_environment
):
    where = {"environment": prefect_environment, "folder": photos.parent}
    small = ("--image-size", "32")
    imported, output, errors = imports_tensorflow("extract", photos, *small, **where)
    assert imported
    assert "30 computed" in output
    assert [line.split(":")[0] for line in errors.splitlines()] == ["extracting"]
    imported, output, _ = imports_tensorflow("pipeline", photos, *small, "--head", "svm", **where)
    assert "0 computed, 30 cached" in output
    assert not imported
