"""The frozen part of a network: what it makes of images are features, kept like any other."""

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
    """Return the job that computes what the frozen part makes of images; raises InputError.

    TensorFlow is imported.
    """
    check_backend()
    from tasks.finetune.network import cut_of

    cut = cut_of(planned.run.recipe, planned.tuning)
    recipe = prefix_recipe(planned.run.recipe, cut, planned.tuning)
    return replace(planned.job, recipes=(recipe,))


def prefix_recipe(recipe: Recipe, cut: "Cut | None", tuning: FineTuning) -> Recipe:
    """Return the recipe of what comes out where a network is cut.

    Raises InputError where it cannot be cut, because what is trained begins before any point that
    all paths pass through.
    """
    if cut is None and tuning.unfreeze == EVERYTHING:
        raise InputError(
            "--prefix cached: no layer is frozen, so that there is nothing to keep; unfreeze from "
            "a later layer, or use --prefix images"
        )
    if cut is None:
        raise InputError(
            f"--prefix cached: nothing of {recipe.backbone} can be kept, for no layer before "
            f"{tuning.unfreeze!r} lies on every path and has weights before it; unfreeze from a "
            "later layer, or use --prefix images"
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
