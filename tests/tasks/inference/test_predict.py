import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest

from stores.features.store import FeatureStore
from stores.keys import ImageKey
from stores.runs.store import RunStore
from tasks.datasets.find_images import find_images
from tasks.errors import InputError, WeightsError
from tasks.evaluation.calibrated import calibrated_run
from tasks.evaluation.prediction_sets import SetRule
from tasks.export.described_outputs import Outputs
from tasks.export.load import ExportedModel, predict_by
from tasks.heads.presets import make_head
from tasks.images.image_check import examine
from tasks.inference.predict import load_classifier, predict
from tasks.inference.prediction_columns import as_table
from tasks.inference.probabilities import with_probabilities
from tasks.inference.table_files import write_table
from tasks.training.planned_runs import PlannedRun
from tasks.training.train import train
from tests.support.extraction import extract, write_folder, write_image, write_old_folder
from tests.support.images import encoded, every_kind, pixels, refused_images, rotated, write
from tests.support.samples import flip


@pytest.fixture
def extracted(tiny, tmp_path, store):
    done = extract(write_old_folder(tmp_path / "pets"), store)
    tiny.read_diary()
    return done


def run_of(extracted, store, kind="logistic"):
    head = make_head(kind, {}, classes=2)
    parameters = {"weights": "none", "backbone": "tiny"}
    recipe = extracted.job.recipes[0]
    (run,) = train([PlannedRun(extracted.manifest, recipe, head, 0, parameters)], store=store)
    return RunStore(store).read(run)


@pytest.fixture
def run(extracted, store):
    return run_of(extracted, store)


def said(paths, run, store, **options):
    classifier = load_classifier(run, store=store, engine="keras", **options)
    return list(predict(paths, classifier, batch_size=4))


def test_images_of_the_data_set_get_what_the_run_says_and_are_not_computed(
    tiny, run, store, tmp_path
):
    folder = tmp_path / "pets"
    told = {one.path: one for one in said(find_images([folder]).paths, run, store)}
    assert not tiny.read_diary()
    assert all(one.cached for one in told.values())
    stored = {row["key"]: row for row in RunStore(store).predictions(run.id).to_pylist()}
    images = run_images(store)
    assert len(told) == 20
    for key, path in images:
        one, row = told[str(folder / path)], stored[key]
        assert one.predicted == row["predicted"]
        assert one.scores == pytest.approx(row["scores"])


def test_an_image_whose_key_is_known_is_read_only_to_compute_its_features(
    tiny, run, store, tmp_path
):
    found = find_images([Path("pets")], store=store)
    told = said(found.paths, run, store)
    shutil.rmtree(tmp_path / "pets" / "cats")
    classifier = load_classifier(run, store=store, engine="keras")
    known = list(predict(found.paths, classifier, batch_size=4, known=found.known))
    assert [one.scores for one in known] == [one.scores for one in told]
    new = write_image(tmp_path / "new.png", seed=600)
    keys = {new: ImageKey.of(new.read_bytes()), tmp_path / "gone.png": ImageKey.of(b"gone")}
    computed, gone = predict(list(keys), classifier, batch_size=4, known=keys)
    assert (computed.cached, bool(computed.predicted)) == (False, True)
    assert "No such file" in gone.reason


def run_images(store):
    from stores.manifest import Manifest

    images = Manifest.read(store, "pets").select("train", "validation")
    return [
        (bytes(key), path) for key, path in zip(images.keys, images.paths.to_pylist(), strict=True)
    ]


def test_new_images_are_computed_once_as_extract_would(tiny, extracted, run, store, tmp_path):
    new = write_folder(tmp_path / "new", count=6)
    write_image(new / "cats/0000.png", seed=500)
    paths = find_images([new, tmp_path / "pets/cats"]).paths
    told = said(paths, run, store)
    assert len(told) == len(paths) == 16
    assert sum(not one.cached for one in told) == len(tiny.read_diary()) == 1
    # The same through the store.
    again = extract(new, store)
    head = load_classifier(run, store=store).head
    scores = dict(
        zip(
            again.manifest.select().paths.to_pylist(),
            head.scores(again.features(store)),
            strict=True,
        )
    )
    for one in told[:6]:
        assert one.scores == pytest.approx(
            scores[os.path.relpath(one.path, new)].tolist(), abs=1e-5
        )


