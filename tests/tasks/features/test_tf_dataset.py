import numpy as np
import pyarrow as pa
import pytest

from stores import FeatureStore, MissingFeatures
from stores.manifest import Images
from tasks.features.tf_dataset import feature_dataset
from tests.support.samples import RECIPE, some_keys, some_rows


@pytest.fixture
def stored(tmp_path):
    """Features in two shards, and images whose label is their number."""
    store, keys, rows = FeatureStore(tmp_path, RECIPE), some_keys(10), some_rows(10, (3,))
    store.write(keys[:7], rows[:7])
    store.write(keys[7:], rows[7:])
    return (
        store,
        Images(keys, np.arange(10), pa.array([f"{n}.png" for n in range(10)]), pa.nulls(10)),
        rows,
    )


def epoch_of(dataset):
    features, labels = zip(*dataset.as_numpy_iterator(), strict=True)
    return np.concatenate(features), np.concatenate(labels).tolist()


def test_batches_come_in_the_order_of_the_images(stored):
    store, images, rows = stored
    dataset = feature_dataset(store, images, batch_size=4)
    assert [len(labels) for _, labels in dataset] == [4, 4, 2]
    features, labels = epoch_of(dataset)
    assert labels == list(range(10))
    np.testing.assert_array_equal(features, rows)


@pytest.mark.parametrize("labels", [np.eye(10, 3, dtype=np.int64), np.arange(10) / 4])
def test_several_labels_and_numbers_come_as_the_images_have_them(stored, labels):
    store, images, _ = stored
    dataset = feature_dataset(store, images._replace(labels=labels), batch_size=4)
    assert epoch_of(dataset)[1] == labels.tolist()
    assert dataset.element_spec[1].dtype == labels.dtype


def test_each_epoch_is_shuffled_anew_and_rows_keep_their_labels(stored):
    store, images, rows = stored
    dataset = feature_dataset(store, images, batch_size=4, shuffle_seed=5)
    epochs = [epoch_of(dataset) for _ in range(2)]
    for features, labels in epochs:
        assert sorted(labels) == list(range(10))
        np.testing.assert_array_equal(features, rows[labels])
    assert epochs[0][1] != epochs[1][1] != list(range(10))
    again = feature_dataset(store, images, batch_size=4, shuffle_seed=5)
    assert [epoch_of(again)[1] for _ in range(2)] == [labels for _, labels in epochs]


def test_a_missing_feature_is_an_error(stored):
    store, images, _ = stored
    with pytest.raises(MissingFeatures):
        feature_dataset(store, images._replace(keys=some_keys(10, seed=1)), batch_size=4)
