"""Near-duplicates: how many copies are found, by their share, and how many strangers."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from benchmarks.ours import Setting, extract
from benchmarks.photos import image_paths
from benchmarks.timing import Finding
from stores.features.store import FeatureStore
from tasks.evaluation.duplicate_search import vectors
from tasks.evaluation.grey_thumbnails import grey_thumbnails
from tasks.evaluation.near_duplicates import FEWEST, near_duplicates

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
        what = f"{kind}: strangers among the pairs reported, the most"
        yield Finding(GROUP, what, (100 * max(other for _, other in found),), "%", "≤ 1")


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

    def copies_found(self, share: float, already: set[frozenset[str]]) -> tuple[float, float]:
        """Return which share of the copies is found, and the strangers' share of what is."""
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
        return len(pairs & true) / len(true), len(strangers) / max(1, len(pairs))
