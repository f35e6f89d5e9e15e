"""Do these versions of the software compute the features that the store holds?"""

import logging
from dataclasses import asdict
from pathlib import Path

import numpy as np

from stores.errors import DisagreeingProducers, MissingFeatures
from stores.features.store import FeatureStore
from stores.keys import ImageKey, Keys, Rows, as_keys
from stores.manifest import Manifest
from stores.storage.location import StoreLike
from tasks.execution.steps import task
from tasks.features.agreement import COMPARED_ROWS, Agreement, agreement, difference_in_words
from tasks.features.engines import Engine, Job, load_engine
from tasks.images.pixel_batches import ImageFile, pixel_batches

log = logging.getLogger("gargalo.extract")


def check_producers(job: Job, manifest: Manifest, *, store: StoreLike) -> int:
    """Compute some stored rows again where other versions made them; return how many images.

    It is the data set's own rows that count: where all of those stored are by others, some of
    them are compared. Raises DisagreeingProducers where the features are not the same within the
    tolerance, so that a data set never mixes them.
    """
    engine = load_engine(job)
    images = manifest.select()
    paths = dict(zip(map(bytes, images.keys), images.paths, strict=True))
    checked: set[ImageKey] = set()
    for number, recipe in enumerate(job.recipes):
        features = FeatureStore(store, recipe)
        made = features.made_by(images.keys)
        ours = {**engine.producer, "agreement": None}
        if made and all(producer != ours for producer, _ in made):
            theirs = [
                ImageFile(ImageKey(bytes(key)), paths[bytes(key)])
                for _, keys in made
                for key in keys
            ]
            checked |= _check(features, engine, number, theirs, Path(manifest.folder))
    return len(checked)


check_producers_task = task(
    name="check producers", task_run_name="check producers of {manifest.name}"
)(check_producers)


def _check(
    features: FeatureStore, engine: Engine, number: int, images: list[ImageFile], folder: Path
) -> set[ImageKey]:
    with pixel_batches(images, folder, features.recipe, batch_size=COMPARED_ROWS) as batches:
        for batch in batches:
            if batch.images:  # not all of them have changed meanwhile
                keys = as_keys(image.key for image in batch.images)
                computed = np.asarray(engine.compute(batch.pixels)[number], features.recipe.dtype)
                _compare(features, engine, keys, computed)
                return {image.key for image in batch.images}
    log.warning(
        "recipe %s: other versions made its features, and none of their images can be read now "
        "to check that these versions agree with them",
        features.recipe,
    )
    return set()


def _compare(features: FeatureStore, engine: Engine, keys: Keys, computed: Rows) -> None:
    while (there := ~features.missing(keys)).any():
        try:
            result = agreement(
                features.read(keys[there]),
                computed[there],
                precision=features.recipe.compute_precision,
            )
        except MissingFeatures:
            continue  # a damaged row was found and set aside just now: go by the others
        if not result.within_tolerance:
            raise DisagreeingProducers(_disagreement(features, engine, result))
        return


def _disagreement(features: FeatureStore, engine: Engine, result: Agreement) -> str:
    return (
        f"recipe {features.recipe}: {result.rows} stored features computed again are others: "
        f"{difference_in_words(asdict(result))}; smallest cosine {result.smallest_cosine:.6f}; "
        f"they were made by {features.producers()}, this is {engine.producer}; use the same "
        "versions again, or another --store"
    )