def test_images_stand_in_their_order_whatever_is_cached(run, store, tmp_path):
    new = [write_image(tmp_path / f"new/{n}.png", seed=900 + n) for n in range(9)]
    old = find_images([tmp_path / "pets"]).paths
    mixed = [path for pair in zip(new, old, strict=False) for path in pair]
    assert [one.path for one in said(mixed, run, store)] == [str(path) for path in mixed]


@pytest.mark.parametrize("kind", ["dense", "svm", "ridge", "knn", "centroid"])
def test_every_kind_of_head_predicts(extracted, store, tmp_path, kind):
    run = run_of(extracted, store, kind)
    new = write_image(tmp_path / "new.png", seed=77)
    (one,) = said([new], run, store)
    assert one.predicted in {"cats", "dogs"}
    found = calibrated_run(RunStore(store), run)
    (told,) = with_probabilities([one], found, classes=run.classes)
    assert told.scores == one.scores
    assert run.classes[int(np.argmax(told.probabilities))] == one.predicted
    assert sum(told.probabilities) == pytest.approx(1)


def test_a_bad_image_is_a_row_with_a_reason_and_the_others_are_said(run, store, tmp_path):
    good = write_image(tmp_path / "mixed/a.png", seed=1)
    write(tmp_path / "mixed/b.png", good.read_bytes()[:60])
    write(tmp_path / "mixed/c.jpg", b"")
    write_image(tmp_path / "mixed/d.png", seed=2)
    told = said(find_images([tmp_path / "mixed"]).paths, run, store)
    assert [bool(one.predicted) for one in told] == [True, False, False, True]
    assert "cannot be decoded" in told[1].reason
    assert told[2].reason


def test_an_image_that_does_not_fit_is_a_row_with_a_reason(tiny, tmp_path, store):
    folder = write_old_folder(tmp_path / "pets")
    run = run_of(extract(folder, store, aspect_ratio="pad"), store)
    thin = write_image(tmp_path / "new/thin.png", seed=3, size=(400, 1))
    good = write_image(tmp_path / "new/a.png", seed=4)
    told = said([thin, good], run, store)
    assert "so thin" in told[0].reason
    assert told[1].predicted


def test_images_of_any_number_of_channels_are_said(run, store, tmp_path):
    for name, content in every_kind().items():
        write(tmp_path / "kinds" / name, content)
    told = said(find_images([tmp_path / "kinds"]).paths, run, store)
    assert all(one.predicted for one in told)
    assert len(told) == len(every_kind())


def test_a_damaged_feature_is_computed_again(tiny, extracted, run, store, tmp_path):
    (shard,) = FeatureStore(store, extracted.job.recipes[0]).folder.glob("shards/*.h5")
    flip(shard, shard.stat().st_size - 8)
    told = said(find_images([tmp_path / "pets"]).paths, run, store)
    assert all(one.predicted for one in told)
    assert any(not one.cached for one in told)


def test_weights_that_are_others_are_refused(run, store, tmp_path):
    other = replace(run, parameters=run.parameters | {"weights": "nowhere.h5"})
    with pytest.raises(WeightsError, match="file not found"):
        load_classifier(other, store=store)
    others = write(tmp_path / "others.h5", b"others")
    with pytest.raises(WeightsError, match=r"others.h5: expected none:seed=0.*; received sha256:"):
        load_classifier(run, store=store, weights=str(others))


def test_a_recipe_that_is_gone_is_said(extracted, run, store):
    shutil.rmtree(FeatureStore(store, extracted.job.recipes[0]).folder)
    with pytest.raises(InputError, match="recipe of its features is not in the store"):
        load_classifier(run, store=store)


