"""What to label next, against chance; similar images among a million, against plain NumPy."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.memory import peak_bytes
from benchmarks.ours import REQUEST, Setting, extract
from benchmarks.timing import Finding, ratios
from stores.features.store import FeatureStore
from stores.keys import Keys
from tasks.evaluation.indexed_nearest import indexed_nearest
from tasks.evaluation.nearest import NOWHERE, Blocks, Nearest, nearest
from tasks.evaluation.similar_pairs import Vectors, unit
from tasks.evaluation.vector_index import can_index, sampled
from tasks.exploration.what_to_label import best_method, typical, uncertain, uncertainty_of
from tasks.features.job import make_job
from tasks.features.vectors import averaged, row_blocks
from tasks.heads.sklearn_estimator import CLASSIFIERS, HeadClassifier

GROUP = "Looking at images"
K = 10
WIDTH = 1280  # EfficientNet-Lite0's
_KINDS = 1000  # of the rows that are searched
_ROUNDS = 4  # in which labels are given
_TEST = 5  # one of so many images is tested on
_CODE = "import sys; from benchmarks.exploration import measured; measured(*sys.argv[1:])"

Labels = NDArray[np.int64]
Choice = Callable[["_Labelled", int], list[int]]


def what_to_label(
    setting: Setting, *, seeds: int, budgets: tuple[tuple[int, int], ...]
) -> Iterator[Finding]:
    """Label digits in rounds, chosen and by chance, and test a logistic head of their features."""
    manifest = setting.ingest()
    extract(setting, manifest)
    images = manifest.select()
    rows = FeatureStore(setting.store, setting.job.recipes[0]).read(images.keys)
    for begin, end in budgets:
        found = {
            name: [_tested(rows, images.labels, choice, seed, begin, end) for seed in range(seeds)]
            for name, choice in _CHOICES.items()
        }
        what = f"digits, {end} labels, {begin} of them by chance and {_ROUNDS} rounds: accuracy"
        for name, values in found.items():
            yield Finding(GROUP, f"{what}, {name}", tuple(100 * v for v in values), "%")
        more = np.array(found["as gargalo next chooses"]) - np.array(found["by chance"])
        remark = f"{min(100 * more):.1f} to {max(100 * more):.1f}; {seeds} seeds"
        what = f"digits, {end} labels: accuracy by gargalo next, more than by chance"
        yield Finding(GROUP, what, (100 * float(more.mean()),), "points", "≥ 2", remark)


def _by_chance(so_far: "_Labelled", count: int) -> list[int]:
    return so_far.rng.choice(len(so_far.pool), count, replace=False).tolist()


def _typical(so_far: "_Labelled", count: int) -> list[int]:
    places = typical(so_far.rows[so_far.known], so_far.rows[so_far.pool], count)
    return [place for place, _ in places]


def _uncertain(so_far: "_Labelled", count: int) -> list[int]:
    likely = so_far.head().predict_proba(so_far.rows[so_far.pool])
    known, pool = so_far.rows[so_far.known], so_far.rows[so_far.pool]
    return uncertain(uncertainty_of(likely), known, pool, count)


def _chosen(so_far: "_Labelled", count: int) -> list[int]:
    method = best_method(len(so_far.known), len(np.unique(so_far.labels)))
    return (_typical if method == "typical" else _uncertain)(so_far, count)


_CHOICES: dict[str, Choice] = {
    "by chance": _by_chance,
    "typical": _typical,
    "uncertain": _uncertain,
    "as gargalo next chooses": _chosen,
}


class _Labelled:
    """Images, of which some have labels and the others are asked for."""

    def __init__(self, rows: Vectors, labels: Labels, seed: int, begin: int) -> None:
        self.rows, self.labels = rows, labels
        self.rng = np.random.default_rng(seed)
        order = self.rng.permutation(len(labels))
        self.test, rest = np.split(order, [len(order) // _TEST])
        self.known, self.pool = np.split(rest, [begin])

    def give(self, chosen: list[int]) -> None:
        """Give some images of the pool their labels."""
        self.known = np.append(self.known, self.pool[chosen])
        self.pool = np.delete(self.pool, chosen)

    def head(self) -> HeadClassifier:
        """Return a logistic head of what has labels."""
        return CLASSIFIERS["LogisticClassifier"]().fit(
            self.rows[self.known], self.labels[self.known]
        )


def _tested(
    rows: Vectors, labels: Labels, choice: Choice, seed: int, begin: int, end: int
) -> float:
    so_far = _Labelled(rows, labels, seed, begin)
    step = (end - begin) // _ROUNDS
    while len(so_far.known) < end:
        so_far.give(choice(so_far, min(step, end - len(so_far.known))))
    said = so_far.head().predict(rows[so_far.test])
    return float((said == labels[so_far.test]).mean())


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
    recipe = make_job(replace(REQUEST, dtype="float16"), store=folder, engine="keras").recipes[0]
    store = FeatureStore(folder, recipe)
    kinds = rng.standard_normal((_KINDS, WIDTH), dtype=np.float32)
    keys = rng.integers(0, 256, (count, 32), dtype=np.uint8)
    for part in np.array_split(np.arange(count), max(1, count // 25_000)):
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
