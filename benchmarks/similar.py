"""Similar images among a million rows, against plain NumPy: each search in a process of its own."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.memory import peak_bytes
from benchmarks.timing import Finding, ratios
from stores.features.recipe import Recipe
from stores.features.store import FeatureStore
from stores.keys import Keys
from tasks.evaluation.indexed_nearest import indexed_nearest
from tasks.evaluation.nearest import NOWHERE, Blocks, Nearest, nearest
from tasks.evaluation.similar_pairs import Vectors, unit
from tasks.evaluation.vector_index import can_index, sampled
from tasks.features.vectors import averaged, row_blocks

GROUP = "Looking at images"
K = 10
WIDTH = 1280  # EfficientNet-Lite0's
_KINDS = 1000  # of the rows that are searched
_ROWS_A_SHARD = 25_000
_CODE = "import sys; from benchmarks.similar import measured; measured(*sys.argv[1:])"
_RECIPE = Recipe(
    version=1,
    backbone="efficientnet_lite0",
    backbone_arguments=(),
    weights="sha256:" + "0" * 64,
    image_size=(224, 224),
    color_mode="rgb",
    interpolation="bilinear",
    aspect_ratio="stretch",
    decode="exact",
    preprocessing="made up",
    tap="output",
    pooling="avg",
    compute_precision="float32",
    dtype="float16",
    augmentation="none",
)


def similar(folder: Path, *, rows: int, rounds: int) -> Iterator[Finding]:
    """Search made-up float16 rows in a store, ours and as plain NumPy would, one process each."""
    keys = _written(folder, rows)
    np.save(folder / "keys.npy", keys)
    what = f"{rows:,} × {WIDTH:,} float16, the {K} most similar"
    for queries in (1, 100):
        seconds: dict[str, list[float]] = {"ours": [], "numpy": []}
        peaks: dict[str, float] = {}
        for _ in range(rounds):
            for way, taken in seconds.items():
                told = _in_a_child(folder, way, queries)
                taken.append(told["seconds"])
                peaks[way] = told["peak"] / 2**30
        remark = f"{min(seconds['ours']):.1f} s and {min(seconds['numpy']):.1f} s"
        values = ratios(seconds["ours"], seconds["numpy"])
        what_of = f"{what} to {queries}"
        yield Finding(GROUP, f"{what_of}: time of plain NumPy", values, "×", "≤ 1", remark)
        share = peaks["ours"] / peaks["numpy"]
        remark = f"{peaks['ours']:.2f} and {peaks['numpy']:.2f} GiB"
        yield Finding(GROUP, f"{what_of}: memory of plain NumPy", (share,), "×", "≤ 0.5", remark)
    if can_index():
        told = _in_a_child(folder, "index", 1000)
        yield Finding(GROUP, f"{what}: found by the index", (100 * told["recall"],), "%", "≥ 95")
        about = f"{told['peak'] / 2**30:.2f} GiB; {told['exact']:.1f} s each with each"
        yield Finding(GROUP, f"{what} to 1,000: the index", (told["seconds"],), "s", "", about)


def _written(folder: Path, count: int) -> Keys:
    """Write rows around many kinds to a store, shard by shard; return their keys."""
    rng = np.random.default_rng(0)
    store = FeatureStore(folder, _RECIPE)
    kinds = rng.standard_normal((_KINDS, WIDTH), dtype=np.float32)
    keys = rng.integers(0, 256, (count, 32), dtype=np.uint8)
    for part in np.array_split(np.arange(count), max(1, count // _ROWS_A_SHARD)):
        rows = rng.standard_normal((len(part), WIDTH), dtype=np.float32)
        rows += kinds[rng.integers(0, _KINDS, len(part))]
        store.write(keys[part], np.maximum(rows, 0).astype(np.float16))  # as after a ReLU
    return keys


def _in_a_child(folder: Path, way: str, queries: int) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-c", _CODE, str(folder), way, str(queries)],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return told


def measured(folder: str, way: str, queries: str) -> None:
    """Print, as JSON, the seconds and the peak memory of a search for some of the rows."""
    keys = np.load(Path(folder) / "keys.npy")
    store = FeatureStore.open(folder)
    asked = np.arange(int(queries)) * (len(keys) // int(queries))
    own = unit(averaged(store.read(keys[asked])))

    def blocks() -> Blocks:
        return ((at, averaged(rows)) for at, rows in row_blocks(store, keys))

    began = time.perf_counter()
    more: dict[str, float] = {}
    if way == "ours":
        nearest(blocks(), own, K, without=asked)
    elif way == "numpy":
        _plain(store.read(keys), own)
    else:
        sample = averaged(store.read(keys[sampled(len(keys))]))
        found = indexed_nearest(blocks(), sample, len(keys), own, K, without=asked)
        more["seconds"] = time.perf_counter() - began
        began = time.perf_counter()
        exact = nearest(blocks(), own, K, without=asked)
        more |= {"exact": time.perf_counter() - began, "recall": _recall(found, exact)}
    seconds = {"seconds": time.perf_counter() - began} | more
    print(json.dumps(seconds | {"peak": float(peak_bytes())}))  # noqa: T201  for who reads it


def _plain(rows: NDArray[np.floating], queries: Vectors) -> NDArray[np.int64]:
    """Return what is most similar as one writes it in three lines, in memory."""
    whole = rows.astype(np.float32)
    whole /= np.linalg.norm(whole, axis=1, keepdims=True)
    return np.asarray(np.argpartition(-(queries @ whole.T), K, axis=1)[:, : K + 1])


def _recall(found: Nearest, exact: Nearest) -> float:
    right = [
        len(set(some) & set(every) - {NOWHERE})
        for some, every in zip(found.places.tolist(), exact.places.tolist(), strict=True)
    ]
    return float(np.mean(right)) / K
