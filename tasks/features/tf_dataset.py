"""Features as a `tf.data.Dataset`, for training loops without all features in memory."""

from collections.abc import Iterator
from itertools import count
from typing import Any

from stores.features.store import FeatureStore
from stores.keys import Rows
from stores.manifest import Images
from stores.target_values import Targets


def feature_dataset(
    features: FeatureStore, images: Images, *, batch_size: int, shuffle_seed: int | None = None
) -> Any:  # noqa: ANN401  a tf.data.Dataset: TensorFlow is imported only here
    """Return a dataset of (features (n, *shape), labels), a batch at a time.

    Labels are those of `images`: classes (n,) int64, several labels (n, labels) int64 of 0 and 1,
    or numbers (n,) float64.

    In the order of `images`, or shuffled anew at each epoch, by seeds that count up from
    `shuffle_seed`. Raises MissingFeatures where none are stored, and in the first batch where some
    are missing.

    Example:
        >>> train = gargalo.Manifest.read("feature-store", "photos").select("train")
        >>> store = gargalo.FeatureStore.open("feature-store")
        >>> dataset = gargalo.feature_dataset(store, train, batch_size=32, shuffle_seed=0)
        >>> model.fit(dataset, epochs=5)
    """
    from tasks.execution.checked_keras import tf

    shape = features.read(images.keys[:1]).shape[1:]
    epochs = count()

    def batches() -> Iterator[tuple[Rows, Targets]]:
        epoch = next(epochs)
        seed = None if shuffle_seed is None else shuffle_seed + epoch
        store = FeatureStore(features.root, features.recipe)  # tf.data iterates in its own thread
        for positions, rows in store.batches(images.keys, batch_size=batch_size, shuffle_seed=seed):
            yield rows, images.labels[positions]

    return tf.data.Dataset.from_generator(
        batches,
        output_signature=(
            tf.TensorSpec((None, *shape), features.recipe.dtype),
            tf.TensorSpec((None, *images.labels.shape[1:]), images.labels.dtype),
        ),
    ).prefetch(1)