def test_predict_refuses_what_ingest_refuses(run, store, tmp_path):
    for name, content in refused_images().items():
        write(tmp_path / "new" / name, content)
    os.mkfifo(tmp_path / "new/camera.jpg")
    write_image(tmp_path / "new/good.png", seed=8)
    paths = find_images([tmp_path / "new"]).paths
    expected = {str(path): examine(path).reason for path in paths}
    told = {one.path: one.reason for one in said(paths, run, store)}
    assert told == expected
    assert [path.name for path in paths if not expected[str(path)]] == ["good.png"]
    scorer = lambda contents: np.zeros((len(contents), 2))  # noqa: E731
    model = ExportedModel(scorer, Outputs("classes", ("a", "b"), "margin", None))
    assert {one.path: one.reason for one in predict_by(paths, model)} == expected


def test_a_rotated_photograph_is_predicted_as_in_the_runs_training(tiny, run, store, tmp_path):
    photograph = pixels(0, 48, 64)
    upright = write(tmp_path / "upright.png", encoded(photograph, "PNG"))
    phone = write(tmp_path / "phone.png", rotated(photograph, 6, "PNG"))
    first, second = said([upright, phone], run, store)
    assert first.scores == pytest.approx(second.scores)
    as_stored = replace(run, parameters=run.parameters | {"orientation": "stored"})
    first, second = said([upright, phone], as_stored, store)
    assert first.scores != pytest.approx(second.scores)
    assert second.key == ImageKey.of(phone.read_bytes())


def test_a_run_on_images_as_stored_says_so_and_any_other_does_not(extracted, store):
    assert "orientation" not in run_of(extracted, store).parameters
    manifest = replace(extracted.manifest, orientation="stored")
    run = run_of(replace(extracted, manifest=manifest), store, kind="svm")
    assert load_classifier(run, store=store).orientation == "stored"


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".json", ".jsonl"])
def test_predictions_are_a_table_in_each_format(run, store, tmp_path, ending):
    bad = write(tmp_path / os.fsdecode(b"bad \xff.png"), b"")
    good = write_image(tmp_path / "good.png", seed=5)
    classifier = load_classifier(run, store=store, engine="keras")
    rule = SetRule(0.9, "lac", None, np.array([1.0, 1.0]), 9)
    told = with_probabilities(
        list(predict([good, bad], classifier, batch_size=4)),
        classifier.calibrated,
        classes=classifier.classes,
        rule=rule,
    )
    path = tmp_path / f"out{ending}"
    write_table(as_table(told, classifier.classes), path)
    first, second = read(path)
    assert (first["path"], first["predicted"]) == (str(good), told[0].predicted)
    scores = [first[f"probability of {name}"] for name in ("cats", "dogs")]
    assert scores == pytest.approx(told[0].probabilities)
    assert first["probability"] == pytest.approx(max(scores))
    listed = json.loads(first["set"]) if ending == ".csv" else first["set"]
    assert (sorted(listed), first["unsure"]) == (["cats", "dogs"], True)
    assert not second["set"]
    assert second["path"].endswith("bad \\xff.png")
    assert second["reason"]
    assert not second["predicted"]


def read(path: Path):
    if path.suffix == ".csv":
        return pc.read_csv(path).to_pylist()
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
    if path.suffix == ".json":
        return json.loads(path.read_text())
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_scores_are_those_of_float16_features_where_these_are_stored(tiny, tmp_path, store):
    folder = write_old_folder(tmp_path / "pets")
    done = extract(folder, store, dtype="float16", pooling="none")
    run = run_of(done, store)
    cached = said(find_images([folder]).paths, run, store)
    for path in (store / "features").glob("*/shards/*.h5"):
        path.unlink()
    computed = said(find_images([folder]).paths, run, store)
    assert not any(one.cached for one in computed)
    np.testing.assert_allclose(
        [one.scores for one in computed], [one.scores for one in cached], atol=1e-3
    )
