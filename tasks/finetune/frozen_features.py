"""The frozen part of a network: its outputs are stored as features."""

from dataclasses import replace
from typing import TYPE_CHECKING

from stores.features.recipe import Recipe
from tasks.errors import InputError
from tasks.execution.keras_backend import check_backend
from tasks.features.engines import Job
from tasks.finetune.plan import PlannedFineTuning
from tasks.finetune.specification import EVERYTHING, FineTuning
from tasks.images.augmentation_names import NO_AUGMENTATION

if TYPE_CHECKING:
    from tasks.finetune.network import Cut


def prefix_job(planned: PlannedFineTuning) -> Job:
    """Return the job that computes the outputs of the frozen part; raises InputError.

    TensorFlow is imported.
    """
    check_backend()
    from tasks.finetune.network import cut_of

    cut = cut_of(planned.run.recipe, planned.tuning, file=planned.job.weights.path)
    recipe = prefix_recipe(planned.run.recipe, cut, planned.tuning)
    return replace(planned.job, recipes=(recipe,))


def prefix_recipe(recipe: Recipe, cut: "Cut | None", tuning: FineTuning) -> Recipe:
    """Return the recipe of the outputs at the cut of a network.

    Raises InputError if there is no cut, because no layer before the trained ones is on every path.
    """
    if cut is None and tuning.unfreeze == EVERYTHING:
        raise InputError(
            "--prefix cached: no layer is frozen; give a later layer with --unfreeze, or use "
            "--prefix images"
        )
    if cut is None:
        raise InputError(
            f"--prefix cached: {recipe.backbone} cannot be cut before {tuning.unfreeze!r}, because "
            "no layer there is on every path and after a layer with weights; give a later layer "
            "with --unfreeze, or use --prefix images"
        )
    augmentation = tuning.augmentation if tuning.views else NO_AUGMENTATION
    return replace(
        recipe,
        tap=cut.tap,
        pooling=cut.pooling,
        compute_precision="float32",
        dtype="float32",
        augmentation=augmentation,
    )
