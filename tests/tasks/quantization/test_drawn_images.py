"""The images of the calibration and of the gate are train images, drawn by seed and content."""

from dataclasses import replace

import numpy as np
import pytest

from tasks.datasets.ingest import ingest
from tasks.errors import InputError
from tasks.features.job import make_job
from tasks.quantization import drawn_images
from tasks.quantization.drawn_images import Drawn
from tests.support.extraction import REQUEST, write_folder, write_image


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("photos") / "photos", count=40)


@pytest.fixture
def manifest(photos, tmp_path):
    return ingest(photos, store=tmp_path / "store").manifest


@pytest.fixture
def recipe(tiny):
    return make_job(REQUEST, store="unused", engine="keras").recipes[0]


def test_train_images_alone_are_drawn_each_once(manifest):
    drawn = Drawn.of(manifest)
    assert set(map(bytes, drawn.images.keys)) == set(map(bytes, manifest.select("train").keys))
    paths = drawn.images.paths.to_pylist()
    classes = [manifest.classes[number] for number in drawn.images.labels]
    assert [path.split("/")[0] for path in paths] == classes


def test_another_seed_draws_others_and_the_order_of_files_none(manifest, monkeypatch):
    monkeypatch.setattr(drawn_images, "CALIBRATION_IMAGES", 10)
    first = Drawn.of(manifest)
    backwards = replace(manifest, rows=manifest.rows.take(np.arange(len(manifest.rows))[::-1]))
    assert Drawn.of(backwards).calibration_keys == first.calibration_keys
    assert Drawn.of(replace(manifest, split_seed=1)).calibration_keys != first.calibration_keys


def test_the_calibration_has_the_first_of_them_as_the_recipe_has_them(
    manifest, recipe, monkeypatch
):
    monkeypatch.setattr(drawn_images, "CALIBRATION_IMAGES", 10)
    drawn = Drawn.of(manifest)
    pixels = drawn.calibration(recipe)
    with drawn.batches(recipe) as batches:
        expected = np.concatenate([batch.pixels for batch in batches])
    assert pixels.shape == (10, *recipe.image_size, 3)
    assert np.abs(pixels - expected[:10]).max() <= 0.5


def test_a_file_that_changed_is_named(photos, recipe, tmp_path):
    folder = write_folder(tmp_path / "mine", count=30)
    manifest = ingest(folder, store=tmp_path / "store").manifest
    drawn = Drawn.of(manifest)
    path = drawn.images.paths[0].as_py()
    write_image(folder / path, 99)
    with pytest.raises(InputError, match=f"{path}: changed since .*ingest again"):
        drawn.calibration(recipe)


def test_too_few_images_are_refused_with_what_to_do(tmp_path):
    folder = write_folder(tmp_path / "few", count=10)
    manifest = ingest(folder, store=tmp_path / "store").manifest
    with pytest.raises(InputError, match=r"at least 5 train images.*received cats \(3\), dogs \(3"):
        Drawn.of(manifest)


def test_images_without_labels_are_refused(tmp_path):
    for number in range(20):
        write_image(tmp_path / "plain" / f"{number}.png", number)
    manifest = ingest(tmp_path / "plain", store=tmp_path / "s", layout="unlabelled").manifest
    with pytest.raises(InputError, match="no labels"):
        Drawn.of(manifest)
