"""Novelty: how well images that are unlike the training images are told from those held out."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from sklearn.datasets import load_digits, load_sample_images
from sklearn.metrics import roc_auc_score

from benchmarks.ours import Setting, extract
from benchmarks.photos import image_paths
from benchmarks.timing import Finding
from stores.features.store import FeatureStore
from stores.keys import Keys
from tasks.inference.novelty import LEVEL, Learned, Reference, reference_of

GROUP = "Novelty"
_SPLITS = 20
OF_PHOTOGRAPHS = ("blurred photographs", "photographs turned by 90°")


def novelty(setting: Setting, work: Path, *, images: int) -> Iterator[Finding]:
    """Compare images of other kinds with held-out photographs, by a head's training images."""
    manifest = setting.ingest()
    extract(setting, manifest)
    chosen = manifest.select()
    keys, paths = chosen.keys, chosen.paths.to_pylist()
    features = FeatureStore(setting.store, setting.job.recipes[0])
    photographs = list(image_paths(setting.folder))
    shares, areas = list[float](), dict[str, list[float]]()
    others = dict(_features_of_others(setting, work, photographs, images))
    place_of = {path: place for place, path in enumerate(paths)}
    made_of = [place_of[f"{one.parent.name}/{one.name}"] for one in photographs]
    for seed in range(_SPLITS):
        order = np.random.default_rng(seed).permutation(len(keys))
        training, held_out, new = np.split(order, [len(order) // 2, len(order) * 3 // 4])
        reference = _reference(features, keys, training, held_out)
        like = _p_values(reference, features.read(keys[new]))
        shares.append(100 * float((like <= LEVEL).mean()))
        for kind, rows in others.items():
            if kind in OF_PHOTOGRAPHS:  # of those that are new: others have their own beside them
                origins = np.array([made_of[n % len(made_of)] for n in range(images)])
                rows = rows[np.isin(origins, new)]  # noqa: PLW2901
            if not len(rows):
                continue
            both = np.concatenate([like, _p_values(reference, rows)])
            truth = np.arange(len(both)) >= len(like)
            areas.setdefault(kind, []).append(float(roc_auc_score(truth, -both)))
    what = f"photographs like those held out that are flagged at {LEVEL}, of {len(new)}"
    mean = float(np.mean(shares))
    yield Finding(GROUP, f"{what}, mean of {_SPLITS} splits", (mean,), "%", "0.5 to 2")
    for kind, found in areas.items():
        what = f"{images} {kind} against photographs: area under the ROC curve"
        yield Finding(GROUP, what, (float(np.mean(found)),), "")


def _reference(
    features: FeatureStore, keys: Keys, training: NDArray[np.int64], held_out: NDArray[np.int64]
) -> Reference:
    every = np.arange(len(keys))
    learned = Learned(keys, np.isin(every, training), np.isin(every, held_out))
    found = reference_of(features, learned)
    assert isinstance(found, Reference), found
    return found


def _p_values(reference: Reference, rows: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.array([one.p_value for one in reference.novelty(rows)])


def _features_of_others(
    setting: Setting, work: Path, photographs: list[Path], images: int
) -> Iterator[tuple[str, NDArray[np.floating]]]:
    """Yield each kind of other images with its features."""
    for kind, make in _kinds(photographs).items():
        folder = work / kind
        (folder / "all").mkdir(parents=True)
        for number in range(images):
            make(number).convert("RGB").save(folder / "all" / f"{number:04}.png")
        here = replace(setting, folder=folder)
        manifest = here.ingest()
        extract(here, manifest)
        features = FeatureStore(here.store, here.job.recipes[0])
        yield kind, features.read(manifest.select().keys)


def _kinds(photographs: list[Path]) -> dict[str, Callable[[int], Image.Image]]:
    digits, scenes = load_digits().images, load_sample_images().images

    def digit(number: int) -> Image.Image:
        grey = Image.fromarray((digits[number % len(digits)] * 255 / 16).astype(np.uint8))
        return grey.resize((160, 160))

    def noise(number: int) -> Image.Image:
        side = (200, 13)[number % 2]
        values = np.random.default_rng(number).integers(0, 256, (side, side, 3), np.uint8)
        return Image.fromarray(values).resize((200, 200))

    def photograph(number: int) -> Image.Image:
        return Image.open(photographs[number % len(photographs)])

    def blurred(number: int) -> Image.Image:
        image = photograph(number).convert("RGB")
        return image.filter(ImageFilter.GaussianBlur(max(image.size) / 40))

    def sideways(number: int) -> Image.Image:
        return photograph(number).transpose(Image.Transpose.ROTATE_90)

    def scene(number: int) -> Image.Image:
        image, rng = Image.fromarray(scenes[number % len(scenes)]), np.random.default_rng(number)
        width, height = (int(side * rng.uniform(0.4, 0.9)) for side in image.size)
        x, y = rng.integers(image.width - width), rng.integers(image.height - height)
        return image.crop((x, y, x + width, y + height))

    return {
        "digits": digit,
        "pictures of noise": noise,
        **dict(zip(OF_PHOTOGRAPHS, (blurred, sideways), strict=True)),
        "crops of other photographs": scene,
    }
