"""What the lab says, and whether it can be believed: estimates, optimism, suspect labels."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.ours import Setting, extract
from benchmarks.timing import Contender, Finding, in_turn, ratios
from stores.features.store import FeatureStore
from stores.manifest import Manifest
from stores.runs.record import Run
from stores.runs.store import RunStore
from tasks.datasets.folds import LEARNED_FROM, Fold, folds_of
from tasks.datasets.ingest import ingest
from tasks.datasets.splits import SplitRule
from tasks.evaluation.comparison import RightAnswers, estimate_of_the_chosen, held_out_answers
from tasks.evaluation.metrics import accuracy
from tasks.evaluation.split_result import evaluate
from tasks.evaluation.suspect_labels import suspects
from tasks.heads import Candidate, Failed, find_kind
from tasks.heads.examples import Examples, MemoryStream, stream_of
from tasks.heads.presets import make_head
from tasks.training.planned_runs import PlannedRun, choose, head_groups
from tasks.training.train import train

GROUP = "The lab"
FLIPPED = 40
MOST_SUSPECT = 60
# Outputs of blocks from early to late, and the backbone's own.
TAPS = ("block2b_add", "block3b_add", "block5c_add", "block6d_add", "output")


def ridge_path(setting: Setting, *, rounds: int) -> Finding:
    """Time fifty penalties of the ridge head beside one."""
    manifest = setting.ingest()
    extract(setting, manifest)
    images = manifest.select()
    stream = MemoryStream(FeatureStore(setting.store, setting.job.recipes[0]).read(images.keys))
    everything = np.ones(len(images.labels), np.bool_)
    data = Examples(stream, images.labels, len(manifest.classes), [Fold(everything, ~everything)])
    penalties = np.geomspace(0.1, 1e5, 50).tolist()
    asked = [Candidate(make_head("ridge", {"penalty": p}, classes=2), 0) for p in penalties]
    ways = {"fifty": asked, "one": asked[:1]}
    fit = find_kind("ridge").train
    seconds = in_turn({n: Contender(partial(fit, c, data)) for n, c in ways.items()}, rounds=rounds)
    size = "×".join(map(str, stream.ordered().__next__()[1].shape))
    what = f"50 ridge penalties on {size}, in units of one"
    return Finding(GROUP, what, ratios(seconds["fifty"], seconds["one"]), "×", "≤ 2")


def estimates(setting: Setting) -> Iterator[Finding]:
    """Choose among heads by five folds, twice; and look for labels that were flipped."""
    manifest = setting.ingest()
    extract(setting, manifest)
    planned = _plans(manifest, setting, folds=5)
    runs = RunStore(setting.store)
    trained = _train(planned, setting.store)
    answers = held_out_answers(runs, trained)
    told = estimate_of_the_chosen(answers)
    interval = f"{100 * told.low:.2f} to {100 * told.high:.2f}, 95%; {told.images} images"
    chosen = choose(trained)
    highest = 100 * answers.right.mean(axis=1).max()
    best = f"the best of {len(trained)} is {chosen.head['kind']}, {highest:.2f}"
    about = f"{setting.request.backbone} at {setting.request.image_size}"
    what = f"chosen head's accuracy to be expected, 5 folds, {about}"
    yield Finding(GROUP, what, (100 * told.accuracy,), "%", "≥ 98", f"{interval}; {best}")
    before = runs.table().num_rows
    _train(planned, setting.store)
    again = runs.table().num_rows - before
    yield Finding(GROUP, "heads trained by the same sweep again", (float(again),), "heads", "= 0")
    more = make_head("ridge", {"penalty": 31.0}, classes=len(manifest.classes))
    _train([*planned, replace(planned[0], head=more)], setting.store)
    new = runs.table().num_rows - before
    yield Finding(GROUP, "and with one value added", (float(new),), "heads", "= 1")
    yield _flipped(manifest, setting)


def digits(folder: Path, setting: Setting, *, resplits: int, heads: int) -> Iterator[Finding]:
    """Compare taps on the digits, and measure what choosing the best of many heads flatters."""
    taps = setting.asked(taps=TAPS, image_size=96)
    taps = replace(taps, folder=folder)
    manifest = taps.ingest()
    extract(taps, manifest)
    store = taps.store
    for recipe in taps.job.recipes:
        head = make_head("logistic", {}, classes=len(manifest.classes))
        (run,) = _train([PlannedRun(manifest, recipe, head, 0, {}, 5)], store)
        shape = FeatureStore(store, recipe).feature_shape
        what = f"digits, logistic by 5 folds on tap {recipe.tap}, {shape}"
        yield Finding(GROUP, what, (100 * run.metrics["validation_accuracy"],), "%")
    last = FeatureStore(store, taps.job.recipes[-1])
    found = [
        _optimism(
            ingest(folder, store=store, dataset=f"digits-{seed}", rule=SplitRule(seed)).manifest,
            last,
            heads,
        )
        for seed in range(resplits)
    ]
    chosen, honest, tested = (
        tuple(100 * value for value in values) for values in zip(*found, strict=True)
    )
    what = f"digits, {resplits} resplits, best of {heads} heads: mean of"
    for name, values in (
        ("validation that chose it less its test", chosen),
        ("the estimate without luck less its test", honest),
        ("best test score less the chosen one's", tested),
    ):
        mean = float(np.mean(values))
        spread = f"{min(values):.2f} to {max(values):.2f}"
        yield Finding(GROUP, f"{what} {name}", (mean,), "points", "", spread)


def _optimism(manifest: Manifest, features: FeatureStore, heads: int) -> tuple[float, float, float]:
    """Return how much better than its test score the chosen head looked, by three ways."""
    images, test = manifest.select(*LEARNED_FROM), manifest.select("test")
    folds = folds_of(manifest, 0)
    stream = stream_of(features, images.keys)
    data = Examples(stream, images.labels, len(manifest.classes), folds)
    space = product(np.geomspace(1e-4, 1e-1, 5).tolist(), (0.0, 0.2, 0.5, 0.8), range(5))
    asked = [
        Candidate(
            make_head("dense", {"learning_rate": r, "dropout": d, "epochs": 10}, classes=10), seed
        )
        for r, d, seed in list(space)[:heads]
    ]
    held_out, tested = [], []
    rows, validation = data.features(folds[0].validation), folds[0].validation
    unseen = features.read(test.keys)
    for outcome in find_kind("dense").train(asked, data):
        assert not isinstance(outcome, Failed)
        held_out.append(outcome.scores(rows).argmax(axis=1) == images.labels[validation])
        tested.append(accuracy(outcome.scores(unseen), test.labels))
    answers = np.array(held_out)
    best = int(answers.mean(axis=1).argmax())
    honest = estimate_of_the_chosen(RightAnswers(answers)).accuracy
    truth = tested[best]
    return float(answers[best].mean()) - truth, honest - truth, max(tested) - truth


def _flipped(manifest: Manifest, setting: Setting) -> Finding:
    """Flip labels at random, and count those among the most suspect."""
    rng = np.random.default_rng(0)
    accepted = manifest.of_status("accepted")
    learned = accepted.filter(pc.is_in(accepted["split"], pa.array(LEARNED_FROM))).to_pylist()
    flipped = rng.choice(len(learned), min(FLIPPED, len(learned) // 4), replace=False).tolist()
    for n in flipped:
        learned[n]["label"] = next(c for c in manifest.classes if c != learned[n]["label"])
    rows = pa.Table.from_pylist(learned, accepted.schema)
    changed = replace(manifest, name="flipped", rows=rows)
    head = make_head("logistic", {}, classes=len(manifest.classes))
    (run,) = _train([PlannedRun(changed, setting.job.recipes[0], head, 0, {}, 5)], setting.store)
    predictions = RunStore(setting.store).predictions(run.id)
    result = evaluate(predictions, split="validation", classes=manifest.classes, folds=5)
    keys = {learned[n]["key"] for n in flipped}
    found = sum(one.key in keys for one in suspects(result)[:MOST_SUSPECT])
    what = f"labels flipped at random, of {len(flipped)}, among the {MOST_SUSPECT} most suspect"
    return Finding(GROUP, what, (float(found),), "labels", "≥ 30")


def _plans(manifest: Manifest, setting: Setting, *, folds: int) -> list[PlannedRun]:
    kinds: list[tuple[str, dict[str, Any]]] = [
        *(("dense", {"learning_rate": rate}) for rate in (1e-4, 1e-3, 1e-2)),
        *(("logistic", {"inverse_regularization": c}) for c in (1e-3, 1e-2, 1e-1)),
        *(("ridge", {"penalty": p}) for p in (10.0, 100.0, 1000.0)),
        ("knn", {}),
        ("centroid", {}),
    ]
    (recipe,) = setting.job.recipes
    heads = [make_head(kind, given, classes=len(manifest.classes)) for kind, given in kinds]
    return [PlannedRun(manifest, recipe, head, 0, {}, folds) for head in heads]


def _train(planned: Sequence[PlannedRun], store: Path) -> list[Run]:
    """Do what the sweep flow does, without Prefect."""
    for group in head_groups(planned, store=store):
        train(group, store=store)
    return [RunStore(store).read(plan.id) for plan in planned]
