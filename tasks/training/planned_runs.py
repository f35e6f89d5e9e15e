"""What is to be trained: planned runs, in groups; whether that can be; and which run is chosen."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from stores.features.recipe import Recipe
from stores.features.store import FeatureStore
from stores.manifest import Manifest
from stores.runs.record import Run, run_id
from stores.storage.location import StoreLike
from tasks.errors import InputError
from tasks.heads import Head, find_kind, specification


@dataclass(frozen=True)
class PlannedRun:
    """A head that is to be trained on a data set's features, and the run that this will be."""

    manifest: Manifest
    recipe: Recipe
    head: Head
    head_seed: int  # of the head's training, or of the fine-tuning
    parameters: dict[str, Any]  # what the user asked for, kept with the run
    folds: int = 0  # of train and validation, by which it is measured; 0: by the validation split
    finetuning: dict[str, Any] = field(default_factory=dict)  # how the backbone is trained too
    fold_seed: int = 0  # by which the images are dealt to the folds

    @property
    def specification(self) -> dict[str, Any]:
        """The head as the run's record has it."""
        return specification(self.head, fine_tuned=bool(self.finetuning))

    @property
    def id(self) -> str:
        """The run's id, known before it is trained."""
        return run_id(
            dataset_digest=self.manifest.digest,
            fingerprint=self.recipe.fingerprint,
            classes=self.manifest.classes,
            head=self.specification,
            seed=self.head_seed,
            folds=self.folds,
            fold_seed=self.fold_seed,
            finetuning=self.finetuning,
        )

    @property
    def trial(self) -> str:
        """What makes it a trial of its own: its id, without the seed where nothing is random."""
        return self.id if find_kind(self.head.kind).random else replace(self, head_seed=0).id


def together(planned: Sequence[PlannedRun], *, store: StoreLike) -> list[list[PlannedRun]]:
    """Return groups of heads that are worth training at once: of one kind, on the same features."""
    widths = {
        recipe: math.prod(FeatureStore(store, recipe).feature_shape or ())
        for recipe in {plan.recipe for plan in planned}
    }
    groups: dict[tuple[Any, ...], list[list[PlannedRun]]] = defaultdict(list)
    filled: dict[tuple[Any, ...], float] = defaultdict(lambda: 1.0)
    for plan in planned:
        key = plan.recipe, plan.head.kind, plan.folds, plan.fold_seed
        classes, measured = len(plan.manifest.classes), max(1, plan.folds)
        most = find_kind(plan.head.kind).together(plan.head, widths[plan.recipe], classes)
        filled[key] += measured / most
        if filled[key] > 1:
            groups[key].append([])
            filled[key] = measured / most
        groups[key][-1].append(plan)
    return [group for of_key in groups.values() for group in of_key]


def choose(runs: Sequence[Run]) -> Run:
    """Return the run that is best on validation; of equals, the first.

    Raises InputError where training failed for all.
    """
    whole = [run for run in runs if not run.failure]
    if not whole:
        raise InputError(f"no head could be trained: {runs[0].failure}")
    return max(whole, key=lambda run: run.metrics["validation_accuracy"])


def check_trainable(manifest: Manifest, folds: int = 0) -> None:
    """Raise InputError where a data set's splits cannot train and choose a classifier."""
    if len(manifest.classes) < 2:
        raise InputError(
            f"data set {manifest.name!r} has the one class {manifest.classes[0]!r}; a classifier "
            "needs two: add a folder of other images"
        )
    counts = manifest.counts()
    if folds:
        learned = {name: row["train"] + row["validation"] for name, row in counts.items()}
        few = [name for name, images in learned.items() if images < 2]
        if few:
            raise InputError(
                f"data set {manifest.name!r}: fewer than 2 images to learn from in class "
                f"{', '.join(few)}; folds hold out one and learn from another: add images"
            )
        if folds > sum(learned.values()):
            raise InputError(f"--folds {folds}: there are {sum(learned.values())} images")
        return
    without = [name for name, row in counts.items() if not row["train"]]
    if without:
        raise InputError(
            f"data set {manifest.name!r}: no training image in class {', '.join(without)}; add "
            "images, or lower --test-split and --validation-split"
        )
    if not any(row["validation"] for row in counts.values()):
        raise InputError(
            f"data set {manifest.name!r} has no validation image to choose a head by; add images, "
            "or raise --validation-split"
        )


FEW = 30  # held-out images below which an accuracy is hardly more than a guess


def remarks(manifest: Manifest, folds: int = 0) -> list[str]:
    """Return what makes the accuracies of a data set's heads worth less than they look."""
    counts = manifest.counts()
    held_out = {
        name: row["validation"] + (row["train"] if folds else 0) for name, row in counts.items()
    }
    images, found = sum(held_out.values()), []
    if images < FEW:
        more = "" if folds else "; with --folds, those of train are measured on too"
        found.append(f"heads are measured on {images} images, which says little{more}")
    if few := [name for name, count in held_out.items() if count < max(1, folds)]:
        named = ", ".join(few[:5]) + (", …" if len(few) > 5 else "")
        found.append(
            f"fewer images than folds in class {named}: some folds hold none out"
            if folds
            else f"no validation image of class {named}: nothing says how heads do on it"
        )
    return found
