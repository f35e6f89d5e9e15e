"""The benchmarks run, at a scale at which their figures mean nothing."""

import json

import pytest

pytest.importorskip("datasets", reason="the extra [bench] is not installed")

import tensorflow as tf

from benchmarks.__main__ import bench
from benchmarks.int8 import has_nncf
from benchmarks.modern_rivals import lacking
from benchmarks.results import told
from benchmarks.review import lacking as lacking_for_review
from benchmarks.rivals import Rival
from benchmarks.timing import Contender, Finding, in_turn, ratios
from benchmarks.variants import has_bfloat16


@pytest.fixture
def untuned(monkeypatch):
    """Rivals' images without tf.data's tuner, for which each reading would wait five seconds."""
    images, options = Rival.images, tf.data.Options()
    options.autotune.enabled = False
    monkeypatch.setattr(Rival, "images", lambda *given: images(*given).with_options(options))


@pytest.mark.bench
@pytest.mark.filterwarnings("default")  # of the rivals
@pytest.mark.usefixtures("untuned")
@pytest.mark.parametrize(
    ("group", "parts"),
    [
        ("cold", ["against a: predict", "against d: Hugging Face", "of the limit"]),
        ("bfloat16", ["vgg16 at 96, bfloat16: against a: predict"] if has_bfloat16() else []),
        ("int8", ["int8, vgg16 at 96: against float32"] if has_nncf() else []),
        ("rivals", ["skipped: "] if lacking() else ["float32, against the best of each round"]),
        ("large", ["--decode fast against a without", "the limit by entropy decoding"]),
        ("again", ["one image changed: images computed: 1 rows", "5% added", "a crash half-way"]),
        ("reading", ["speed of np.memmap's", "10,000 keys looked up in 100 shards"]),
        ("prefect", ["over the plain functions, 40 images", "a running server, --engine keras"]),
        ("memory", ["peak for 80 images, in units of that for 40"]),
        (
            "rows",
            ["10,000 rows: nothing changed", "1,000 files listed", "80 new tiny images"],
        ),
        ("variants", ["--decode fast, efficientnet_lite0 at 96: speed"]),
        ("heads", ["5 dense on 26×1280, 2 epochs: against Keras's fit, one by one"]),
        ("lab", ["by the same sweep again: 0 heads", "one value added: 1 heads", "2 resplits"]),
        ("finetuning", ["vgg16 at 96 from block5_conv1, 6 images: epochs a second by --prefix"]),
        ("duplicates", ["copies found, the fewest", "strangers among the pairs reported"]),
        ("novelty", ["8 digits against photographs", "that are flagged at 0.01"]),
        ("exploration", ["gargalo next, more than by chance", "to 100: memory of plain NumPy"]),
        ("probabilities", ["digits, 2 resplits, svm: calibration error after: "]),
        ("targets", ["pairs of digits, 12 test images, dense: mean average", "intervals off 90"]),
        ("review", ["skipped: "] if lacking_for_review() else ["200 images: first screen"]),
        ("prediction", ["40 images, mobilenet_v2 at 96: rate, in units of extraction"]),
    ],
)
def test_each_group_of_benchmarks_runs(group, parts, tmp_path, capfd):
    bench(quick=True, only=[group], results=tmp_path)
    output = capfd.readouterr().out
    for part in parts:
        assert part in output
    (run,) = json.loads((tmp_path / "results.json").read_text())
    findings = run["findings"]
    assert all(finding["values"] for finding in findings)
    assert (tmp_path / "RESULTS.md").read_text().count("\n| ") >= len(findings)


def test_contenders_take_turns_and_each_goes_first_once():
    calls = []
    contenders = {
        name: Contender(lambda n=name: calls.append(n), lambda n=name: calls.append(f"prepare {n}"))
        for name in "ab"
    }
    seconds = in_turn(contenders, rounds=2)
    assert calls == ["prepare a", "a", "prepare b", "b", "prepare b", "b", "prepare a", "a"]
    assert [len(taken) for taken in seconds.values()] == [2, 2]


def test_a_ratio_is_taken_round_by_round():
    assert ratios([2.0, 9.0], [1.0, 3.0]) == (2.0, 3.0)


@pytest.mark.parametrize(
    ("expected", "holds"), [("≥ 2", True), ("≥ 2.1", False), ("≤ 1,000", True), ("= 2", True)]
)
def test_a_finding_is_judged_by_its_median(expected, holds):
    finding = Finding("group", "what", (1.0, 2.0, 9.0), "×", expected)
    assert finding.holds is holds
    assert told(finding).startswith("group: what: 2 × (1 to 9)")


def test_of_nothing_expected_nothing_is_said():
    assert told(Finding("group", "what", (2.0,), "×")) == "group: what: 2 ×"
