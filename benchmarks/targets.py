"""Heads for several labels and for a number, beside plain scikit-learn on the same features."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.ours import Setting
from benchmarks.target_samples import SEPARATOR, inked, pairs, rotated, write_images
from benchmarks.timing import Finding
from flows.extract import extract_stage
from flows.parameters.features import ExtractParameters
from flows.stages.read_and_compute import ingest_and_compute_stage
from stores.features.store import FeatureStore
from stores.manifest import Manifest
from stores.targets import Target
from tasks.datasets.folds import Fold
from tasks.evaluation.figures import figures_of
from tasks.evaluation.label_calibration import LabelCalibration, calibrate_labels
from tasks.evaluation.label_metrics import macro_f1
from tasks.evaluation.label_thresholds import best_thresholds, natural_threshold
from tasks.evaluation.number_intervals import interval_coverage, interval_rule, residuals_of
from tasks.execution.steps import without_prefect
from tasks.heads import Candidate, Failed, find_kind
from tasks.heads.examples import Examples, MemoryStream
from tasks.heads.presets import make_head
from tasks.training.evaluate_test_split import open_test
from tasks.training.planned_runs import PlannedRun
from tasks.training.train import train

GROUP = "Several labels and numbers"
COVERAGE = 0.9
SEEDS = 3  # of heads that depend on one
_FIGURES: dict[Target, tuple[str, str]] = {
    "labels": ("mean_average_precision", "macro_f1"),
    "number": ("mean_absolute_error", "r2"),
}
HEADS: dict[Target, tuple[str, ...]] = {
    "labels": ("dense", "logistic", "ridge", "knn"),
    "number": ("dense", "ridge", "knn"),
}
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Sample:
    """A data set with its features, in the order of its images."""

    name: str
    manifest: Manifest
    setting: Setting
    features: Values
    truth: Values  # labels (n, labels), or numbers (n,)
    splits: NDArray[Any]

    def rows(self, split: str) -> tuple[Values, Values]:
        """Return the features and the truth of a split."""
        return self.features[self.splits == split], self.truth[self.splits == split]


def targets(setting: Setting, work: Path, *, images: int, resplits: int) -> Iterator[Finding]:
    """Ingest and extract three data sets by the flows' stages, and train all kinds of heads."""
    made = {
        "pairs of digits": (pairs(), "label", {"label_separator": SEPARATOR}),
        "ink of digits": (inked(), "ink", {"target": "ink"}),
        "angle of digits": (rotated(), "angle", {"target": "angle"}),
    }
    for name, (make, column, flags) in made.items():
        folder = work / name.replace(" ", "-")
        table = write_images(folder, make, images, column)
        sample = _sample(name, setting, folder, labels=str(table), **flags)
        yield from _beside_scikit_learn(sample)
        if sample.manifest.target == "labels":
            yield from _thresholds(sample, resplits)
        else:
            yield from _intervals(sample, resplits)


def _sample(name: str, setting: Setting, folder: Path, **flags: str) -> Sample:
    request = setting.request
    parameters = ExtractParameters(
        store=setting.store,
        dataset=folder.name,
        backbone=request.backbone,
        weights=request.weights,
        image_size=request.image_size,
        engine=setting.engine,
        **flags,
    )
    with without_prefect():
        manifest, _, begun = ingest_and_compute_stage(folder, parameters)
        manifest, _ = extract_stage(manifest, parameters, begun)
    images = manifest.select()
    rows = FeatureStore(setting.store, setting.job.recipes[0]).read(images.keys)
    splits = np.array(images.splits.to_pylist())
    flat = rows.reshape(len(rows), -1).astype(np.float64)
    return Sample(name, manifest, setting, flat, images.labels, splits)


def _beside_scikit_learn(sample: Sample) -> Iterator[Finding]:
    """Train runs on the train images; compare their figures on test with scikit-learn's."""
    manifest, store, recipe = sample.manifest, sample.setting.store, sample.setting.job.recipes[0]
    target, outputs = manifest.target, len(manifest.classes)
    about = f"{sample.name}, {np.count_nonzero(sample.splits == 'test')} test images"
    main, other = _FIGURES[target]
    for kind in HEADS[target]:
        head = make_head(kind, {}, classes=outputs, target=target)
        found = []
        for seed in range(SEEDS if kind == "dense" else 1):
            asked = {"weights": sample.setting.request.weights}
            (run,) = train([PlannedRun(manifest, recipe, head, seed, asked)], store=store)
            tested = open_test(run, manifest, recipe, store=store, asked_by="benchmarks").metrics
            scores = _plain_scores(kind, sample, seed)
            plain = figures_of(scores, sample.rows("test")[1], target, kind=kind)
            own = [tested[f"test_{name}"] for name in (main, other)]
            found.append([*own, plain[main], plain[other]])
        ours, ours_other, theirs, theirs_other = np.median(found, axis=0)
        tell = (
            f"{ours:.3g}, {other.replace('_', ' ')} {ours_other:.3f}; "
            f"scikit-learn {theirs:.3g}, {theirs_other:.3f}"
        )
        # Dense heads are trained by other draws than scikit-learn's network, and with dropout.
        slack = 0.05 if kind == "dense" else 0.01
        expected = f"≥ {1 - slack:g}" if target == "labels" else f"≤ {1 + slack:g}"
        what = f"{about}, {kind}: {main.replace('_', ' ')}"
        ratios = tuple(one[0] / one[2] for one in found)
        yield Finding(GROUP, what, ratios, "× scikit-learn's", expected, tell)


