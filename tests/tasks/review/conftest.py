"""Twenty images of two classes, with the predictions of a head: of four held out one is wrong."""

from dataclasses import replace

import pyarrow as pa
import pytest

from stores.runs.store import RunStore
from tasks.review.images import reviewed
from tasks.review.session import Session
from tests.stores.runs.test_record import RUN
from tests.support.parts import HISTORY
from tests.support.runs import save_model
from tests.support.samples import RECIPE

WRONG = "cats/7"  # predicted to be of dogs


def predictions_of(manifest, wrong=WRONG, splits=("train", "validation")):
    images = manifest.select(*splits)
    rows = []
    for key, label, path, split in zip(
        images.keys, images.labels, images.paths.to_pylist(), images.splits.to_pylist(), strict=True
    ):
        guess = 1 - label if path == wrong else label
        scores = [0.9, 0.1] if guess == 0 else [0.1, 0.9]
        names = manifest.classes
        rows.append((key.tobytes(), split, names[label], names[guess], scores))
    columns = ("key", "split", "label", "predicted", "scores")
    return pa.table(dict(zip(columns, map(list, zip(*rows, strict=True)), strict=True)))


@pytest.fixture
def head(pets):
    metrics = {"train_accuracy": 1.0, "validation_accuracy": 0.75}
    of_pets = {"dataset": pets.name, "classes": pets.classes, "dataset_digest": pets.digest}
    return replace(RUN, **of_pets, fingerprint=RECIPE.fingerprint, folds=0, metrics=metrics)


@pytest.fixture
def images(pets, head):
    return reviewed(pets, ((head, predictions_of(pets)),))


@pytest.fixture
def session(pets, head, pets_store):
    """A review of what is stored in `pets_store`."""
    pets.write(pets_store)
    runs = RunStore(pets_store)
    said = predictions_of(pets)
    stored = runs.publish(head, history=HISTORY, predictions=said, save_model=save_model)
    return Session(pets_store, pets, [stored])
