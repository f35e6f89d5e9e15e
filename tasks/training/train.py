"""Train heads on stored features."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stores.features.store import FeatureStore
from stores.runs.store import RunStore
from stores.storage.location import StoreLike
from tasks.datasets.folds import LEARNED_FROM, folds_of
from tasks.datasets.kept_together import check_settled
from tasks.evaluation.figures import main_figure
from tasks.execution.cancellation import stop_if_requested
from tasks.execution.progress import advance
from tasks.execution.steps import shown_as_cached, task
from tasks.heads import Candidate, Failed, Head, Kind, TrainedHead, find_kind
from tasks.heads.examples import Examples, stream_of
from tasks.training.planned_runs import PlannedRun
from tasks.training.prediction_table import scores_of
from tasks.training.run_publication import Trained, publish
from tasks.training.trainable import check_trainable


def train(planned: Sequence[PlannedRun], *, store: StoreLike) -> list[str]:
    """Train heads of one kind on the same features, unless their runs are stored; return the ids.

    A failed training is stored as a run with the reason. Raises InputError for a data set that no
    head can be trained on, MissingFeatures if features are missing.
    """
    stop_if_requested()
    runs = RunStore(store)
    wanted = [plan for plan in planned if plan.id not in runs]
    if wanted:
        first = wanted[0]
        check_trainable(first.manifest, first.folds)
        check_settled(first.manifest)
        images = first.manifest.select(*LEARNED_FROM)
        stream = stream_of(FeatureStore(store, first.recipe), images.keys)
        folds = folds_of(first.manifest, first.folds, seed=first.fold_seed)
        classes, target = len(first.manifest.classes), first.manifest.target
        examples = Examples(stream, images.labels, classes, folds, target)
        for plan, outcome in zip(wanted, _outcomes(wanted, examples), strict=True):
            publish(runs, plan, images, folds, outcome)
            advance(1)
        runs.bring_up_to_date()
    return [plan.id for plan in planned]


def all_stored(planned: Sequence[PlannedRun], *, store: StoreLike) -> bool:
    """Return whether all runs are stored."""
    runs = RunStore(store)
    return all(plan.id in runs for plan in planned)


train_task = task(
    name="train",
    task_run_name="train {planned[0].head.kind} {planned[0].id:.16} on {planned[0].manifest.name}",
)(shown_as_cached(train, if_stored=all_stored))


def _outcomes(planned: Sequence[PlannedRun], examples: Examples) -> list[Trained | Failed]:
    kind = find_kind(planned[0].head.kind)
    if planned[0].folds:
        return _cross_validated(kind, planned, examples)
    candidates = [Candidate(plan.head, plan.head_seed) for plan in planned]
    return [_trained(head, examples) for head in kind.train(candidates, examples)]


def _trained(
    head: TrainedHead | Failed, examples: Examples, held_out: NDArray[np.float64] | None = None
) -> Trained | Failed:
    if isinstance(head, Failed):
        return head
    scores, learned = scores_of(head, examples.stream), examples.folds[-1].train
    own = main_figure(scores[learned], examples.labels[learned], examples.target)
    return Trained(head, scores if held_out is None else held_out, own)


def _cross_validated(
    kind: Kind, planned: Sequence[PlannedRun], examples: Examples
) -> list[Trained | Failed]:
    """Evaluate each head on each fold, and then train it on all images.

    The final training has no early stopping: its number of epochs is the mean over the folds.
    """
    *folds, _ = examples.folds
    measured = kind.train(
        [
            Candidate(plan.head, plan.head_seed, fold)
            for plan in planned
            for fold in range(len(folds))
        ],
        examples,
    )
    outcomes: dict[int, Trained | Failed] = {}
    again: dict[int, Candidate[Head]] = {}
    held_out: dict[int, NDArray[np.float64]] = {}
    for number, plan in enumerate(planned):
        mine = measured[number * len(folds) :][: len(folds)]
        heads = [head for head in mine if not isinstance(head, Failed)]
        if failures := [head for head in mine if isinstance(head, Failed)]:
            outcomes[number] = failures[0]
            continue
        held_out[number] = scores = np.empty((len(examples.labels), examples.classes))
        for head, fold in zip(heads, folds, strict=True):
            scores[fold.validation] = scores_of(head, examples.stream, fold.validation)
        epochs = round(np.mean([head.epochs for head in heads]))
        again[number] = Candidate(plan.head, plan.head_seed, len(folds), epochs or None)
    kept = kind.train(list(again.values()), examples) if again else []
    for number, final in zip(again, kept, strict=True):
        outcomes[number] = _trained(final, examples, held_out[number])
    return [outcomes[number] for number in range(len(planned))]