def _plain_scores(kind: str, sample: Sample, seed: int) -> Values:
    """Return what scikit-learn's own estimators, with the settings of our heads, say of test."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.preprocessing import StandardScaler

    (rows, truth), (tested, _) = sample.rows("train"), sample.rows("test")
    if kind != "knn":  # as our heads by default
        scaler = StandardScaler().fit(rows)
        rows, tested = scaler.transform(rows), scaler.transform(tested)
    number = sample.manifest.target == "number"
    if kind == "ridge" and not number:
        truth = 2 * truth - 1  # margins, as of our head
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # as many epochs as ours
        fitted = _estimator(kind, seed, number=number).fit(rows, truth)
    if number or kind == "ridge":
        return np.asarray(fitted.predict(tested), np.float64).reshape(len(tested), -1)
    shares = fitted.predict_proba(tested)
    if kind == "knn":  # a list: of each label both columns
        shares = np.stack([one[:, -1] for one in shares], axis=1)
    return np.asarray(shares, np.float64)


def _estimator(kind: str, seed: int, *, number: bool) -> Any:  # noqa: ANN401  scikit-learn's
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.preprocessing import StandardScaler

    if kind == "knn":
        neighbors = KNeighborsRegressor if number else KNeighborsClassifier
        return neighbors(5, metric="cosine")
    if kind == "dense":
        network = MLPRegressor if number else MLPClassifier
        head = make_head("dense", {}, classes=1, target="number" if number else "labels")
        found = network(
            hidden_layer_sizes=head.hidden_units,
            batch_size=head.batch_size,
            learning_rate_init=head.learning_rate,
            max_iter=head.epochs,
            alpha=0.0,
            random_state=seed,
        )
        # As ours, which standardises the number.
        return TransformedTargetRegressor(found, transformer=StandardScaler()) if number else found
    if kind == "logistic":
        return OneVsRestClassifier(LogisticRegression(C=0.1, max_iter=5000))
    return Ridge(alpha=100.0)


def _resplit_scores(
    sample: Sample, kind: str, resplits: int
) -> Iterator[tuple[Values, Values, Values, Values]]:
    """Train on a third of the images; yield scores and truth of a second, and of the last."""
    outputs, target = len(sample.manifest.classes), sample.manifest.target
    for seed in range(resplits):
        part = np.random.default_rng(seed).permutation(len(sample.features)) % 3
        fold = Fold(part == 0, part != 0)
        stream = MemoryStream(sample.features.astype(np.float32))
        data = Examples(stream, sample.truth, outputs, [fold], target)
        head = make_head(kind, {}, classes=outputs, target=target)
        (found,) = find_kind(kind).train([Candidate(head, seed)], data)
        assert not isinstance(found, Failed)
        held, last = (found.scores(sample.features[part == n]) for n in (1, 2))
        yield held, sample.truth[part == 1], last, sample.truth[part == 2]


def _intervals(sample: Sample, resplits: int) -> Iterator[Finding]:
    for kind in ("ridge", "knn"):
        found = []
        for held, truth, last, true in _resplit_scores(sample, kind, resplits):
            rule = interval_rule(residuals_of(held, truth), COVERAGE)
            covered = interval_coverage(rule, last, true)
            assert covered is not None
            found.append((100 * covered.share, covered.mean_width))
        shares, widths = np.array(found).T
        spread = float(np.ptp(sample.truth))
        tell = (
            f"{shares.mean():.1f}%, {widths.mean():.3g} wide in the mean, where the numbers "
            f"span {spread:.3g}"
        )
        what = f"{sample.name}, {resplits} resplits, {kind}: coverage of intervals off 90"
        yield Finding(GROUP, what, (abs(float(shares.mean()) - 90),), "points", "≤ 2", tell)


def _thresholds(sample: Sample, resplits: int) -> Iterator[Finding]:
    """What thresholds and the calibration of held-out images are worth on others."""
    # Ten logistic regressions take some seconds.
    for kind, times in (("ridge", resplits), ("knn", resplits), ("logistic", resplits // 10)):
        natural, figures, losses = natural_threshold(find_kind(kind).scores), [], []
        for held, truth, last, true in _resplit_scores(sample, kind, max(2, times)):
            chosen = best_thresholds(held, truth, natural=natural)
            each = [last >= natural, last >= chosen]
            figures.append([macro_f1(has.astype(np.int64), true) for has in each])
            scores = find_kind(kind).scores
            after = calibrate_labels(held, truth.astype(np.float64), kind=scores)
            losses.append([_loss(one, last, true) for one in (LabelCalibration(scores), after)])
        about = f"{sample.name}, {len(losses)} resplits, {kind}"
        (before, after_f1), (loss, after_loss) = np.mean(figures, axis=0), np.mean(losses, axis=0)
        tell = f"{after_f1:.3f}, at {natural:g} {before:.3f}"
        what = f"{about}: macro F1 by the thresholds of held-out images"
        yield Finding(GROUP, what, (after_f1 / before,), "× at the natural ones", "≥ 1", tell)
        tell = f"{after_loss:.3f} a label, before {loss:.3f}"
        what = f"{about}: log loss by the calibration of held-out images"
        yield Finding(GROUP, what, (after_loss / loss,), "× before", "≤ 1.01", tell)


def _loss(calibration: LabelCalibration, scores: Values, truth: Values) -> float:
    from sklearn.metrics import log_loss

    shares = calibration.probabilities(scores)
    return float(log_loss(truth.ravel(), shares.ravel(), labels=[0, 1]))
