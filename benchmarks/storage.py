"""Reading from the store, against a plain memory map of the same rows."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.ours import REQUEST
from benchmarks.timing import Contender, Finding, in_turn, ratios
from stores.features.recipe import Recipe
from stores.features.store import FeatureStore
from tasks.features.job import make_job

GROUP = "Reading"
SHARDS = 100
FEATURES = 1280  # MobileNetV2's and EfficientNet-Lite0's
BATCH = 64
MORE = 4  # rounds: each takes a tenth of a second


def reading(folder: Path, *, rows: int, keys: int, rounds: int) -> Iterator[Finding]:
    """Measure a store of SHARDS shards with `rows` features, and one with `keys` small ones."""
    recipe = make_job(REQUEST, store=folder, engine="keras").recipes[0]
    store, names, plain = _written(folder / "rows", recipe, rows, FEATURES)
    order = np.random.default_rng(0).permutation(rows)

    def shuffled() -> None:
        for start in range(0, rows - BATCH, BATCH):
            plain[order[start : start + BATCH]]

    def ours() -> None:
        for _ in store.batches(names, batch_size=BATCH, shuffle_seed=0):
            pass

    contenders = {
        "memmap": Contender(lambda: np.array(plain)),
        "read": Contender(lambda: store.read(names)),
        "shuffled memmap": Contender(shuffled),
        "batches": Contender(ours),
    }
    in_turn(contenders, rounds=1)  # the system maps pages when they are first touched
    seconds = in_turn(contenders, rounds=MORE * rounds)
    yield Finding(
        GROUP,
        f"all {rows} rows of {FEATURES}, with checksums: speed of np.memmap's copy",
        ratios(seconds["memmap"], seconds["read"]),
        "×",
        "≥ 0.9",
    )
    yield Finding(
        GROUP,
        f"shuffled batches of {BATCH} rows, with checksums: time of np.memmap's",
        ratios(seconds["batches"], seconds["shuffled memmap"]),
        "×",
        "≤ 2",
    )
    small, names, _ = _written(folder / "keys", recipe, keys, 1)
    small.missing(names[:1])
    orders = iter([np.random.default_rng(seed).permutation(names) for seed in range(rounds)])
    seconds = in_turn({"look up": Contender(lambda: small.missing(next(orders)))}, rounds=rounds)
    what = f"{keys:,} keys looked up in {SHARDS} shards"
    yield Finding(GROUP, what, tuple(seconds["look up"]), "s", "≤ 1")


def _written(
    folder: Path, recipe: Recipe, rows: int, width: int
) -> tuple[FeatureStore, np.ndarray, np.ndarray]:
    """Write random rows to a store and to one plain file; return both, and the rows' keys."""
    random = np.random.default_rng(0)
    names = random.integers(0, 256, (rows, 32), dtype=np.uint8)
    values = random.standard_normal((rows, width), dtype=np.float32)
    store = FeatureStore(folder, recipe)
    for part in np.array_split(np.arange(rows), SHARDS):
        store.write(names[part], values[part])
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
        file.write(values.data)
    plain = np.memmap(file.name, np.float32, "r", shape=(rows, width))
    return FeatureStore(folder, recipe), names, plain
