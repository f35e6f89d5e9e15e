"""A check that the installed software versions compute the same features as the stored ones."""

import logging
from collections.abc import Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from stores.errors import DisagreeingProducers, MissingFeatures
from stores.features.shard import Producer
from stores.features.store import FeatureStore
from stores.keys import ImageKey, Keys, Rows, as_arrow, as_keys
from stores.manifest import Images, Manifest
from stores.storage.location import StoreLike
from tasks.errors import InputError
from tasks.execution.steps import task
from tasks.features.agreement import COMPARED_ROWS, Agreement, agreement, difference_in_words
from tasks.features.decoders import decoded_by_others, has_decoders, without_decoders
from tasks.features.engines import Engine, Job, load_engine
from tasks.images.headers import by_pillow
from tasks.images.image_files import read_image
from tasks.images.pixel_batches import ImageFile, ImageFiles, pixel_batches

log = logging.getLogger("gargalo.extract")


def check_producers(job: Job, manifest: Manifest, *, store: StoreLike) -> int:
    """Compute some stored rows again if other versions made them; return the number of images.

    Only the rows of this data set are checked: if all of them were made by other versions, some
    are compared, and likewise those of images that another Pillow decoded. Raises
    DisagreeingProducers if they differ by more than the tolerance, so that a data set never mixes
    different features.
    """
    engine = load_engine(job)
    images = manifest.select()
    checked: set[ImageKey] = set()
    for number, recipe in enumerate(job.recipes):
        features = FeatureStore(store, recipe)
        made = features.made_by(images.keys)
        ours = {**engine.producer, "agreement": None}
        folder = Path(manifest.folder)
        if made and all(without_decoders(producer) != ours for producer, _ in made):
            theirs = _files(made, images)
            checked |= _check(features, engine, number, theirs, folder)
        decoded = [(producer, keys) for producer, keys in made if has_decoders(producer)]
        if decoded and all(decoded_by_others(producer) for producer, _ in decoded):
            others = (file for file in _files(decoded, images) if _by_pillow(folder / file.path))
            some = list(islice(others, COMPARED_ROWS))
            checked |= _check(features, engine, number, some, folder) if some else set()
    return len(checked)


def made_by_others(job: Job) -> bool:
    """Return whether the store has features of a job's recipes that other versions made."""
    ours = {**load_engine(job).producer, "agreement": None}
    return any(
        without_decoders(producer) != ours or decoded_by_others(producer)
        for recipe in job.recipes
        for producer in FeatureStore(job.store, recipe).producers()
    )


def _files(made: Sequence[tuple[Producer, Keys]], images: Images) -> ImageFiles:
    keys = as_arrow(np.concatenate([keys for _, keys in made]))
    return ImageFiles.of(images).take(pc.index_in(keys, as_arrow(images.keys)).to_numpy())


def _by_pillow(path: Path) -> bool:
    try:
        return by_pillow(read_image(path))
    except (OSError, InputError):
        return False


check_producers_task = task(
    name="check producers", task_run_name="check producers of {manifest.name}"
)(check_producers)


def _check(
    features: FeatureStore, engine: Engine, number: int, images: Sequence[ImageFile], folder: Path
) -> set[ImageKey]:
    with pixel_batches(images, folder, features.recipe, batch_size=COMPARED_ROWS) as batches:
        for batch in batches:
            if batch.images:  # some of the files can still be read
                keys = as_keys(image.key for image in batch.images)
                computed = np.asarray(engine.compute(batch.pixels)[number], features.recipe.dtype)
                _compare(features, engine, keys, computed)
                return {image.key for image in batch.images}
    log.warning(
        "recipe %s: its features were computed by other software versions, and cannot be checked, "
        "because none of their images can be read",
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
            continue  # a damaged row was set aside meanwhile: compare the others
        if not result.within_tolerance:
            raise DisagreeingProducers(_disagreement(features, engine, result))
        return


def _disagreement(features: FeatureStore, engine: Engine, result: Agreement) -> str:
    return (
        f"recipe {features.recipe}: this software computes other features than the stored ones, on "
        f"{result.rows} images: {difference_in_words(asdict(result))}; smallest cosine "
        f"{result.smallest_cosine:.6f}; stored by {features.producers()}, computed by "
        f"{engine.producer}; install the same versions, or give another --store"
    )
