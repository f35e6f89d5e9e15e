"""The report: all that it has to say is there, in its order, and what is left out is counted."""

import html
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from stores.dataset_summary import FileReason
from stores.errors import NotInStore
from tasks.report.write import report_place, write_report
from tasks.training.repeat_commands import Kept, command_line, to_repeat
from tests.support.entries import entries_of, with_entries
from tests.support.places import ROOT
from tests.support.reports import (
    DENSE,
    FINGERPRINT,
    LOGISTIC,
    RECIPE,
    SVM,
    Page,
    entry,
    extraction,
    make_manifest,
    open_test,
    report,
    train,
)


@pytest.fixture
def manifest(tmp_path):
    return make_manifest(tmp_path)


@pytest.fixture
def run(store, manifest):
    return train(store, manifest, DENSE)


def test_it_lies_where_report_path_says_and_leaves_nothing_else(store, manifest, run):
    report(store, manifest, [run])
    path = report_place(store, manifest, run.id).path
    assert path == store / "reports" / f"pets-{run.id[:16]}.html"
    assert path.is_file()
    assert list((store / "reports" / "tmp").iterdir()) == []


def test_the_same_things_make_the_same_report(store, manifest):
    run = train(store, manifest, DENSE, epochs=3)
    open_test(store, manifest, run)
    assert report(store, manifest, [run]).raw == report(store, manifest, [run]).raw


def test_without_a_test_evaluation_that_is_noted_and_validation_is_shown(store, manifest, run):
    page = report(store, manifest, [run])
    assert "This run has no test evaluation." in page.text
    expected = run.metrics["validation_accuracy"]
    assert f"{expected:.1%} validation accuracy" in page.text
    assert "Confusion on validation" in page.text
    assert "0 test evaluations over all runs" in page.text


def test_each_test_evaluation_is_counted(store, manifest, run):
    for _ in range(3):
        open_test(store, manifest, run)
    assert "3 test evaluations over all runs" in report(store, manifest, [run]).text


def test_sizes_are_those_of_the_manifest(store, manifest, run):
    text = report(store, manifest, [run]).section("dataset")
    assert "cats 18 12 24 54" in text
    assert "dogs 9 6 12 27" in text
    assert "all 2 classes 27 18 36 81" in text
    assert "“cats” is the largest class with 18 images (66.7%)" in text
    assert "a ratio of 2.0 to 1" in text


def test_what_is_left_out_is_listed_with_its_reason(store, manifest, run):
    first = entries_of(manifest)[0]
    manifest = with_entries(
        manifest,
        entries=(
            *entries_of(manifest),
            replace(first, path="0/copy.png"),
            entry("0/<b>broken</b>.png", b"1", "cats", None, "rejected", "cut & short"),
            entry("0/new.psd", b"2", "cats", None, "ignored", "no image"),
            entry("notes", b"3", None, None, "ignored", "no image"),
            entry("0/gone.png", b"4", "cats", "test", "absent"),
        ),
    )
    rejected = (FileReason("1/odd\udcff.png", "cannot be\nread"),)
    page = report(store, manifest, [run], rejected=rejected)
    text = page.section("dataset")
    assert f"{first.path}, 0/copy.png" in text
    assert "0/<b>broken</b>.png : cut & short" in text
    assert "<b>broken" not in page.raw
    assert "1/odd\\udcff.png : cannot be\\nread" in text
    assert "2 files (1 .psd, 1 without ending): no image (for one, 0/new.psd )" in text
    assert "0/gone.png" in text


def test_remarks_are_counted_with_an_example(store, manifest, run):
    remark = "EXIF rotation: not applied"
    turned = [
        replace(e, reason=remark if n < 5 else "") for n, e in enumerate(entries_of(manifest))
    ]
    page = report(store, with_entries(manifest, entries=tuple(turned)), [run])
    expected = f"5 images: {remark} (for one, {entries_of(manifest)[0].path} )."
    assert expected in page.section("dataset")


def test_a_split_by_time_is_told(store, manifest, run):
    told = "Split by time: when they came, the newest images went to test"
    assert told not in report(store, manifest, [run]).section("dataset")
    assert told in report(store, replace(manifest, split_by="time"), [run]).section("dataset")


