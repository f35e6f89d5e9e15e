"""What to label next, against labels given by chance."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from benchmarks.ours import Setting, extract
from benchmarks.timing import Finding
from stores.features.store import FeatureStore
from tasks.evaluation.similar_pairs import Vectors
from tasks.exploration.what_to_label import best_method, typical, uncertain, uncertainty_of
from tasks.heads.sklearn_estimator import ESTIMATORS, HeadClassifier

GROUP = "Looking at images"
_ROUNDS = 4  # in which labels are given
_TEST = 5  # one of so many images is tested on

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
        return ESTIMATORS["LogisticClassifier"]().fit(
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
