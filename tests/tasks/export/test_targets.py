"""Runs of several labels and of a number: predicted, exported, and predicted by the export."""

import json
from functools import partial

import numpy as np
import pytest
import tensorflow as tf

from stores.runs.store import RunStore
from tasks.errors import InputError
from tasks.export.described_outputs import as_json, from_json
from tasks.export.format_names import PLACES
from tasks.export.load import load_exported, predict_by
from tasks.export.model_card import model_card
from tasks.export.write import export
from tasks.heads.presets import make_head
from tasks.inference.predict import load_classifier, predict
from tasks.inference.prediction_columns import as_table
from tasks.inference.probabilities import coverage_rule, with_probabilities
from tasks.training.planned_runs import PlannedRun
from tasks.training.train import train
from tests.support.extraction import extract, write_old_folder
from tests.support.targets import SEPARATOR, relabelled

# Two formats for each, which takes half of the time that three take.
FORMATS = {"labels": ["saved-model", "keras"], "number": ["saved-model", "openvino"]}


@pytest.fixture(scope="module", params=["labels", "number"])
def made(request, tmp_path_factory):
    """A run's classifier, its predictions of all images, and the folder of its export."""
    place = tmp_path_factory.mktemp(request.param)
    store = place / "store"
    done = extract(write_old_folder(place / "pets"), store, backbone="lenet5", image_size=32)
    manifest = relabelled(done.manifest, request.param, store)
    head = make_head("ridge", {}, classes=len(manifest.classes), target=manifest.target)
    asked = {"weights": "none", "backbone": "lenet5"}
    (run_id,) = train([PlannedRun(manifest, done.job.recipes[0], head, 0, asked)], store=store)
    run = RunStore(store).read(run_id)
    classifier = load_classifier(run, store=store)
    paths = sorted((place / "pets").rglob("*.png"))
    expected = list(zip(paths, predict(paths, classifier, batch_size=8), strict=True))
    card = partial(model_card, run, manifest, classifier, store)
    found = export(
        classifier, expected, place / "model", formats=FORMATS[manifest.target], card=card
    )
    assert all(one.within_tolerance and one.images == 20 for one in found.values())
    return classifier, expected, place / "model"


@pytest.mark.parametrize("format_", [0, 1])
def test_each_format_predicts_what_the_run_does(made, format_):
    classifier, expected, folder = made
    name = FORMATS[classifier.target][format_]
    model = load_exported(folder / PLACES[name])
    told = list(predict_by([path for path, _ in expected], model))
    pairs = [
        (one.predicted, other.predicted) for one, (_, other) in zip(told, expected, strict=True)
    ]
    if classifier.target == "labels":
        assert all(one == other for one, other in pairs)
        assert len({one for one, _ in pairs}) > 1
    else:
        assert [one for one, _ in pairs] == pytest.approx([other for _, other in pairs], abs=0.01)
    assert model.separator == (SEPARATOR if classifier.target == "labels" else "")
    assert as_json(classifier) == as_json(model)


def test_a_table_has_the_labels_as_a_text_and_the_number_with_its_interval(made):
    classifier, expected, _ = made
    of_labels = classifier.target == "labels"
    rule = None
    if of_labels:
        with pytest.raises(InputError, match=r"--coverage 0\.5: the model predicts several labels"):
            coverage_rule(classifier.calibrated, classifier.classes, 0.5, kind="lac")
    else:
        rule = coverage_rule(classifier.calibrated, classifier.classes, 0.5, kind="lac")
    found = classifier.calibrated
    told = [one for _, one in expected]
    told = with_probabilities(told, found, classes=classifier.classes, rule=rule)
    rows = as_table(told, classifier.classes, classifier.target, classifier.separator).to_pylist()
    if of_labels:
        for row, one in zip(rows, told, strict=True):
            assert row["predicted"] == SEPARATOR.join(one.predicted)
            assert "probability" not in row
            shares = [row[f"probability of {name}"] for name in classifier.classes]
            limits = found.calibration.probabilities(found.lowest[np.newaxis])[0]
            above = np.array(classifier.classes)[np.array(shares) >= limits]
            assert tuple(above) == one.predicted  # the same by calibrated thresholds
        return
    held = [one for one in rows if one["low"] <= one["predicted"] <= one["high"]]
    assert len(held) == len(rows) == 20
    assert {round(row["high"] - row["low"], 6) for row in rows} == {round(2 * rule.half_width, 6)}
    assert not any(name.startswith("probability") for name in rows[0])


def test_a_saved_model_needs_no_gargalo_and_the_card_says_what_it_returns(made):
    classifier, expected, folder = made
    predict_bytes = tf.saved_model.load(folder / "saved_model").signatures["serving_default"]
    answer = predict_bytes(bytes=tf.constant([path.read_bytes() for path, _ in expected]))
    card = (folder / "README.md").read_text()
    if classifier.target == "number":
        assert answer["number"].shape == (20, 1)
        assert "* **Returns** a number, the predicted age." in card
        assert "On 4 images of validation: mean absolute error" in card
        assert "* **Intervals** hold the true number of a given share of new images" in card
        return
    has = np.array([[name in one.predicted for name in classifier.classes] for _, one in expected])
    assert np.array_equal(answer["has"], has)
    assert "An image classifier of several labels" in card
    assert "Each has the best F1 on held-out images" in card
    assert "| label | images | average precision | F1 | precision | recall | threshold |" in card


@pytest.mark.parametrize(
    "wrong",
    [
        {"target": "boxes"},
        {"labels": None},
        {"separator": "a"},
        {"thresholds": [0.5]},
        {"thresholds": [0.5, float("nan")]},
        {"calibration": {"slope": -1.0, "offset": 0.0, "images": 3, "why_not": ""}},
        {"target": "number", "number": "age", "residuals": [-1.0], "groups": None, "why_not": ""},
        {"target": "number", "number": "age", "residuals": [1.0], "groups": [1, 2], "why_not": ""},
    ],
)
def test_what_no_export_wrote_is_refused(wrong):
    about = {"target": "labels", "labels": ["a", "b"], "separator": "|", "scores": "probability"}
    about |= {"thresholds": [0.5, 0.4]}
    about |= {"calibration": {"slope": 2.0, "offset": 0.0, "images": 30, "why_not": ""}}
    assert from_json(json.loads(json.dumps(about))).target == "labels"
    with pytest.raises((ValueError, TypeError, KeyError)):
        from_json(about | wrong)
