"""A fine-tuned model: how a run keeps it, and the job that makes features by its backbone."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from stores.checksums import file_digests
from stores.errors import CorruptStore
from stores.recipe import Recipe
from stores.run import Run
from stores.runs import RunStore
from tasks.engines import EngineChoice, Job
from tasks.recipes import job_of

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
    try:
        recipe = Recipe.from_json((folder / _RECIPE).read_text())
    except OSError as error:
        raise CorruptStore(f"{folder / _RECIPE}: {error.strerror}; fine-tune again") from error
    return job_of(recipe, str(folder / _WEIGHTS), store=store, engine=engine)
