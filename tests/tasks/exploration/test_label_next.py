from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from stores.features.store import FeatureStore
from stores.keys import ImageKey
from tasks.errors import InputError
from tasks.evaluation.calibrated import not_calibrated
from tasks.exploration import label_next as module
from tasks.exploration.dataset_rows import DatasetRows
from tasks.exploration.label_next import as_table, label_next
from tests.support.entries import entries_of, rows_of
from tests.support.samples import RECIPE


@pytest.fixture
def pool(pets, pets_rows, pets_store):
    """Fifty images without labels, five of which are those of `pets`."""
    entries = list(entries_of(pets)[:5])
    entries += [
        replace(entries[0], path=f"new/{n:02}", key=ImageKey.of(f"new{n}".encode()))
        for n in range(45)
    ]
    entries = [replace(entry, label=None, split=None) for entry in entries]
    rows = np.random.default_rng(1).normal(size=(45, 4)).astype("f4")
    FeatureStore(pets_store, RECIPE).write([entry.key for entry in entries[5:]], rows)
    manifest = replace(pets, name="pool", classes=(), rows=rows_of(entries))
    return DatasetRows(manifest, pets_rows.job)


class Head:
    """A head that is unsure where the first number is near 0."""

    def scores(self, rows):
        sure = 1 / (1 + np.exp(-rows[:, 0].astype(float)))
        return np.stack([sure, 1 - sure], axis=1)


CLASSIFIER = SimpleNamespace(
    head=Head(),
    classes=("cats", "dogs"),
    calibrated=not_calibrated("probability", "by a test"),
)


def test_images_with_a_label_are_not_asked_for(pool, pets_rows, pets_store):
    found = label_next(pool, pets_rows, None, k=100, method=None, store=pets_store)
    assert (found.method, found.without_label, found.with_label) == ("typical", 45, 20)
    assert {image.path for image in found.images} == {f"new/{n:02}" for n in range(45)}
    assert all(image.predicted is None for image in found.images)


def test_the_uncertain_are_asked_for_with_the_two_classes_that_they_may_be(
    pool, pets_rows, pets_store
):
    found = label_next(pool, pets_rows, CLASSIFIER, k=3, method="uncertain", store=pets_store)
    rows = FeatureStore(pets_store, RECIPE).read(pool.images.keys)
    sureness = dict(zip(pool.paths, np.abs(rows[:, 0]).tolist(), strict=True))
    least = sorted(value for path, value in sureness.items() if path.startswith("new"))[:6]
    assert all(sureness[image.path] <= least[-1] for image in found.images)
    assert {image.predicted for image in found.images} <= {"cats", "dogs"}
    assert found.images[0].uncertainty == pytest.approx(
        1 - abs(np.tanh(sureness[found.images[0].path] / 2)), abs=1e-5
    )
    table = as_table(found.images)
    assert table.column_names[:2] == ["path", "label"]
    assert table["label"].null_count == 3


def test_near_duplicates_of_labelled_images_are_left_out(pool, pets_rows, pets_store, monkeypatch):
    """As the search finds them: what counts here is that its pairs are understood."""
    pair = SimpleNamespace(first=4, second=20 + 7)  # the eighth of those without a label

    def found(features, thumbnails, labels, parts):
        assert len(features) == len(thumbnails) == len(parts) == 65
        return SimpleNamespace(pairs=[pair], untold=("why",))

    monkeypatch.setattr(module, "near_duplicates", found)
    told = label_next(pool, pets_rows, None, k=100, method="typical", store=pets_store)
    left_out = [path for path in pool.paths if path.startswith("new")][7]
    assert left_out not in {image.path for image in told.images}
    assert (told.copies, told.untold, len(told.images)) == (1, ("why",), 44)


def test_many_images_are_drawn_from(pool, monkeypatch, pets_store):
    monkeypatch.setattr(module, "MOST_CANDIDATES", 10)
    found = label_next(pool, None, None, k=4, method=None, store=pets_store)
    assert (found.drawn, len(found.images), found.with_label) == (10, 4, 0)


def test_where_all_have_labels_or_nobody_is_uncertain_that_is_a_mistake(pets_rows, pool, tmp_path):
    with pytest.raises(InputError, match="all 20 images of pets have a label in pets"):
        label_next(pets_rows, pets_rows, None, k=2, method=None, store=tmp_path)
    with pytest.raises(InputError, match="expected --run"):
        label_next(pool, None, None, k=2, method="uncertain", store=tmp_path)
