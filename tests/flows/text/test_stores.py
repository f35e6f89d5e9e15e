import pytest

from flows.text.heads import tell_pipeline
from flows.text.near_duplicates import tell_leaks
from flows.text.predictions import tell_predict
from flows.text.stores import tell_ingest, tell_maintain

INGESTED = {
    "dataset": "pets",
    "folder": "/pets",
    "images": 8,
    "classes": ["cat", "dog"],
    "read": 1,
    "counts": {
        "cat": {"train": 4, "validation": 1, "test": 1},
        "dog": {"train": 1, "validation": 0, "test": 0},
    },
    "largest_class": "cat",
    "largest_class_accuracy": 0.75,
    "duplicates": 1,
    "rejected": [{"path": "cat/1.jpg", "reason": "the file is empty"}],
    "ignored": [],
    "remarks": [],
    "remark_counts": [],
    "notes": [],
}


NONE = {"pairs": 0, "crowded": 0, "untold": [], "example": []}
ONE = NONE | {"pairs": 1, "example": ["cat/1.jpg", "cat/2.jpg"]}


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
            NONE | {"untold": ["30 images are too few"]},
            0,
            ["near-duplicates across splits: not all can be found: 30 images are too few"],
        ),
        (
            NONE | {"crowded": 2},
            0,
            [
                "near-duplicates across splits: 2 pairs may be copies, among many images that are "
                "all alike"
            ],
        ),
    ],
)
def test_near_duplicates_are_counted_and_never_denied_unseen(found, folds, expected):
    assert list(tell_leaks({"near_duplicates": found, "folds": folds})) == expected


def test_a_class_that_a_split_lacks_is_told():
    lines = tell_ingest(INGESTED).splitlines()
    assert lines[0] == "data set pets: 8 images of 2 classes in /pets (1 file read)"
    assert "  no validation image of 'dog': no head is chosen by it" in lines
    assert "  no test image of 'dog': no head is tested on it" in lines
    assert not any("no train image" in line for line in lines)


def test_remarks_are_told_by_their_count():
    about = {"remark": "CMYK: converted to RGB", "images": 24, "example": "cat/1.jpg"}
    told = tell_ingest(INGESTED | {"remark_counts": [about]})
    assert told.splitlines()[-1] == (
        "  remark: 24 images: CMYK: converted to RGB (for one, 'cat/1.jpg')"
    )


def test_what_predict_passed_over_is_told():
    said = {"path": "a.png", "predicted": "cat", "score": 1.0, "reason": ""}
    counts = {"images": 1, "counts": {"cat": 1}, "computed": 1, "cached": 0, "rejected": 0}
    files = {"output": None, "grid": None, "passed_over": {".webp": 10, ".txt": 2}}
    told = tell_predict(
        {"predictions": [said], "seconds": 1.0, "in_its_dataset": None} | counts | files
    )
    assert told.splitlines()[-1] == (
        "12 other files and folders were not predicted: 10 .webp, 2 .txt; expected .bmp, .gif, "
        ".jpeg, .jpg, .png"
    )


def test_a_pipeline_tells_a_rejected_file_once():
    extracted = {
        "dataset": "pets",
        "computed": 0,
        "cached": 7,
        "duplicates": 1,
        "seconds": 1.0,
        "checked": 0,
        "agreement": None,
        "recipes": [],
        "notes": [],
        "rejected": [*INGESTED["rejected"], {"path": "cat/2.jpg", "reason": "changed"}],
    }
    trained = {"dataset": "pets", "runs": [], "test_accuracy": None, "folds": 0, "remarks": []}
    trained |= {"near_duplicates": NONE, "selection": None}
    told = tell_pipeline(
        {"about": "", "ingest": INGESTED, "extract": extracted, "train": trained, "report": "r"}
    )
    assert told.count("cat/1.jpg") == 1
    assert told.count("cat/2.jpg") == 1


def test_a_store_without_features_has_none():
    told = tell_maintain({"action": "stats", "stats": [], "checkpoints": []})
    assert told.startswith("no features and no checkpoints")


def test_checkpoints_are_told_beside_the_rest():
    kept = {"run": "0123456789abcdef", "checkpoints": 1, "bytes": 3 * 2**19, "epochs": 2}
    told = tell_maintain({"action": "stats", "stats": [], "checkpoints": [kept]})
    assert told == "1 checkpoint, 1.5 MiB: fine-tuning 0123456789abcdef"
    listed = {"datasets": [], "recipes": [], "runs": [], "finetunings": [kept], "layers": []}
    assert tell_maintain({"action": "list", "list": listed}) == (
        "fine-tuning 0123456789abcdef: not finished, 2 epochs done, 1.5 MiB"
    )


def test_a_run_that_failed_is_listed_with_its_reason():
    whole = {"run": "a" * 64, "head": "dense", "dataset": "pets", "failure": ""}
    whole |= {"validation_accuracy": 0.5, "test_accuracy": None}
    failed = whole | {"validation_accuracy": None, "failure": "the loss is no number"}
    listed = {
        "datasets": [],
        "recipes": [],
        "runs": [whole, failed],
        "finetunings": [],
        "layers": [],
    }
    assert tell_maintain({"action": "list", "list": listed}).splitlines() == [
        "run aaaaaaaaaaaaaaaa: dense on pets, validation 0.5000",
        "run aaaaaaaaaaaaaaaa: dense on pets, failed: the loss is no number",
    ]
