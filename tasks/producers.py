"""Do these versions of the software compute the features that the store holds?"""

import logging
from pathlib import Path

import numpy as np
from prefect import task

from stores.errors import DisagreeingProducers
from stores.features import FeatureStore
from stores.keys import ImageKey
from stores.manifest import Manifest
from tasks.agreement import Agreement, agreement
from tasks.engines import Engine, Job, load_engine
from tasks.retrying import RETRIED
from tasks.stream import ImageFile, pixel_batches

log = logging.getLogger("gargalo.extract")

CHECKED_ROWS = 16


def check_producers(job: Job, manifest: Manifest, *, store: Path) -> int:
    """Compute some stored rows again where other versions made them; return how many images.

    Raises DisagreeingProducers where the features are not the same within the tolerance, so that
    they are never mixed.
    """
    engine = load_engine(job)
    checked: set[ImageKey] = set()
    for number, recipe in enumerate(job.recipes):
        features = FeatureStore(store, recipe)
        known = features.producers()
        if known and {**engine.producer, "agreement": None} not in known:
            checked |= _check(features, engine, number, manifest)
    return len(checked)


check_producers_task = task(name="check producers", **RETRIED)(check_producers)


def _check(
    features: FeatureStore, engine: Engine, number: int, manifest: Manifest
) -> set[ImageKey]:
    stored = {key.tobytes() for key in features.stored_keys()}
    images = manifest.select()
    candidates = [
        ImageFile(ImageKey(key.tobytes()), path)
        for key, path in zip(images.keys, images.paths, strict=True)
        if key.tobytes() in stored
    ][:CHECKED_ROWS]
    batch = next(
        pixel_batches(candidates, Path(manifest.folder), features.recipe, batch_size=CHECKED_ROWS),
        None,
    )
    if batch is None or not batch.images:
        log.warning(
            "recipe %s: other versions made its features, and no image of theirs is at hand to "
            "check that these versions agree with them",
            features.recipe,
        )
        return set()
    keys = [image.key for image in batch.images]
    computed = np.asarray(engine.compute(batch.pixels)[number], features.recipe.dtype)
    result = agreement(features.read(keys), computed)
    if not result.within_tolerance:
        raise DisagreeingProducers(_disagreement(features, engine, result))
    return set(keys)


def _disagreement(features: FeatureStore, engine: Engine, result: Agreement) -> str:
    return (
        f"recipe {features.recipe}: {result.rows} stored features computed again differ by up to "
        f"{result.largest_difference:.2g} of the largest (expected at most {result.tolerance:g}), "
        f"smallest cosine {result.smallest_cosine:.6f}; they were made by {features.producers()}, "
        f"this is {engine.producer}; use the same versions again, or another --store"
    )
