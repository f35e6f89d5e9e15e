"""A store that an earlier version wrote is read as it is, and nothing is computed again."""

import shutil

import pytest

from stores import Manifest, RunStore
from tasks.datasets.ingest import ingest
from tasks.features.extract import find_missing
from tasks.features.job import make_job
from tasks.features.request import FeatureRequest
from tasks.heads.presets import make_head
from tasks.maintenance.maintain import verify
from tasks.training.planned_runs import PlannedRun
from tests.support.places import ROOT

# Of 16 images by `flows.pipeline`: run format 4, manifest format 2, before modules had rooms.
ARCHIVED = ROOT / "tests/stores/archived/before-the-rooms"
# Of the same images with groups, and without the features: run format 5, manifest format 3, before
# a data set had a target.
GROUPED = ROOT / "tests/stores/archived/before-the-targets"
REQUEST = FeatureRequest("efficientnet_lite0", image_size=32, dtype="float16")


@pytest.fixture
def store(tmp_path):
    return shutil.copytree(ARCHIVED / "store", tmp_path / "store")


def test_it_is_whole(store):
    assert {name: found for name, found in verify(store).items() if found} == {}


def test_nothing_is_computed_again(store, tmp_path):
    images = shutil.copytree(ARCHIVED / "images", tmp_path / "images")
    before = Manifest.read(store, "shapes")
    manifest = ingest(images, store=store, dataset="shapes").manifest
    assert manifest.digest == before.digest
    job = make_job(REQUEST, store=store, engine="keras")
    assert (store / "features" / job.recipes[0].fingerprint[:16]).is_dir()
    assert find_missing(manifest, job, store=store) == []


@pytest.mark.parametrize("archived", [ARCHIVED, GROUPED], ids=lambda path: path.name)
def test_heads_are_the_same_runs(archived, tmp_path):
    store = shutil.copytree(archived / "store", tmp_path / "store")
    manifest = Manifest.read(store, "shapes")
    (recipe,) = make_job(REQUEST, store=store, engine="keras").recipes
    asked = {"logistic": {}, "dense": {"epochs": 5}}
    for kind, settings in asked.items():
        head = make_head(kind, settings, classes=2)
        assert PlannedRun(manifest, recipe, head, 0, {}).id in RunStore(store)


def test_without_a_target_it_is_of_classes(tmp_path):
    store = shutil.copytree(GROUPED / "store", tmp_path / "store")
    images = shutil.copytree(ARCHIVED / "images", tmp_path / "images")
    before = Manifest.read(store, "shapes")
    assert (before.target, before.label_separator) == ("classes", "")
    manifest = ingest(images, store=store, dataset="shapes").manifest
    assert (manifest.digest, manifest.grouping) == (before.digest, before.grouping)
    runs, tested = RunStore(store), 0
    for row in runs.table().to_pylist():
        run = runs.read(row["run"])
        assert (row["target"], run.target) == ("classes", "classes")
        assert {"label", "predicted", "group"} <= set(runs.predictions(run.id).column_names)
        tested += len(runs.openings(run.id))
    assert tested == 1
    assert not any(runs.verify().values())
