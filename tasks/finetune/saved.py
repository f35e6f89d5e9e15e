"""A fine-tuned model: its files in a run, and the job that computes features with its backbone."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from stores.errors import CorruptStore, NotInStore
from stores.features.recipe import Recipe
from stores.features.store import FeatureStore
from stores.runs.record import Run
from stores.runs.store import RunStore
from stores.storage.digests import file_digests
from stores.storage.location import StoreLike
from stores.storage.safe_files import read_text
from tasks.backbones.files.backbone import (
    check_is_there,
    is_from_file,
    is_keras_file,
    is_preset,
    of_other_file,
)
from tasks.backbones.files.digest import file_digest, joined
from tasks.errors import InputError, WeightsError
from tasks.features.engines import Job
from tasks.features.job import job_of
from tasks.features.request import EngineChoice

if TYPE_CHECKING:
    from tasks.finetune.network import Network

# In a run's model folder, beside the head's own file.
# A backbone from a file is kept whole: its layers are known from no other place. A preset stays
# one: the layers of KerasHub alone are not always saved as they are made.
_WEIGHTS, _FILE, _FOLDER = "backbone.weights.h5", "backbone.keras", "backbone"
_RECIPE = "recipe.json"


def save(network: "Network", recipe: Recipe, folder: Path) -> None:
    """Write a network into an empty folder: its head, its backbone, and the recipe of its features.

    The recipe has the current weights of the backbone.
    """
    network.trained_head().save(folder)
    if is_preset(recipe):
        network.base.preset.save(folder / _FOLDER)
        recipe = of_other_file(recipe, file_digest(folder / _FOLDER))
    elif is_keras_file(recipe):
        network.base.save(folder / _FILE)
        recipe = of_other_file(recipe, f"sha256:{file_digests(folder)[_FILE]}")
    else:
        network.base.save_weights(folder / _WEIGHTS)
        recipe = replace(recipe, weights=f"sha256:{file_digests(folder)[_WEIGHTS]}")
    tuned = replace(recipe, compute_precision="float32", dtype="float32")
    (folder / _RECIPE).write_text(tuned.to_json())


def fine_tuned_job(run: Run, *, store: StoreLike, engine: EngineChoice) -> Job:
    """Return the job that computes features with a run's own backbone; raises CorruptStore."""
    folder = RunStore(store).model_folder(run.id)
    path = folder / _RECIPE
    fix = f"bring it back from a backup, or move {folder.parent} away and fine-tune again"
    try:
        recipe = Recipe.from_json(read_text(path))
    except FileNotFoundError as error:
        raise CorruptStore(f"{path}: file not found; {fix}") from error
    except ValueError as error:  # CorruptStore is one
        raise CorruptStore(f"{path}: the file is damaged: {error}; {fix}") from error
    name = _FOLDER if is_preset(recipe) else _FILE if is_from_file(recipe) else _WEIGHTS
    parts = [digest for part, digest in sorted(run.model_digests.items()) if _is_of(part, name)]
    if recipe.weights != joined(parts):
        raise CorruptStore(f"{path}: the weights in the recipe are not those of {name}; {fix}")
    try:
        return job_of(recipe, str(folder / name), store=store, engine=engine)
    except WeightsError as error:  # whose fix is --weights, which a fine-tuned run refuses
        there = (folder / name).exists()
        reason = "it has changed since the fine-tuning" if there else "not found"
        raise CorruptStore(f"{folder / name}: {reason}; {fix}") from error


def _is_of(part: str, name: str) -> bool:
    """Return whether a file of a model, by its path there, is or is in what has this name."""
    return part == name or part.startswith(f"{name}/")


def features_job(
    run: Run, *, store: StoreLike, weights: str | None = None, engine: EngineChoice = "auto"
) -> Job:
    """Return the job that computes the features of a run's head; raises as `load_classifier`."""
    if run.finetuning:
        if weights:
            raise InputError(
                f"--weights {weights}: run {run.id[:16]} is fine-tuned and has its own weights; "
                "remove the flag"
            )
        return fine_tuned_job(run, store=store, engine=engine)
    try:
        recipe = FeatureStore.open(store, run.fingerprint).recipe
    except NotInStore as error:
        raise InputError(
            f"run {run.id[:16]}: the recipe of its features is not in the store ({error}); extract "
            "them again"
        ) from error
    named = "backbone" if is_from_file(recipe) else "weights"
    source = weights or str(run.parameters.get(named, "imagenet"))
    if is_from_file(recipe):
        asked = f"--weights {weights}" if weights else source
        check_is_there(recipe, source, named=asked, needed_by=f"run {run.id[:16]} needs")
    return job_of(recipe, source, store=store, engine=engine)
