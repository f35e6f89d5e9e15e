"""A fine-tuned model: how a run keeps it, and the job that makes features by its backbone."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from stores.errors import CorruptStore, NotInStore
from stores.features.recipe import Recipe
from stores.features.store import FeatureStore
from stores.runs.record import Run
from stores.runs.store import RunStore
from stores.storage.digests import file_digests
from stores.storage.safe_files import read_text
from tasks.errors import InputError
from tasks.features.engines import Job
from tasks.features.job import job_of
from tasks.features.request import EngineChoice

if TYPE_CHECKING:
    from tasks.finetune.network import Network

# In a run's model folder, beside the head's own file.
_WEIGHTS, _RECIPE = "backbone.weights.h5", "recipe.json"


def save(network: "Network", recipe: Recipe, folder: Path) -> None:
    """Write a network into an empty folder: its head, its backbone, and the features' recipe.

    That is the recipe of what the head takes, by the backbone's weights as they are now.
    """
    network.trained_head().save(folder)
    network.base.save_weights(folder / _WEIGHTS)
    weights = f"sha256:{file_digests(folder)[_WEIGHTS]}"
    tuned = replace(recipe, weights=weights, compute_precision="float32", dtype="float32")
    (folder / _RECIPE).write_text(tuned.to_json())


def fine_tuned_job(run: Run, *, store: Path, engine: EngineChoice) -> Job:
    """Return the job that makes features by a run's own backbone; raises CorruptStore."""
    folder = RunStore(store).model_folder(run.id)
    path, way_out = folder / _RECIPE, f"move {folder.parent} away and fine-tune again"
    try:
        recipe = Recipe.from_json(read_text(path))
    except FileNotFoundError as error:
        raise CorruptStore(f"{path}: the file is gone; {way_out}") from error
    except ValueError as error:  # CorruptStore among them
        raise CorruptStore(f"{path}: the file is damaged: {error}; {way_out}") from error
    if recipe.weights != f"sha256:{run.model_digests.get(_WEIGHTS)}":
        raise CorruptStore(f"{path}: the recipe is of other weights than {_WEIGHTS}; {way_out}")
    return job_of(recipe, str(folder / _WEIGHTS), store=store, engine=engine)


def features_job(
    run: Run, *, store: Path, weights: str | None = None, engine: EngineChoice = "auto"
) -> Job:
    """Return the job that makes the features that a run's head takes; raises as load_classifier."""
    if run.finetuning:
        if weights:
            raise InputError(
                f"--weights {weights}: run {run.id[:16]} is fine-tuned, and has its own"
            )
        return fine_tuned_job(run, store=store, engine=engine)
    try:
        recipe = FeatureStore.open(store, run.fingerprint).recipe
    except NotInStore as error:
        raise InputError(
            f"run {run.id[:16]}: the recipe of its features is no more in the store ({error}); "
            "extract them again"
        ) from error
    asked = weights or str(run.parameters.get("weights", "imagenet"))
    return job_of(recipe, asked, store=store, engine=engine)
