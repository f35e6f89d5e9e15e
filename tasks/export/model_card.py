"""The model card: what an exported model is, how good it is, its origin, and how to load it."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from stores.features.recipe import Recipe
from stores.manifest import Manifest
from stores.runs.record import Run
from stores.storage.location import StoreLike
from tasks.backbones.files.backbone import is_from_file
from tasks.backbones.registry import find_backbone
from tasks.errors import InputError
from tasks.evaluation.bootstrap import Measured
from tasks.evaluation.calibrated_targets import AnyCalibrated, CalibratedLabels, CalibratedNumber
from tasks.evaluation.number_intervals import interval_rule
from tasks.evaluation.prediction_sets import needed
from tasks.evaluation.selection import (
    figure_in_words,
    not_counted,
    place_in_words,
    value_of,
    words_of,
)
from tasks.export.deviation import Deviation
from tasks.export.markdown import render
from tasks.finetune.specification import head_settings, in_words
from tasks.inference.predict import Classifier
from tasks.report.run_facts import RunFacts, run_facts

_COVERAGES = (0.8, 0.9, 0.95)  # whose intervals a card shows
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
    return render(
        "card.md.jinja",
        run=run,
        target=run.target,
        recipe=classifier.recipe,
        head=json.dumps(head_settings(run.head, run.finetuning), sort_keys=True),
        scores=classifier.scores,
        **_held_out(classifier.calibrated),
        orientation=classifier.orientation,
        **_how_good(facts),
        metrics=run.metrics | tested,
        sizes=manifest.split_sizes() if same else {},
        licence=_licence(run, classifier.recipe),
        tuning=in_words(run.finetuning) if run.finetuning else "",
        deviations={name: asdict(found) for name, found in deviations.items()},
    ).encode()


def _how_good(facts: RunFacts) -> dict[str, Any]:
    """Return what the card says of how good the run is."""
    found = facts.evaluation
    if found is None:
        raise InputError(f"run {facts.id[:16]} has no model: {facts.run.failure}")
    estimate = found.selection.estimate
    expected = figure_in_words(Measured(value_of(estimate), estimate.low, estimate.high))
    return {
        "evaluation": found,
        "figures": {name: figure_in_words(one) for name, one in found.measured().items()},
        "rows": found.rows(),
        "place": place_in_words(found.selection),
        "expected": f"{words_of(estimate)} {expected}",
        "not_counted": not_counted(found.selection),
    }


def _held_out(found: AnyCalibrated) -> dict[str, Any]:
    """Return what the card says by held-out images."""
    if isinstance(found, CalibratedLabels):
        return {"calibration": found.calibration, "thresholds": found.thresholds.tolist()}
    if not isinstance(found, CalibratedNumber):
        return {"calibration": found.calibration}
    images = len(found.residuals.sizes)
    groups = found.residuals.groups
    count = images if groups is None else len(np.unique(groups))
    rules = [interval_rule(found.residuals, one) for one in _COVERAGES if needed(one) <= count]
    few = f"{images} held-out images are too few for {_COVERAGES[0]:.0%}"
    return {"intervals": rules, "no_intervals": found.why_not or few}


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
