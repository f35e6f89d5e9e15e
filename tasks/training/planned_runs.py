"""Planned runs: head groups, and the choice of the best run."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from stores.features.recipe import Recipe
from stores.features.store import FeatureStore
from stores.manifest import Manifest
from stores.runs.record import Run
from stores.storage.location import StoreLike
from stores.targets import MAIN_FIGURE
from tasks.errors import InputError
from tasks.heads import Head, find_kind, specification


@dataclass(frozen=True)
class PlannedRun:
    """A head to be trained on a data set's features, and the identity of its run."""

    manifest: Manifest
    recipe: Recipe
    head: Head
    head_seed: int  # of the head's training, or of the fine-tuning
    parameters: dict[str, Any]  # requested by the user, stored with the run
    folds: int = 0  # for cross-validation on train and validation; 0: use the validation split
    finetuning: dict[str, Any] = field(default_factory=dict)  # how the backbone is trained
    fold_seed: int = 0  # of the assignment of images to folds

    @property
    def specification(self) -> dict[str, Any]:
        """The head as stored in the run's record."""
        return specification(self.head, fine_tuned=bool(self.finetuning))

    def record(self, **outcome: Any) -> Run:  # noqa: ANN401  the other fields of a run
        """Return the record of the run, with its metrics or failure, versions and time."""
        return Run(
            dataset=self.manifest.name,
            dataset_digest=self.manifest.digest,
            fingerprint=self.recipe.fingerprint,
            classes=self.manifest.classes,
            head=self.specification,
            seed=self.head_seed,
            parameters=self.parameters | stored_orientation(self.manifest),
            folds=self.folds,
            fold_seed=self.fold_seed,
            groups=self.manifest.grouping,
            target=self.manifest.target,
            finetuning=self.finetuning,
            **outcome,
        )

    @property
    def id(self) -> str:
        """The id of the run, known before training."""
        return self.record(metrics={}, versions={}, created="").id

    @property
    def trial(self) -> str:
        """The identity of its trial: the run's id, without the seed for a head that has none."""
        return self.id if find_kind(self.head.kind).random else replace(self, head_seed=0).id


def head_groups(planned: Sequence[PlannedRun], *, store: StoreLike) -> list[list[PlannedRun]]:
    """Return groups of heads to train at once: heads of one kind, on the same features."""
    widths = {
        recipe: math.prod(FeatureStore(store, recipe).feature_shape or ())
        for recipe in {plan.recipe for plan in planned}
    }
    groups: dict[tuple[Any, ...], list[list[PlannedRun]]] = defaultdict(list)
    filled: dict[tuple[Any, ...], float] = defaultdict(lambda: 1.0)
    for plan in planned:
        key = plan.recipe, plan.head.kind, plan.folds, plan.fold_seed
        classes, measured = len(plan.manifest.classes), max(1, plan.folds)
        most = find_kind(plan.head.kind).group_size(plan.head, widths[plan.recipe], classes)
        filled[key] += measured / most
        if filled[key] > 1:
            groups[key].append([])
            filled[key] = measured / most
        groups[key][-1].append(plan)
    return [group for of_key in groups.values() for group in of_key]


def choose(runs: Sequence[Run]) -> Run:
    """Return the run that is best on validation by its target's main figure, the first of equals.

    Raises InputError if all trainings failed.
    """
    outcomes = [(outcome_of(run), run) for run in runs]
    whole = [(outcome, run) for outcome, run in outcomes if outcome is not None]
    if not whole:
        raise InputError(f"the training of every head failed: {runs[0].failure}")
    return max(whole, key=lambda one: one[0])[1]


def outcome_of(run: Run) -> float | None:
    """Return a run's main figure on validation, or its negative where the lowest is best.

    None where the training failed.
    """
    figure = MAIN_FIGURE[run.target]
    value = run.metrics.get(f"validation_{figure.name}")
    return None if value is None else figure.order(value)


def stored_orientation(manifest: Manifest) -> dict[str, Any]:
    """Return the orientation of a data set as a run's parameter; nothing where it is upright.

    Predictions by the run then use rotated photographs as its training did.
    """
    used = manifest.orientation
    return {} if used == "upright" else {"orientation": used}
