"""Whether probabilities and sets of classes hold what they say, over many splits of the images."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.ours import Setting, extract
from benchmarks.timing import Finding
from stores.features.store import FeatureStore
from tasks.datasets.folds import Fold
from tasks.evaluation.calibrated import calibrated
from tasks.evaluation.calibration import Calibration
from tasks.evaluation.metrics import reliability
from tasks.evaluation.prediction_sets import needed, set_rule
from tasks.evaluation.set_names import CoverageBy, SetKind
from tasks.evaluation.split_result import SplitResult
from tasks.heads import Candidate, Failed, find_kind
from tasks.heads.examples import Examples, MemoryStream
from tasks.heads.presets import make_head

GROUP = "Probabilities"
HEADS = ("svm", "ridge", "logistic", "dense", "knn", "centroid")
COVERAGE = 0.9
RULES: tuple[tuple[SetKind, CoverageBy | None], ...] = (
    ("lac", None),
    ("lac", "class"),
    ("aps", None),
)


@dataclass
class Measured:
    """What was measured of one kind of heads, two values a split."""

    errors: list[tuple[float, float]] = field(default_factory=list)  # before and after
    losses: list[tuple[float, float]] = field(default_factory=list)
    halves: list[float] = field(default_factory=list)  # of the interval of the loss before
    # By the kind of sets and by what: shares that hold the true class, of all images and of each
    # class; and the sizes.
    shares: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    of_classes: dict[str, list[list[float]]] = field(default_factory=lambda: defaultdict(list))
    sizes: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))


def probabilities(setting: Setting, about: str, *, resplits: int) -> Iterator[Finding]:
    """Train heads on a third of the images; each other third calibrates what the last measures."""
    manifest = setting.ingest()
    extract(setting, manifest)
    images = manifest.select()
    features = FeatureStore(setting.store, setting.job.recipes[0]).read(images.keys)
    found: dict[str, Measured] = {kind: Measured() for kind in HEADS}
    for seed in range(resplits):
        part = np.random.default_rng(seed).permutation(len(features)) % 3
        data = Examples(
            MemoryStream(features), images.labels, len(manifest.classes), [_fold(part == 0)]
        )
        for kind in HEADS:
            candidate = Candidate(make_head(kind, {}, classes=data.classes), seed)
            (head,) = find_kind(kind).train([candidate], data)
            assert not isinstance(head, Failed)
            first, second = (
                _result(head.scores(features[part == n]), images.labels[part == n]) for n in (1, 2)
            )
            # Where one is easier than the other, one way has more coverage and the other has less.
            _measure(found[kind], first, second, kind)
            _measure(found[kind], second, first, kind)
    yield from _findings(found, f"{about}, {resplits} resplits")


def _fold(train: NDArray[np.bool_]) -> Fold:
    return Fold(train, ~train)


def _result(scores: NDArray[np.float64], labels: NDArray[np.int64]) -> SplitResult:
    classes = tuple(map(str, range(scores.shape[1])))
    keys = np.zeros((len(labels), 32), np.uint8)
    return SplitResult("validation", classes, keys, labels, scores.argmax(axis=1), scores)


def _measure(into: Measured, held: SplitResult, test: SplitResult, kind: str) -> None:
    scores = find_kind(kind).scores
    found = calibrated(held, scores)
    rows = np.arange(len(test.true))
    both = [one.probabilities(test.scores) for one in (Calibration(scores), found.calibration)]
    losses = [-np.log(np.maximum(one[rows, test.true], 1e-300)) for one in both]
    into.losses.append((float(losses[0].mean()), float(losses[1].mean())))
    into.halves.append(1.96 * float(losses[0].std()) / len(rows) ** 0.5)
    into.errors.append((_expected_error(both[0], test.true), _expected_error(both[1], test.true)))
    fewest = int(np.bincount(held.true).min())
    for sets, by in RULES:
        if by == "class" and fewest < needed(COVERAGE):
            continue  # only where few images are looked at, to see that it runs
        rule = set_rule(found.held_out, test.classes, COVERAGE, kind=sets, by=by)
        inside = rule.sets(both[1])
        holds, name = inside[rows, test.true], f"{sets}, by {by}" if by else sets
        into.shares[name].append(float(holds.mean()))
        of_each = [float(holds[test.true == n].mean()) for n in np.unique(test.true)]
        into.of_classes[name].append(of_each)
        into.sizes[name].append(float(inside.sum(axis=1).mean()))


def _expected_error(found: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """Return the expected calibration error of C. Guo et al., ICML 2017, in 15 bins."""
    parts = reliability(found, labels)
    return sum(p.images * abs(p.accuracy - p.confidence) for p in parts) / len(labels)


def _findings(found: dict[str, Measured], about: str) -> Iterator[Finding]:
    for kind, one in found.items():
        before, after = np.array(one.errors).mean(axis=0)
        loss, other = np.array(one.losses).mean(axis=0)
        tell = f"{100 * before:.1f}% before, {100 * after:.1f}% after"
        margins = find_kind(kind).scores == "margin"
        expected = "≤ 0.5" if kind in {"svm", "ridge"} and "digits" in about else ""
        what = f"{about}, {kind}: calibration error after"
        yield Finding(GROUP, what, (after / before,), "× before", expected, tell)
        worse = (other - loss) / float(np.mean(one.halves))
        tell = f"{loss:.3f} before{', a softmax of margins' if margins else ''}, {other:.3f} after"
        what = f"{about}, {kind}: log loss worse by, in half intervals"
        yield Finding(GROUP, what, (worse,), "", "≤ 1", tell)
        for name, shares in one.shares.items():
            size = f"{np.mean(one.sizes[name]):.2f} classes in the mean"
            mean = 100 * float(np.mean(shares))
            # Votes of five neighbors are often equal, and images of equal votes are all let in.
            exact = name == "lac" and kind != "knn"
            what = f"{about}, {kind}: {name}, coverage off 90"
            limit = "≤ 2" if exact else ""
            yield Finding(GROUP, what, (abs(mean - 90),), "points", limit, f"{mean:.1f}%, {size}")
            if "class" in name:
                classes = 100 * np.array(one.of_classes[name]).mean(axis=0)
                off = float(np.abs(classes - 90).max())
                tell = f"{classes.min():.1f} to {classes.max():.1f}%"
                what = f"{about}, {kind}: {name}, the class that is furthest off 90"
                yield Finding(GROUP, what, (off,), "points", "" if kind == "knn" else "≤ 2", tell)


def digits_setting(folder: Path, setting: Setting) -> Setting:
    """Return a setting for the digits, which are small."""
    return replace(setting.asked(image_size=96), folder=folder)
