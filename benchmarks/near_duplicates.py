"""Near-duplicates: how many copies and crops are found, and how many strangers."""

import shutil
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageOps

from benchmarks.ours import Setting, extract
from benchmarks.photos import image_paths
from benchmarks.timing import Finding
from stores.features.store import FeatureStore
from tasks.evaluation.grey_thumbnails import grey_thumbnails
from tasks.evaluation.indexed_pairs import indexed_pairs
from tasks.evaluation.near_duplicates import FEWEST, near_duplicates
from tasks.evaluation.similar_pairs import similar_pairs, unit
from tasks.evaluation.vector_blocks import Cosines
from tasks.evaluation.vector_index import can_index
from tasks.features.vectors import vectors
from tasks.heads.examples import MemoryStream

GROUP = "Near-duplicates"
SHARES = (0.02, 0.1, 0.3, 0.45, 1.0)


def _halved(image: Image.Image) -> Image.Image:
    return image.resize((image.width // 2, image.height // 2))


COPIES: dict[str, tuple[Callable[[Image.Image], Image.Image], int]] = {
    "JPEG at quality 60": (lambda image: image, 60),
    "half size": (_halved, 90),
    "mirrored": (ImageOps.mirror, 90),
    "mirrored at half size": (lambda image: _halved(ImageOps.mirror(image)), 90),
    "cropped to 81%": (
        lambda i: i.crop((i.width // 20, i.height // 20, i.width * 19 // 20, i.height * 19 // 20)),
        90,
    ),
}


def copies(setting: Setting, work: Path, *, copied: int) -> Iterator[Finding]:
    """Search photographs, `copied` of which are there once more, by the kind of the copy."""
    originals = list(image_paths(setting.folder))
    already = _Searched(setting).pairs(slice(None))  # they had some before
    what = f"{len(originals)} photographs: pairs reported"
    yield Finding(GROUP, what, (len(already),), "pairs", "≤ 5")
    shares = ", ".join(f"{share:.0%}" for share in SHARES)
    for number, (kind, (change, quality)) in enumerate(COPIES.items()):
        folder = work / f"copies {number}"
        shutil.copytree(setting.folder, folder)
        for path in originals[: 2 * copied : 2]:
            with Image.open(path) as image:
                copy = change(image.convert("RGB"))
            copy.save(folder / path.parent.name / f"copy-{path.name}", quality=quality)
        searched = _Searched(replace(setting, folder=folder))
        found = [searched.copies_found(share, already) for share in SHARES]
        what = f"{kind}, at shares of {shares}: copies found, the fewest"
        # Among a few images the search says that it cannot tell; crops are not all to be found.
        promised = "" if "cropped" in kind or len(originals) < 2 * FEWEST else "≥ 95"
        yield Finding(GROUP, what, (100 * min(share for share, _ in found),), "%", promised)
        what = f"{kind}: strangers reported, the most"
        yield Finding(GROUP, what, (max(other for _, other in found),), "pairs", "≤ 5")


def bursts(setting: Setting, work: Path, *, things: int, twins: int) -> Iterator[Finding]:
    """Search photographs, some of which are there as crops at random places, in random splits."""
    folder = work / "bursts"
    shutil.copytree(setting.folder, folder)
    rng = np.random.default_rng(0)
    originals = list(image_paths(setting.folder))
    chosen = rng.permutation(len(originals))[: things + twins].tolist()
    for number, place in enumerate(chosen):
        path = originals[place]
        with Image.open(path) as image:
            whole = image.convert("RGB")
        for crop in range(5 if number < things else 2):
            name = f"{crop}-{path.name}"
            _cropped(whole, rng).save(folder / path.parent.name / name, quality=90)
        (folder / path.parent.name / path.name).unlink()
    searched = _Searched(replace(setting, folder=folder))
    true, found = searched.across(rng)
    strangers = found - true
    what = f"{things} bursts of 5 crops and {twins} twins among {len(originals)}: pairs found"
    enough = len(originals) >= 2 * FEWEST  # among fewer the search says that it cannot tell
    yield Finding(GROUP, what, (100 * len(found & true) / max(1, len(true)),), "%", "≥ 95" * enough)
    what = "bursts: strangers among the pairs reported"
    yield Finding(GROUP, what, (100 * len(strangers) / max(1, len(found)),), "%", "≤ 1")


def large(*, images: int) -> Iterator[Finding]:
    """Search random rows, of which the first have a copy each."""
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((images, 1280), dtype=np.float32)
    rows[images // 2 : images // 2 + 5] = rows[:5]
    thumbnails = rng.integers(1, 256, (images, 16, 16), np.uint8)
    parts = np.where(np.arange(images) < images // 2, "train", "test").tolist()
    tracemalloc.start()  # NumPy tells it of each array
    began = time.perf_counter()
    found = near_duplicates(rows, thumbnails, rng.integers(0, 2, images), parts)
    seconds = time.perf_counter() - began
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    what = f"{images:,} random rows of 1,280 numbers"
    yield Finding(GROUP, f"{what}: the search", (seconds,), "s")
    yield Finding(GROUP, f"{what}: memory beside them", (most / 2**20,), "MiB")
    yield Finding(GROUP, f"{what}: pairs reported of 5", (len(found.pairs),), "pairs", "= 5")


def indexed(*, images: int) -> Iterator[Finding]:
    """Search vectors as those of photographs by an index, and exactly; a quarter are of bursts.

    A burst is five vectors at growing distances, and all vectors are of 200 kinds.
    """
    if not can_index():
        return
    rng = np.random.default_rng(0)
    scale = 1 / np.sqrt(1 + np.arange(256, dtype=np.float32))
    kinds = rng.standard_normal((200, 256), dtype=np.float32)
    rows = rng.standard_normal((images, 256), dtype=np.float32)
    rows += 0.7 * kinds[rng.integers(0, 200, images)]
    things = images // 20
    for n in range(1, 5):
        far = n * rng.uniform(0.05, 0.25, (things, 1)).astype(np.float32)
        noise = rng.standard_normal((things, 256), dtype=np.float32)
        rows[n * things : (n + 1) * things] = rows[:things] + far * noise
    rows *= scale
    rows = unit(rows - rows.mean(axis=0))
    blocks = Cosines(MemoryStream(rows), images)
    what = f"{images:,} rows of 256 numbers, pairs with a cosine of 0.7 and more"
    found = []
    searches = {
        "each with each": lambda: similar_pairs(rows, limit=0.7, most=10**7),
        "by the index": lambda: indexed_pairs(blocks, limit=0.7, most=10**7),
    }
    for by, search in searches.items():
        began = time.perf_counter(), time.process_time()
        found.append(search())
        seconds, work = time.perf_counter() - began[0], time.process_time() - began[1]
        yield Finding(GROUP, f"{what}: {by}", (seconds,), "s")
        yield Finding(GROUP, f"{what}: {by}, of all cores", (work,), "s")
    exact, some = (pairs.first * images + pairs.second for pairs in found)
    known = np.isin(exact, some)
    for low, high, promised in ((0.9, 1.01, "≥ 99"), (0.8, 0.9, "≥ 95"), (0.7, 0.8, "")):
        there = (found[0].similarity >= low) & (found[0].similarity < high)
        what = f"pairs with a cosine of {low} to {min(1, high)}: found by the index"
        yield Finding(GROUP, what, (100 * float(known[there].mean()),), "%", promised)


def _cropped(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return 80 to 95% of a picture, a little brighter or darker."""
    share = np.sqrt(rng.uniform(0.8, 0.95))
    width, height = int(share * image.width), int(share * image.height)
    x, y = rng.integers(image.width - width + 1), rng.integers(image.height - height + 1)
    crop = image.crop((int(x), int(y), int(x) + width, int(y) + height))
    return ImageEnhance.Brightness(crop).enhance(rng.uniform(0.9, 1.1))


class _Searched:
    """A folder of photographs with its features; labels are drawn by chance."""

    def __init__(self, setting: Setting) -> None:
        manifest = setting.ingest()
        extract(setting, manifest)
        images = manifest.select()
        self.names = np.array([Path(path).name for path in images.paths.to_pylist()])
        store = FeatureStore(setting.store, setting.job.recipes[0])
        self.features = vectors(store, images.keys)
        self.thumbnails = grey_thumbnails(manifest, setting.store)
        self.rng = np.random.default_rng(0)

    def pairs(self, chosen: NDArray[np.int64] | slice) -> set[frozenset[str]]:
        """Return the names of the pairs among some images, each in a part of its own."""
        names = self.names[chosen]
        labels = self.rng.integers(0, 2, len(names))
        parts = list(map(str, range(len(names))))
        found = near_duplicates(self.features[chosen], self.thumbnails[chosen], labels, parts)
        return {frozenset((names[pair.first], names[pair.second])) for pair in found.pairs}

    def across(self, rng: np.random.Generator) -> tuple[set[frozenset[str]], set[frozenset[str]]]:
        """Return the true pairs across random splits, and those found; crops are named N-THING."""
        images = len(self.names)
        parts = rng.choice(["train", "validation", "test"], images, p=[0.6, 0.2, 0.2])
        things = np.array([name.rpartition("-")[2] for name in self.names])
        both = np.triu((things[:, np.newaxis] == things) & (parts[:, np.newaxis] != parts), 1)
        found = near_duplicates(
            self.features, self.thumbnails, rng.integers(0, 2, images), parts.tolist()
        )
        pairs = [(pair.first, pair.second) for pair in found.pairs]
        true = list(zip(*np.nonzero(both), strict=True))
        first, second = (
            {frozenset(self.names[list(p)].tolist()) for p in x} for x in (true, pairs)
        )
        return first, second

    def copies_found(self, share: float, already: set[frozenset[str]]) -> tuple[float, int]:
        """Return which share of the copies is found, and how many pairs of strangers are."""
        copied = np.char.startswith(self.names, "copy-")
        originals = int((~copied).sum())
        count = max(1, round(min(copied.sum(), share * originals)))
        twins = self.rng.permutation(np.flatnonzero(copied))[:count]
        true = {frozenset((n, n.removeprefix("copy-"))) for n in self.names[twins].tolist()}
        own = np.flatnonzero(np.isin(self.names, [min(pair, key=len) for pair in true]))
        rest = self.rng.permutation(np.setdiff1d(np.flatnonzero(~copied), own))
        some = rest[: max(0, round(count / share) - count)]
        pairs = self.pairs(np.concatenate([own, some, twins]))
        strangers = {
            pair
            for pair in pairs - true
            if frozenset(name.removeprefix("copy-") for name in pair) not in already
        }
        return len(pairs & true) / len(true), len(strangers)
