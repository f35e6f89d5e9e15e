from dataclasses import replace

import numpy as np
import pytest

from stores.features.store import FeatureStore
from tasks.errors import InputError
from tasks.exploration.dataset_rows import DatasetRows
from tasks.features.job import make_job
from tests.support.extraction import REQUEST, extract, write_old_folder
from tests.support.samples import RECIPE


def test_features_come_by_their_places(pets_rows, pets_store):
    stored = FeatureStore(pets_store, RECIPE).read(pets_rows.images.keys)
    places, vectors = pets_rows.vectors()
    np.testing.assert_array_equal(places, np.arange(20))
    np.testing.assert_array_equal(vectors, stored)
    places, vectors = pets_rows.vectors(np.array([7, 3]))
    np.testing.assert_array_equal(vectors[np.argsort(places)], stored[[3, 7]])


def test_what_is_missing_is_computed_and_not_stored(tiny, tmp_path, store):
    done = extract(write_old_folder(tmp_path / "pets"), store)
    job = make_job(replace(REQUEST, image_size=12), store=store, engine="keras")
    rows = DatasetRows(done.manifest, job)
    (tmp_path / "pets/cats/0004.png").write_bytes(b"")
    tiny.read_diary()
    places, vectors = rows.vectors()
    assert len(tiny.read_diary()) == len(places) == len(vectors) == 19  # one cannot be read
    assert FeatureStore(store, job.recipes[0]).missing(rows.images.keys).all()
    assert rows.paths.index("cats/0004.png") not in places


def test_no_images_are_a_mistake_that_is_told(pets_rows):
    empty = replace(
        pets_rows, manifest=replace(pets_rows.manifest, rows=pets_rows.manifest.rows[:0])
    )
    with pytest.raises(InputError, match="'pets' has no image that can be used"):
        empty.vectors()
