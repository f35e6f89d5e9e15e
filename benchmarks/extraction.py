"""Cold extraction, against other ways, and against decoding and computing by themselves."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.ours import Setting, extract, ingest_and_extract
from benchmarks.photos import forget_cached, write_photos
from benchmarks.profile import forward_profile
from benchmarks.rivals import RIVALS
from benchmarks.timing import Contender, Finding, in_turn, ratios
from stores.manifest import Manifest
from tasks.features.engines import load_engine
from tasks.features.feature_batches import feature_batches
from tasks.features.request import BATCH_SIZE
from tasks.images.pixel_batches import ImageFiles, PixelBatch, pixel_batches

KEPT_BATCHES = 16  # decoded batches in memory, over and over, for the forward pass alone
OURS = "gargalo"


def cold(setting: Setting, rivals: dict[str, str], *, rounds: int, limit: str) -> Iterator[Finding]:
    """Measure a whole extraction, the engine being ready, against rivals and its own limit.

    `rivals` has what is expected of each, by its name in RIVALS; `limit` what of the limit.
    """
    manifest = setting.ingest()
    images = len(manifest.select().keys)
    job = setting.chosen(images)
    engine = load_engine(job)
    few = setting.store.parent / "few"
    if not few.exists():
        write_photos(few, 2 * BATCH_SIZE)
    kept = _decoded(setting, manifest, KEPT_BATCHES)
    engine.compute(kept[0].pixels)
    contenders = {
        OURS: Contender(lambda: extract(setting, manifest), setting.forget_features),
        "decode": Contender(lambda: _decode_all(setting, manifest)),
        "forward": Contender(lambda: _compute_all(engine, kept, images)),
    }
    for name in rivals:
        rival = RIVALS[name](job.recipes[0], job.weights, setting.store.parent / "rival")
        contenders[name] = Contender(partial(rival.run, setting.folder), rival.forget)
        rival.forget()
        rival.run(few)  # TensorFlow traces
    seconds = in_turn(contenders, rounds=rounds)
    recipe = job.recipes[0]
    group = f"Cold, {recipe.backbone} at {recipe.image_size[0]}, {recipe.compute_precision}"
    both = [sum(pair) for pair in zip(seconds["decode"], seconds["forward"], strict=True)]
    for name, expected in rivals.items():
        yield Finding(group, f"against {name}", ratios(seconds[name], seconds[OURS]), "×", expected)
        if limit:  # is more to be had on this machine?
            yield Finding(group, f"the limit against {name}", ratios(seconds[name], both), "×")
    if limit:
        what = "of the limit, 1 / (1/decode + 1/forward)"
        yield Finding(group, what, ratios(both, seconds[OURS]), "×", limit)
        yield from forward_profile(group, setting.store, recipe.compute_precision)
    for name in seconds if limit else rivals:
        taken = seconds[name]
        yield Finding(group, f"{name} alone", tuple(images / s for s in taken), "images/s")


def whole(setting: Setting, *, rounds: int) -> Iterator[Finding]:
    """Measure what ingest adds to a first extraction, by itself and as one with it.

    The files are read from the disk each time, as far as the system can be told so.
    """
    manifest = setting.ingest()
    images = len(manifest.select().keys)

    def forget_all() -> None:
        setting.forget()
        forget_cached(setting.folder)

    seconds = in_turn(
        {
            "ingest": Contender(setting.ingest, forget_all),
            "as one": Contender(lambda: ingest_and_extract(setting), forget_all),
            OURS: Contender(lambda: extract(setting, manifest), forget_all),
        },
        rounds=rounds,
    )
    group, units = "Cold, the other stages", "in units of their extraction"
    what = f"ingest of {images} images"
    yield Finding(group, f"{what}, {units}", ratios(seconds["ingest"], seconds[OURS]), "×")
    both = ratios(seconds["as one"], seconds[OURS])
    yield Finding(group, f"{what} and extraction as one, {units}", both, "×", "≤ 1.05")


def _batches(setting: Setting, manifest: Manifest) -> Any:  # noqa: ANN401
    images = manifest.select()
    recipe = setting.job.recipes[0]
    return pixel_batches(
        ImageFiles.of(images), Path(manifest.folder), recipe, batch_size=BATCH_SIZE
    )


def _decode_all(setting: Setting, manifest: Manifest) -> None:
    with _batches(setting, manifest) as batches:
        for _ in batches:
            pass


def _decoded(setting: Setting, manifest: Manifest, count: int) -> list[PixelBatch]:
    with _batches(setting, manifest) as batches:
        return [batch for batch, _ in zip(batches, range(count), strict=False)]


def _compute_all(engine: Any, kept: list[PixelBatch], images: int) -> None:  # noqa: ANN401
    """Compute so many rows of batches that are in memory, as many at once as the engine takes."""
    turns = max(1, round(images / BATCH_SIZE))
    batches = (kept[number % len(kept)] for number in range(turns))
    for _ in feature_batches(batches, engine):
        pass
