from dataclasses import replace

import pytest

from flows.summaries.heads import PipelineSummary, TrainSummary
from flows.summaries.predictions import PredictedImage, PredictSummary
from flows.summaries.stores import ListSummary, StatsSummary
from flows.text.datasets import ingest_text
from flows.text.heads import pipeline_text, train_text
from flows.text.near_duplicates import near_duplicates_lines
from flows.text.predictions import predict_text
from flows.text.stores import maintain_text
from stores.dataset_summary import Correction, FileReason, RemarkCount
from stores.runs.checkpoints import CheckpointStats
from tasks.evaluation.duplicate_search import DuplicatesSummary
from tasks.images.image_files import IMAGE_ENDINGS
from tasks.maintenance.maintain import StoreListing, UnfinishedFinetuning
from tasks.report.heads_summary import TrainedHead
from tests.support.summaries import EXTRACTED, INGESTED

NONE = DuplicatesSummary()
ONE = DuplicatesSummary(pairs=1, example=("cat/1.jpg", "cat/2.jpg"))
HEAD = TrainedHead(
    run="a" * 64,
    head="svm",
    cached=False,
    failure="",
    seed=0,
    fingerprint="ab" * 32,
    parameters={},
    specification={"kind": "svm"},
    metrics={"train_accuracy": 1.0, "validation_accuracy": 0.5},
    differing="penalty 1",
    settings="penalty 1",
)
TRAINED = TrainSummary(
    dataset="pets",
    run=HEAD.run,
    folds=0,
    runs=(HEAD,),
    selection=None,
    test_metrics={},
    test_openings=0,
    cached=False,
    remarks=(),
)


@pytest.mark.parametrize(
    ("found", "folds", "expected"),
    [
        (NONE, 0, ["near-duplicates across splits: none found"]),
        (
            ONE,
            5,
            [
                "near-duplicates across folds or splits: 1 pair, for example 'cat/1.jpg' and "
                "'cat/2.jpg': the results are too good"
            ],
        ),
        (
            replace(NONE, untold=("30 images are too few",)),
            0,
            ["near-duplicates across splits: not all can be found: 30 images are too few"],
        ),
        (
            replace(NONE, crowded=2),
            0,
            [
                "near-duplicates across splits: 2 pairs may be copies, among many images that are "
                "all alike"
            ],
        ),
    ],
)
def test_near_duplicates_are_counted_and_never_denied_unseen(found, folds, expected):
    assert list(near_duplicates_lines(found, folds=folds)) == expected


def test_a_data_set_without_labels_says_so_in_few_lines():
    sizes = {"train": 0, "validation": 0, "test": 0, "counts": {}, "classes": ()}
    baseline = {"largest_class": None, "largest_class_accuracy": None}
    left = {"rejected": (), "duplicates": 0, "notes": ("no labels: features only",)}
    summary = replace(INGESTED, **sizes, **baseline, **left)
    assert ingest_text(summary).splitlines() == [
        "data set pets: 8 images without labels in /pets (1 file read)",
        "  note: no labels: features only",
    ]


def test_a_class_that_is_missing_in_a_split_is_named():
    lines = ingest_text(INGESTED).splitlines()
    assert lines[0] == "data set pets: 8 images of 2 classes in /pets (1 file read)"
    assert "  no validation image of 'dog': no head is chosen by it" in lines
    assert "  no test image of 'dog': no head is tested on it" in lines
    assert not any("no train image" in line for line in lines)


def test_files_are_counted_by_their_reason_with_the_endings():
    files = [FileReason(f"cat/{n}.bmp", f"a BMP of {n} bytes: save it as PNG") for n in range(3)]
    files += [FileReason("dog/1.heic", "install pillow-heif"), FileReason("README", "a BMP of")]
    text = ingest_text(replace(INGESTED, rejected=tuple(files)))
    assert "  rejected: 'dog/1.heic': install pillow-heif" in text.splitlines()
    assert (
        "  rejected: 3 files (3 .bmp): a BMP of 0 bytes: save it as PNG (for one, 'cat/0.bmp')"
    ) in text.splitlines()
    assert len([line for line in text.splitlines() if "rejected" in line]) == 3
    in_full = ingest_text(replace(INGESTED, rejected=tuple(files), verbose=True))
    assert len([line for line in in_full.splitlines() if "rejected" in line]) == 5


def test_more_reasons_than_can_be_read_are_counted():
    files = tuple(FileReason(f"{n}.psd", chr(97 + n)) for n in range(14))
    text = ingest_text(replace(INGESTED, ignored=files))
    assert "  ignored: and 4 more (all by flows.ingest --verbose, or in the report)" in text


def test_remarks_are_counted():
    about = RemarkCount("CMYK: converted to RGB", 24, "cat/1.jpg")
    text = ingest_text(replace(INGESTED, remark_counts=(about,)))
    assert text.splitlines()[-1] == (
        "  remark: 24 images: CMYK: converted to RGB (for one, 'cat/1.jpg')"
    )


def test_what_predict_passed_over_is_counted():
    summary = PredictSummary(
        model="abc",
        seconds=1.0,
        images=1,
        counts={"cat": 1},
        cached=0,
        computed=1,
        rejected=0,
        predictions=(PredictedImage("a.png", "cat", 1.0, "", None),),
        in_its_dataset=None,
        passed_over={".webp": 10, ".txt": 2},
        output=None,
        grid=None,
    )
    assert predict_text(summary).splitlines()[-1] == (
        "12 other files and folders were not predicted: 10 .webp, 2 .txt; expected "
        + ", ".join(IMAGE_ENDINGS)
    )


