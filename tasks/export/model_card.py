"""The model card: what an exported model is, how good it is, its origin, and how to load it."""

import json
from collections.abc import Mapping
from dataclasses import asdict

from stores.features.recipe import Recipe
from stores.manifest import Manifest
from stores.runs.record import Run
from stores.storage.location import StoreLike
from tasks.backbones.files.backbone import is_from_file
from tasks.backbones.registry import find_backbone
from tasks.evaluation.selection import not_counted, place_in_words
from tasks.export.deviation import Deviation
from tasks.export.markdown import render
from tasks.finetune.specification import head_settings, in_words
from tasks.inference.predict import Classifier
from tasks.report.run_facts import run_facts

_LICENCES = {
    "none": "untrained, drawn at random",
    "imagenet": "Keras's ImageNet weights, under the licences given in keras.io/api/applications",
    "package": "from the package {package}, Apache-2.0",
    "file": "from a file of the user, under its own licence",
}


def model_card(
    run: Run,
    manifest: Manifest,
    classifier: Classifier,
    store: StoreLike,
    deviations: Mapping[str, Deviation],
) -> bytes:
    """Return the card as Markdown."""
    facts = run_facts(store, run.id)
    tested = facts.openings[-1].metrics if facts.openings else {}
    same = manifest.digest == run.dataset_digest
    counts = manifest.counts().values()
    splits = ("train", "validation", "test")
    return render(
        "card.md.jinja",
        run=run,
        recipe=classifier.recipe,
        head=json.dumps(head_settings(run.head, run.finetuning), sort_keys=True),
        scores=classifier.scores,
        calibration=classifier.calibrated.calibration,
        orientation=classifier.orientation,
        evaluation=facts.evaluation,
        metrics=run.metrics | tested,
        place=place_in_words(facts.evaluation.selection) if facts.evaluation else "",
        not_counted=not_counted(facts.evaluation.selection) if facts.evaluation else "",
        sizes={split: sum(row[split] for row in counts) for split in splits} if same else {},
        licence=_licence(run, classifier.recipe),
        tuning=in_words(run.finetuning) if run.finetuning else "",
        deviations={name: asdict(found) for name, found in deviations.items()},
    ).encode()


def _licence(run: Run, recipe: Recipe) -> str:
    """Return the licence of the weights of the backbone, or of its initial weights."""
    if is_from_file(recipe):
        return _LICENCES["file"]
    untrained = run.finetuning.get("strategy") == "scratch"
    source = "none" if untrained else str(run.parameters.get("weights", "imagenet"))
    package = find_backbone(recipe.backbone).package
    if source == "imagenet" and package:
        return _LICENCES["package"].format(package=package)
    return _LICENCES[source if source in {"none", "imagenet"} else "file"]