def test_corrections_are_listed_with_the_label_that_was_given(store, manifest, run):
    first, second, *others = entries_of(manifest)
    corrected = replace(first, given_label="wolves")
    excluded = replace(second, given_label=second.label, status="excluded")
    page = report(store, with_entries(manifest, entries=(corrected, excluded, *others)), [run])
    text = page.section("dataset")
    assert f"{first.path}: “{first.label}” in the place of “wolves”" in text.replace(" :", ":")
    assert f"{second.path}: excluded from “{second.label}”" in text.replace(" :", ":")


def test_a_long_list_is_folded_and_capped_with_a_count(store, manifest, run):
    rejected = tuple(FileReason(f"{n}.png", "empty") for n in range(1234))
    page = report(store, manifest, [run], rejected=rejected)
    assert "and 1,134 more, not shown" in page.text
    assert "99.png" in page.text
    assert "100.png" not in page.text


def test_what_was_computed_is_accounted_for(store, manifest, run):
    text = report(store, manifest, [run]).section("features")
    for told in ("cached 78", "computed 3", "checked 16", "time 1 min 15 s", "12.5 images/s"):
        assert told in text
    for told in ("tap output", "pooling avg", "224 × 224 pixels", RECIPE["weights"], FINGERPRINT):
        assert told in text


def test_nothing_to_compute_is_noted(store, manifest, run):
    text = report(store, manifest, [run], computed=0, cached=81, engine="auto").section("features")
    assert "All 81 features were in the store." in text
    assert "engine none needed" in text


def test_candidates_stand_in_the_order_of_validation_with_the_chosen_one_marked(store, manifest):
    heads = [(LOGISTIC, 3), (DENSE, 0), (SVM, 2)]
    runs = [train(store, manifest, head, every=every) for head, every in heads]
    text = report(store, manifest, runs, chosen=1).section("heads")
    assert "The choice was made on validation" in text
    assert "hidden_units 16, epochs 3" in text.replace("\xa0", " ")
    assert text.index("dense chosen") < text.index("logistic") < text.index("svm")
    best = runs[0].metrics
    # Runs of earlier versions have neither a balanced accuracy nor a macro F1.
    assert f"{best['train_accuracy']:.1%} {best['validation_accuracy']:.1%} – – 0 ×" in text


def test_a_better_candidate_than_the_chosen_one_is_noted(store, manifest):
    runs = [train(store, manifest, DENSE, every=2), train(store, manifest, SVM, every=5)]
    assert "has a higher accuracy on validation than the chosen one" in report(
        store, manifest, runs
    ).section("heads")
    assert "higher validation accuracy" not in report(store, manifest, runs, chosen=1).text


def test_the_chosen_run_is_a_candidate_even_if_it_was_not_named(store, manifest, run):
    other = train(store, manifest, SVM)
    path = write_report(
        store=store,
        manifest=manifest,
        extraction=extraction(manifest),
        runs=[other.id],
        chosen=run.id[:20],
    )
    assert run.id[:16] in Page(path).section("heads")


def test_heads_with_epochs_have_curves_and_the_others_are_named(store, manifest):
    runs = [train(store, manifest, DENSE, epochs=3), train(store, manifest, SVM)]
    page = report(store, manifest, runs)
    assert page.section("curves", raw=True).count("<svg") == 2
    assert "No learning curve for svm (1 head)" in page.text


def test_a_head_without_history_has_no_curve(store, manifest):
    page = report(store, manifest, [train(store, manifest, LOGISTIC)])
    assert "<svg" not in page.section("curves", raw=True)


def test_the_nine_images_are_the_first_by_key(store, manifest, run):
    open_test(store, manifest, run)
    test = {e.key: e.path for e in entries_of(manifest) if e.split == "test"}
    page = report(store, manifest, [run])
    expected = [test[key] for key in sorted(test)[:9]]
    shown = [about["alt"] for tag, about in page.tags if tag == "img"]
    assert [path for path in shown if path in test.values()][:9] == expected
    assert "Nine test images" in page.text


