from dataclasses import replace

import pytest

from flows.summaries.heads import PipelineSummary, TrainSummary
from flows.summaries.predictions import PredictedImage, PredictSummary
from flows.summaries.stores import ListSummary, StatsSummary
from flows.text.heads import pipeline_text, train_text
from flows.text.near_duplicates import near_duplicates_lines
from flows.text.predictions import predict_text
from flows.text.stores import ingest_text, maintain_text
from stores.dataset_summary import FileReason, RemarkCount
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
                "'cat/2.jpg': the accuracies are too high"
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
    whole |= {"validation_accuracy": 0.5, "test_accuracy": None}
    failed = whole | {"validation_accuracy": None, "failure": "the loss is no number"}
    assert listing(runs=[whole, failed]).splitlines() == [
        "run aaaaaaaaaaaaaaaa: dense on pets, validation 0.5000",
        "run aaaaaaaaaaaaaaaa: dense on pets, failed: the loss is no number",
    ]
