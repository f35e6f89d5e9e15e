import json

import pytest

SMALL = ("--image-size", "32")


@pytest.fixture
def run_id(once, run_json, photos):
    asked = (photos, *SMALL, "--head", "logistic")
    return once(lambda: run_json("pipeline", *asked))["train"]["run"]


def test_a_run_is_exported_with_a_card(run, run_id, tmp_path):
    code, output, _ = run("export", run_id[:12], "model", "--format", "keras")
    assert code == 0
    assert "the same labels on 4 validation images" in output
    assert {path.name for path in (tmp_path / "model").iterdir()} == {
        "README.md",
        "classes.json",
        "model.keras",
    }
    card = (tmp_path / "model/README.md").read_text()
    assert "Apache-2.0" in card
    assert "keras.saving.load_model" in card
    assert json.loads((tmp_path / "model/classes.json").read_text())["scores"] == "probability"


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (("0123", "model"), "no run '0123'"),
        (("RUN", "photos"), "photos: already exists; give another folder, or --force"),
        (("RUN", "photos", "--force"), "photos: not an exported model"),
        (("RUN", "no/model"), "folder no not found; create it"),
        (("RUN", "model", "--format", "onxx"), "saved-model"),
        (("RUN", "model", "--weights", "none.h5"), "--weights none.h5: file not found"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(run, run_id, arguments, match, tmp_path):
    code, _, errors = run("export", *(run_id if word == "RUN" else word for word in arguments))
    assert (code, errors.count("\n")) == (2, 1)
    assert match in errors
    assert not (tmp_path / "model").exists()
    assert (tmp_path / "photos/reddish/0.png").exists()


def test_without_a_validation_image_there_is_nothing_to_compare_with(run, run_id, run_json, photos):
    run_json("ingest", photos, "--dataset", "photos")  # the folder of this test, not a copy's
    for path in photos.rglob("*.png"):
        path.unlink()
    run_json_fails, _, errors = run("export", run_id, "model")
    assert run_json_fails == 2
    assert "none of its validation images" in errors


def test_settings_of_keras_are_refused_before_images_are_predicted(run, run_id, monkeypatch):
    monkeypatch.setenv("ONEDNN_DEFAULT_FPMATH_MODE", "bf16")
    monkeypatch.setattr("flows.export.predict", None)
    code, _, errors = run("export", run_id, "model")
    assert (code, errors.count("\n")) == (2, 1)
    assert "ONEDNN_DEFAULT_FPMATH_MODE=bf16: products of float32 would be rounded" in errors