def test_a_file_that_is_gone_or_changed_does_no_harm(store, manifest, run):
    open_test(store, manifest, run)
    for image in entries_of(manifest):
        path = Path(manifest.folder, image.path)
        path.unlink() if image.label == "cats" else path.write_bytes(b"other")
    assert report(store, manifest, [run]).raw.count("data:image/svg+xml") > 9


def test_all_that_is_needed_to_repeat_it_is_there(store, manifest, run):
    text = report(store, manifest, [run]).section("repeat")
    for told in (run.id, manifest.digest, FINGERPRINT, "head seed 0", "split seed 7", "keras 3.12"):
        assert told in text
    assert '"hidden_units": [ 16 ]' in text
    assert '"weights": "sha256:' in text
    assert "python -m flows.pipeline" in text


def test_the_command_line_survives_a_shell(store, manifest):
    odd = {"weights": "my file's <1>.h5", "tap": ["a", "b"], "crop": True, "rehash": False}
    run = train(store, manifest, DENSE, parameters=odd | {"seed": 3, "x": None, "rate": -1})
    shown = html.unescape(
        re.findall("<pre>(.*?)</pre>", report(store, manifest, [run]).raw, re.DOTALL)[0]
    )
    shell = subprocess.run(
        ["sh", "-c", rf"printf '%s\n' {shown}"], check=True, capture_output=True, text=True
    )
    words = shell.stdout.splitlines()
    assert words[:4] == ["python", "-m", "flows.pipeline", manifest.folder]
    assert {"--weights=my file's <1>.h5", "--tap=a", "--tap=b", "--crop", "--seed=3"} < set(words)
    assert {"--rate=-1", "--test-split=0.2", f"--store={store}"} < set(words)
    assert not {word for word in words if word.startswith(("--rehash", "--x"))}


@pytest.mark.parametrize("opened", [True, False])  # the pipeline may have opened it since
def test_a_run_of_flows_train_is_repeated_by_it(store, manifest, run, opened):
    asked = replace(run, parameters={"open_test": not opened})
    words = shlex.split(" ".join(command_line(asked, manifest, store, opened=opened)))
    expected = ["python", "-m", "flows.train", "pets", "--seed=0", "--open-test"]
    assert words == [word for word in expected if opened or word != "--open-test"] + [
        f"--store={store}"
    ]


def test_a_run_of_flows_train_begins_at_the_folder_with_the_splits_it_had(store, manifest, run):
    asked = {"open_test": False, "head": "svm", "heads": ["svm", "dense"], "tap": ["a"]}
    asked |= {"weights": "none", "crop_to_aspect_ratio": True}
    stored = replace(run, parameters=asked)
    ingest, extract, training = to_repeat(stored, manifest, store, Kept(store / "splits.csv"))
    assert ingest[0] == f"python -m flows.ingest {manifest.folder}"
    assert {"--dataset=pets", "--seed=7", f"--split-file={store}/splits.csv"} < set(ingest)
    assert extract[0] == "python -m flows.extract pets"
    assert {"--weights=none", "--tap=a", "--crop-to-aspect-ratio", "--seed=7"} < set(extract)
    assert {"--head=svm", "--head=dense", "--seed=0"} < set(training)


def test_a_data_set_of_the_longest_name_has_a_report(store, tmp_path):
    manifest = make_manifest(tmp_path, sizes=(1, 1, 1), name="é" * 100)
    assert report(store, manifest, [train(store, manifest, DENSE)]).text


def test_an_unknown_run_is_an_error(store, manifest):
    with pytest.raises(NotInStore):
        write_report(
            store=store,
            manifest=manifest,
            extraction=extraction(manifest),
            runs=[],
            chosen="0" * 64,
        )


def test_importing_it_is_cheap():
    heavy = {"matplotlib", "PIL", "tensorflow"}
    code = f"import sys, tasks.report.write; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_notes_on_the_folder_and_its_layout_are_shown(store, manifest, run):
    told = replace(manifest, notes=("extra/ is left out",), layout="train=a b,test=c")
    assert "extra/ is left out" in report(store, told, [run]).section("dataset")
    asked = replace(run, parameters={k: v for k, v in run.parameters.items() if k != "open_test"})
    assert "--layout='train=a b,test=c'" in command_line(asked, told, store, opened=True)
    assert "--layout" not in " ".join(command_line(asked, manifest, store, opened=True))
