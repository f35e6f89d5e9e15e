"""What is printed of names that somebody else chose, in whatever encoding."""

import io
import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from flows.cli.command_line import errors_reported
from flows.cli.terminal import write_any_name
from flows.summaries.predictions import InDataset, PredictedImage, PredictSummary
from flows.text.datasets import ingest_text
from flows.text.predictions import predict_text
from stores.dataset_summary import FileReason
from tasks.errors import InputError
from tests.support.places import ROOT
from tests.support.summaries import INGESTED

EVIL = "\x1b]0;owned\x07\x1b[2J\u202e\nreport: evil"


def test_names_act_on_no_terminal_and_stay_on_their_line():
    counts = {EVIL: INGESTED.counts["cat"], "dog": INGESTED.counts["dog"]}
    rejected = (FileReason(EVIL, EVIL),)
    about = {"dataset": EVIL, "folder": EVIL, "counts": counts, "rejected": rejected}
    text = ingest_text(replace(INGESTED, **about))
    assert all(line.isprintable() for line in text.split("\n"))
    assert "\nreport: evil" not in text
    summary = PredictSummary(
        model=EVIL,
        seconds=1.0,
        images=1,
        counts={EVIL: 1},
        cached=0,
        computed=1,
        rejected=0,
        predictions=(PredictedImage(EVIL, EVIL, 0.5, "", None),),
        in_its_dataset=InDataset(EVIL, False, 1, 1, 1, recorded=1),
        passed_over={EVIL: 1},
        output=EVIL,
        grid=None,
    )
    assert all(line.isprintable() for line in predict_text(summary).split("\n"))


def test_an_error_acts_on_no_terminal(capsys):
    with pytest.raises(SystemExit), errors_reported():
        raise InputError(EVIL)
    assert capsys.readouterr().err == ("error: \\x1b]0;owned\\x07\\x1b[2J\\u202e report: evil\n")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_every_encoding_can_write_every_name(monkeypatch, encoding):
    sinks = {name: io.BytesIO() for name in ("stdout", "stderr")}
    for name, sink in sinks.items():
        monkeypatch.setattr(sys, name, io.TextIOWrapper(sink, encoding=encoding))
    write_any_name()
    print("日本語", flush=True)
    print("日本語", file=sys.stderr, flush=True)
    expected = "日本語\n" if encoding == "utf-8" else "\\u65e5\\u672c\\u8a9e\n"
    assert {sink.getvalue().decode(encoding) for sink in sinks.values()} == {expected}


@pytest.mark.server  # long flows
@pytest.mark.parametrize("as_json", [False, True])
def test_a_class_of_any_name_is_trained_in_any_encoding(run, photos, monkeypatch, as_json):
    (photos / "reddish").rename(photos / "日本語")
    (photos / "bluish").rename(photos / "A$_$|<b>`=1")
    ascii_only = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", ascii_only)
        code, _, errors = run(
            "pipeline", photos, "--image-size", "32", "--head", "tutorial", *["--json"][:as_json]
        )
        ascii_only.flush()
    assert code == 0, errors
    told = ascii_only.buffer.getvalue().decode("ascii")
    assert "\\u65e5\\u672c\\u8a9e" in told
    assert not as_json or "日本語" in json.loads(told.splitlines()[-1])["ingest"]["classes"]


CLOSED = """
import sys
sys.argv[0] = "-m"  # as while `python -m` looks for the module
import flows
print("out")
print("error", file=sys.stderr)
with open(sys.argv[1], "w") as file:
    assert file.fileno() > 2
    sys.stdout.flush()
    sys.stderr.flush()
"""


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_closed_output_leads_nowhere(tmp_path, closed):
    """The kind: what is said goes into the next file that is opened, or ends the work."""
    program, written = tmp_path / "program.py", tmp_path / "written"
    program.write_text(CLOSED)
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" "$@" {closed}', sys.executable, program, written],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert written.read_text() == ""
    assert done.stdout == ("" if ">&-" in closed.split() else "out\n")
    assert done.stderr == ("" if "2>&-" in closed else "error\n")


C_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
NAMED = """
import os, sys
from flows.cli.command_line import errors_reported
from flows.cli.terminal import encoding_checked
with errors_reported(), encoding_checked(all_utf8=sys.argv[1] == "all"):
    open("c\\xe3o")
"""


def refused(*arguments, **variables):
    done = subprocess.run(
        [sys.executable, "-c", NAMED, *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT)} | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in {1, 2}
    return done.stderr


def test_a_locale_without_a_names_letters_is_named_with_the_fix():
    """The kind: a right name is called wrong, for the process reads it by another encoding."""
    fix = "Python reads file names as ascii here, because of LC_ALL, LC_CTYPE, LANG or PYTHONUTF8=0"
    told = refused("all", "cão", **C_LOCALE)
    assert told == f"error: c\\xe3o: the name is UTF-8, but {fix}; set PYTHONUTF8=1\n"
    told = refused("some", **C_LOCALE)
    assert told.startswith("error: a stored name cannot be encoded ('ascii' codec can't")
    assert told.endswith(f"{fix}; set PYTHONUTF8=1\n")


def test_an_argument_that_is_no_utf8_is_named():
    assert refused("all", b"\xff").startswith("error: b'\\xff': the name is not UTF-8")
    assert "No such file" in refused("some", b"\xff")
