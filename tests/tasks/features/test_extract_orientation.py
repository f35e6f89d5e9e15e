"""Features of a photograph are those of the upright one, however the camera was held."""

import numpy as np

from stores import FeatureStore
from tasks.datasets.ingest import ingest
from tasks.features.agreement import agreement
from tests.support.extraction import extract, extract_from, write_folder
from tests.support.images import encoded, pixels, rotated, write

PHOTOGRAPH = pixels(0, 48, 64)


def test_all_eight_orientations_have_the_features_of_the_upright_one(tmp_path, store):
    folder = write_folder(tmp_path / "pets", count=4)
    write(folder / "cats/upright.png", encoded(PHOTOGRAPH, "PNG"))
    for number in range(1, 9):
        write(folder / f"cats/phone{number}.png", rotated(PHOTOGRAPH, number, "PNG"))
    real = {"backbone": "mobilenet", "image_size": 32}
    done = extract(folder, store, **real)
    assert (done.computed, done.rejected) == (13, [])
    images = done.manifest.select()
    rows = dict(zip(images.paths.to_pylist(), done.features(store), strict=True))
    phone = np.array([rows[f"cats/phone{number}.png"] for number in range(1, 9)])
    result = agreement(np.array([rows["cats/upright.png"]] * 8), phone)
    assert result.within_tolerance, result


def test_upright_and_stored_features_lie_side_by_side(tiny, tmp_path, store):
    folder = write_folder(tmp_path / "pets", count=4)
    write(folder / "cats/phone.jpg", rotated(PHOTOGRAPH, 6, "JPEG"))
    upright = extract(folder, store)
    assert upright.computed == 5
    stored = ingest(folder, store=store, orientation="stored").manifest
    done = extract_from(stored, store)
    assert done.computed == 1  # the photograph alone
    assert done.job.recipes == upright.job.recipes
    features = FeatureStore(store, done.job.recipes[0])
    assert not features.missing(upright.manifest.select().keys).any()
    assert not features.missing(stored.select().keys).any()
    again = ingest(folder, store=store, orientation="upright").manifest
    assert again.digest == upright.manifest.digest
    assert extract_from(again, store).computed == 0