def test_a_pipeline_names_a_rejected_file_once():
    rejected = (*INGESTED.rejected, FileReason("cat/2.jpg", "changed"))
    extracted = replace(EXTRACTED, rejected=rejected)
    text = pipeline_text(PipelineSummary("", INGESTED, extracted, TRAINED, "r"))
    assert text.count("cat/1.jpg") == 1
    assert text.count("cat/2.jpg") == 1


def test_a_line_a_head_has_the_chosen_one_starred_and_those_that_failed_last():
    failed = replace(HEAD, run="b" * 64, head="dense", failure="the loss is no number", metrics={})
    known = replace(HEAD, run="c" * 64, head="ridge", cached=True, differing="")
    text = train_text(replace(TRAINED, runs=(failed, HEAD, known), folds=5))
    assert text.splitlines()[:4] == [
        "heads on pets, chosen on 5 folds:",
        f"* svm            train 1.0000  5 folds 0.5000  run {'a' * 16}  penalty 1",
        f"  ridge          train 1.0000  5 folds 0.5000  run {'c' * 16} (cached)",
        f"  dense          failed: the loss is no number  run {'b' * 16}",
    ]


def test_a_store_without_features_has_none():
    text = maintain_text(StatsSummary([], []))
    assert text.startswith("no features and no checkpoints")


def listing(**about):
    nothing = {"datasets": [], "recipes": [], "runs": [], "finetunings": [], "layers": []}
    return maintain_text(ListSummary(StoreListing(**nothing | about)))


def test_checkpoints_stand_beside_the_rest():
    kept = CheckpointStats("0123456789abcdef", 1, 3 * 2**19)
    text = maintain_text(StatsSummary([], [kept]))
    assert text == "1 checkpoint, 1.5 MiB: fine-tuning 0123456789abcdef"
    unfinished = UnfinishedFinetuning(**vars(kept), epochs=2)
    assert listing(finetunings=[unfinished]) == (
        "fine-tuning 0123456789abcdef: not finished, 2 epochs done, 1.5 MiB"
    )


def test_a_run_that_failed_is_listed_with_its_reason():
    whole = {"run": "a" * 64, "head": "dense", "dataset": "pets", "failure": ""}
    whole |= {"validation_accuracy": 0.5, "test_accuracy": None, "target": "classes"}
    ages = whole | {"target": "number", "test_mean_absolute_error": 2.5}
    ages |= {"validation_mean_absolute_error": 12345.6}
    failed = whole | {"validation_accuracy": None, "failure": "the loss is no number"}
    assert listing(runs=[whole, ages, failed]).splitlines() == [
        "run aaaaaaaaaaaaaaaa: dense on pets, validation 0.5000",
        "run aaaaaaaaaaaaaaaa: dense on pets, mean absolute error validation 12,346, test 2.5000",
        "run aaaaaaaaaaaaaaaa: dense on pets, failed: the loss is no number",
    ]


def test_groups_are_told_with_how_to_keep_them_together():
    found = replace(ONE, within=3, groups=2, largest=4, table="s/reports/pets.near-duplicates.csv")
    assert list(near_duplicates_lines(found, folds=0))[1:] == [
        "near-duplicates within splits: 3 pairs",
        "  2 groups of near-duplicates, the largest of 4 images",
        "  to keep groups in one split, add --keep-together near-duplicates, or ingest with "
        "--labels s/reports/pets.near-duplicates.csv --group group",
    ]
    assert list(near_duplicates_lines(replace(found, kept=True), folds=0))[-1] == (
        "  2 groups of near-duplicates, the largest of 4 images"
    )


def test_what_was_not_searched_is_not_denied():
    found = replace(NONE, searched=False, untold=("2,000,000 images are too many to compare",))
    assert list(near_duplicates_lines(found, folds=0)) == [
        "near-duplicates across splits: not searched: 2,000,000 images are too many to compare"
    ]


def test_a_head_is_shown_beside_one_fixed_answer_and_with_its_ties():
    metrics = HEAD.metrics | {"validation_balanced_accuracy": 0.4, "validation_macro_f1": 0.3}
    first = replace(HEAD, metrics=metrics)
    second = replace(HEAD, run="c" * 64, head="ridge")  # of an older version, without them
    said = "not better than always answering 'cat' (…): try --class-weights balanced"
    lines = train_text(replace(TRAINED, runs=(first, second), not_better=said)).splitlines()
    assert "validation 0.5000 (balanced 0.4000, macro F1 0.3000)  run" in lines[1]
    assert "validation 0.5000  run" in lines[2]
    assert f"  {said}" in lines
    assert "  tied on validation: svm (chosen), ridge" in lines


def test_a_split_by_time_is_told():
    line = "  split by time: the newest images in test, the next in validation"
    assert line in ingest_text(replace(INGESTED, split_by="time")).splitlines()
    assert line not in ingest_text(INGESTED)


def test_corrections_are_counted_with_the_way_back():
    one = Correction("cat/1.jpg", "cat", "dog")
    out = replace(one, label=None)
    told = [
        ((one, one, out), "corrections: 2 labels corrected, 1 image excluded (--corrections none"),
        ((out,), "corrections: 1 image excluded (--corrections none undoes them)"),
    ]
    for corrections, line in told:
        assert line in ingest_text(replace(INGESTED, corrections=corrections))
    assert "correct" not in ingest_text(INGESTED)
