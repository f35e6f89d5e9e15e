import json

import pytest
from PIL import Image

from flows.parameters.runs import PredictParameters
from flows.predict import rule_of
from tasks.errors import InputError
from tasks.export.described_outputs import from_json
from tasks.export.load import ExportedModel

SMALL = ("--image-size", "32")


@pytest.fixture
def run_id(once, run_json, photos):
    asked = (photos, *SMALL, "--head", "logistic")
    return once(lambda: run_json("pipeline", *asked))["train"]["run"]


def test_images_are_said_in_a_table_a_file_and_a_picture(run, run_id, photos, tmp_path):
    new = tmp_path / "new.png"
    Image.new("RGB", (50, 40), (240, 60, 60)).save(new)
    (tmp_path / "bad.jpg").touch()
    outputs = ("--output", tmp_path / "said.jsonl", "--grid", tmp_path / "grid.png")
    outputs += ("--coverage", "0.5", "--sets", "aps")
    code, output, _ = run("predict", run_id[:12], photos, new, tmp_path / "bad.jpg", *outputs)
    assert code == 0
    assert "features of 1 computed, 30 cached, 1 rejected" in output
    rows = [json.loads(line) for line in (tmp_path / "said.jsonl").read_text().splitlines()]
    assert len(rows) == 32
    tested = [row for row in rows if row["split"] == "test"]
    assert f"and {len(tested)} test images" in output
    assert rows[-2]["split"] is None
    assert [row["predicted"] for row in rows[-2:]] == ["reddish", None]
    assert sum(value for name, value in rows[-2].items() if "probability of " in name) == (
        pytest.approx(1)
    )
    # Too few are held out to calibrate probabilities, and enough for sets with half of the images.
    assert "probabilities are not calibrated: only 4 held-out images, expected at least" in output
    assert "sets with the true class of 50% of images (aps, by 4 held-out images): " in output
    assert "training images: a level of 0.01 needs 99 held-out images, the run has 4" in output
    assert rows[-2]["novelty"] >= 1 / 5 - 1e-9
    assert rows[0]["nearest"][0].endswith(rows[0]["path"].rsplit("/")[-1])  # a training image
    assert (rows[-2]["set"][0], rows[-1]["set"]) == ("reddish", None)
    with Image.open(tmp_path / "grid.png") as picture:
        assert picture.size[0] > 500


def test_by_costs_the_class_with_the_least_expected_cost_is_predicted(run_json, run_id, photos):
    plain = run_json("predict", run_id, photos)
    dear, rare = list(plain["counts"])[:2]
    found = run_json("predict", run_id, photos, "--cost", f"{dear}=1e9")
    assert found["counts"] == dict.fromkeys(plain["counts"], 0) | {dear: 30}
    assert found["changed_by_costs"] == 30 - plain["counts"][dear] >= plain["counts"][rare] > 0
    both = zip(plain["predictions"], found["predictions"], strict=True)
    assert all(one["probability"] >= other["probability"] for one, other in both)
    assert plain["changed_by_costs"] is None


def test_nothing_but_bad_images_is_no_success(run, run_id, tmp_path):
    (tmp_path / "bad.jpg").touch()
    code, output, _ = run("predict", run_id, tmp_path / "bad.jpg")
    assert code == 1
    assert "1 rejected" in output


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (("0123", "photos"), "no run '0123'"),
        (("RUN", "nowhere.png"), "nowhere.png: not found; give an image file"),
        (("RUN", "/dev/null"), "/dev/null: a device, expected a file or a folder"),
        (("RUN", "photos", "--output", "said.txt"), "expected a file name that ends in .csv"),
        (("RUN", "photos", "--output", "no/said.csv"), "folder no not found; create it"),
        (("RUN", "photos", "--grid", "said.docx"), "expected a file name that ends in .png"),
        (("RUN", "photos", "--weights", "none.h5"), "--weights none.h5: file not found"),
        (("RUN", "photos", "--coverage", "0.9"), "needs 9 held-out images, found 4; give at most"),
        (("RUN", "photos", "--novelty", "0.01"), "needs 99 held-out images, the run has 4"),
        (("RUN", "photos", "--novelty", "0"), "--novelty: Input should be greater than 0. Rec"),
        (("RUN", "photos", "--coverage", "1"), "--coverage: Input should be less than 1. Rec"),
        (("RUN", "photos", "--coverage", "nan"), "--coverage: Input should be less than 1. Rec"),
        (("RUN", "photos", "--coverage-by", "class"), "--coverage-by class: needs --coverage"),
        (("RUN", "photos", "--cost", "red=5"), "--cost red=5: expected CLASS=NUMBER, with a class"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(run, run_id, arguments, match):
    told = [run_id if word == "RUN" else word for word in arguments]
    code, _, errors = run("predict", *told)
    assert (code, errors.count("\n")) == (2, 1)
    assert match in errors


def test_a_model_that_an_earlier_version_exported_has_no_sets_and_says_why():
    outputs = from_json({"classes": ["a", "b"], "scores": "margin"})
    model = ExportedModel(lambda _: None, outputs)
    with pytest.raises(InputError, match=r"0\.9: no held-out images to calibrate by: exported by"):
        rule_of(model, PredictParameters(coverage=0.9))
    assert rule_of(model, PredictParameters()) is None
