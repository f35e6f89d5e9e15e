"""The plain extraction, without Prefect, and folders of images to extract from."""

import os
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from stores import FeatureStore, Manifest
from tasks.datasets.ingest import ingest
from tasks.execution.steps import without_prefect
from tasks.features.agreement import agreement
from tasks.features.engines import Job
from tasks.features.extract import compute_missing
from tasks.features.job import make_job
from tasks.features.request import FeatureRequest
from tasks.features.shard_work import extract_shard
from tasks.images.pixel_batches import Rejection

REQUEST = FeatureRequest("tiny", weights="none")


@dataclass(frozen=True)
class Extracted:
    """What an extraction did, and for what."""

    manifest: Manifest
    job: Job
    computed: int
    checked: int
    rejected: list[Rejection]

    def features(self, store, number=0):
        """Return the features of all images, in the order of their paths."""
        keys = self.manifest.select().keys
        return FeatureStore(store, self.job.recipes[number]).read(keys)


def extract(folder, store, **options):
    """Ingest a folder and extract what is missing; options are those of `extract_from`."""
    return extract_from(ingest(folder, store=store).manifest, store, **options)


def extract_from(manifest, store, *, engine="keras", batch_size=None, shard_size=None, **request):
    """Extract what is missing."""
    job = make_job(replace(REQUEST, **request), store=store, engine=engine)
    sizes = {"batch_size": batch_size, "shard_size": shard_size}
    given = {name: size for name, size in sizes.items() if size}
    with without_prefect():
        done = compute_missing(manifest, job, shards=one_by_one, **given)
    return Extracted(
        manifest=done.manifest,
        job=job,
        computed=sum(shard.computed for shard in done.shards),
        checked=done.compared + sum(shard.checked for shard in done.shards),
        rejected=done.rejected,
    )


@contextmanager
def one_by_one(_images, _dataset):
    """Have shards computed in this thread."""
    yield lambda works: [extract_shard(work, store=work.job.store) for work in works]


def write_image(path, seed, size=(20, 12)):
    """Write a PNG of random blocks, (width, height) `size`; another seed is another image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    blocks = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), np.uint8)
    Image.fromarray(blocks).resize(size, Image.Resampling.BILINEAR).save(path, "PNG")
    return path


def write_folder(folder, count=20, classes=("cats", "dogs")):
    """Write `count` different images, in turn to each class folder."""
    for number in range(count):
        write_image(folder / classes[number % len(classes)] / f"{number:04}.png", number)
    return folder


def write_old_folder(folder):
    """Write 20 images, and wait until ingest may trust their stamps."""
    write_folder(folder)
    time.sleep(0.03)  # older than a tick of the file system's clock
    return folder


def rows_of_keras(tiny, folder, **options):
    """Return what Keras itself makes of each file below a folder, as the diary has it."""
    import keras

    dataset = keras.utils.image_dataset_from_directory(
        folder, labels=None, image_size=(tiny.SIZE, tiny.SIZE), shuffle=False, **options
    )
    rows = tiny.preprocess_input(np.concatenate(list(dataset.as_numpy_iterator())))
    names = [os.path.relpath(path, folder) for path in dataset.file_paths]
    return {name: tiny.hash_of(row) for name, row in zip(names, rows, strict=True)}


def assert_same(expected, actual):
    """Check that features are the same, computed twice; and that all rows of them differ."""
    result = agreement(expected, actual)
    assert result.within_tolerance, result
    assert len(np.unique(actual.reshape(len(actual), -1), axis=0)) == len(actual)
