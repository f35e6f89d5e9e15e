"""Evidence on whether images are like ImageNet's, measured on stored features."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stores.features.recipe import Recipe
from stores.features.store import FeatureStore
from stores.manifest import Manifest
from stores.storage.location import StoreLike
from tasks.advice.imagenet_classifier import imagenet_probabilities
from tasks.advice.linear_probes import Folds, Labels, chance, mean_recall, probe, said_by_answers
from tasks.advice.logme import logme
from tasks.backbones.registry import find_backbone
from tasks.backbones.weights import Weights
from tasks.datasets.folds import fold_numbers
from tasks.errors import InputError, WeightsError
from tasks.evaluation.comparison import Difference, compare
from tasks.execution.progress import advance
from tasks.execution.steps import task

FOLDS = 5


@dataclass(frozen=True)
class Layer:
    """What the features of one tap are worth."""

    tap: str
    numbers: int
    accuracy: float  # of a linear probe, averaged over classes
    logme: float


@dataclass(frozen=True)
class Answers:
    """What the ImageNet classifier says of the images."""

    sureness: float  # its first answer's probability, averaged over images
    accuracy: float  # of telling the classes by its first answer alone, averaged over classes


@dataclass(frozen=True)
class Evidence:
    """All that was measured, on so many images; the last of the layers is the output."""

    images: int
    classes: int
    layers: tuple[Layer, ...]
    chance: float  # p-value: of the best layer's probe, where it only guesses
    earlier: Difference  # from the output to the best earlier layer
    answers: Answers | None  # None: the ImageNet classifier was not asked
    unasked: str = ""  # why not

    @property
    def output(self) -> Layer:
        """The backbone's last layer."""
        return self.layers[-1]

    @property
    def best_earlier(self) -> Layer:
        """The layer before the output by which a probe is best; of equals, the latest."""
        return self.layers[_best(self.layers[:-1])]


def check_pretrained(weights: str) -> None:
    """Raise WeightsError for untrained weights, by which nothing is like or unlike ImageNet."""
    if weights == "none":
        raise WeightsError(
            "--weights none: untrained weights know nothing of ImageNet, so that images cannot be "
            "like it or not; use --weights imagenet, or a file of pretrained weights"
        )


def check_measurable(manifest: Manifest) -> None:
    """Raise InputError where there are too few classes, or images of one, for the folds."""
    if len(manifest.classes) < 2:
        raise InputError(
            f"data set {manifest.name!r} has the one class {manifest.classes[0]!r}; there is "
            "nothing to tell apart: add a folder of other images"
        )
    few = {name: count for name, count in learned_counts(manifest).items() if count < FOLDS}
    if few:
        told = ", ".join(f"{name} ({count})" for name, count in list(few.items())[:5])
        raise InputError(
            f"data set {manifest.name!r}: expected at least {FOLDS} images of each class in train "
            f"and validation, for as many folds. Received fewer of {told}; add images, or leave "
            "more of them to train with a lower --test-split"
        )


def learned_counts(manifest: Manifest) -> dict[str, int]:
    """Return the number of distinct images of train and validation, by class."""
    return {name: row["train"] + row["validation"] for name, row in manifest.counts().items()}


def measure(
    part: Manifest, recipes: Sequence[Recipe], weights: Weights, *, store: StoreLike
) -> Evidence:
    """Measure what the stored features of two recipes or more are worth, from early to late.

    `part` has no image of the test split. Raises InputError where it has too few, MissingFeatures
    where some are not stored.
    """
    check_measurable(part)
    images = part.select()
    folds = fold_numbers(images.keys, images.labels, FOLDS)
    layers: list[Layer] = []
    said: list[Labels] = []
    for recipe in recipes:
        features = FeatureStore(store, recipe).read(images.keys)
        said.append(probe(features, images.labels, folds))
        accuracy = mean_recall(said[-1], images.labels)
        score = logme(features, images.labels, classes=len(part.classes))
        layers.append(Layer(recipe.tap, features.shape[1], accuracy, score))
        advance(1)
    right = np.array(said) == images.labels
    answers, unasked = _asked(features, images.labels, folds, recipes[-1], weights)
    return Evidence(
        images=len(images.labels),
        classes=len(part.classes),
        layers=tuple(layers),
        chance=chance(said[_best(layers)], images.labels),
        earlier=compare(right[[-1, _best(layers[:-1])]]),
        answers=answers,
        unasked=unasked,
    )


def _best(layers: Sequence[Layer]) -> int:
    """Return the number of the layer by which a probe is best; of equals, of the latest."""
    return max(range(len(layers)), key=lambda n: (layers[n].accuracy, n))


def _asked(
    features: NDArray[np.floating], labels: Labels, folds: Folds, output: Recipe, weights: Weights
) -> tuple[Answers | None, str]:
    """Return what the ImageNet classifier says of the output's features, or why it is not asked.

    It is asked at the size only that it was trained at: of the same images it is the surer, the
    smaller they are. EfficientNet-Lite0 of digits: 0.09 at its own 224 pixels, 0.71 at 96.
    """
    own = find_backbone(output.backbone).native_size
    if output.image_size != (own, own):
        return None, f"the ImageNet classifier is asked at its own size only (--image-size {own})"
    if output.pooling != "avg":
        return None, "the ImageNet classifier is asked about averages only (--pooling avg)"
    probabilities = imagenet_probabilities(features, weights)
    if probabilities is None:
        return None, "these weights bring no ImageNet classifier that could be asked"
    said = said_by_answers(probabilities.argmax(axis=1), labels, folds)
    return Answers(float(probabilities.max(axis=1).mean()), mean_recall(said, labels)), ""


measure_task = task(name="measure")(measure)
