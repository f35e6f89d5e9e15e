"""Evidence on whether images are similar to ImageNet's, measured on stored features."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stores.features.recipe import Recipe
from stores.features.store import FeatureStore
from stores.manifest import Manifest
from stores.storage.location import StoreLike
from tasks.advice.imagenet_classifier import imagenet_probabilities
from tasks.advice.linear_probes import (
    Folds,
    Labels,
    chance,
    classes_of_answers,
    mean_recall,
    probe,
)
from tasks.advice.logme import logme
from tasks.backbones.files.backbone import is_from_file
from tasks.backbones.registry import find_backbone
from tasks.backbones.weights import Weights
from tasks.datasets.folds import fold_numbers
from tasks.datasets.labelled_files import check_labelled, check_of_classes
from tasks.errors import InputError, WeightsError
from tasks.evaluation.comparison import Difference, RightAnswers, compare
from tasks.execution.progress import advance
from tasks.execution.steps import task

FOLDS = 5


@dataclass(frozen=True)
class Layer:
    """The results for the features of one tap."""

    tap: str
    numbers: int
    accuracy: float  # of a linear probe, averaged over classes
    logme: float


@dataclass(frozen=True)
class Answers:
    """The results of the ImageNet classifier on the images."""

    sureness: float  # the probability of its top class, averaged over images
    accuracy: float  # of predicting the classes from its top class, averaged over classes


@dataclass(frozen=True)
class Evidence:
    """All measurements; the last of the layers is the output."""

    images: int
    classes: int
    layers: tuple[Layer, ...]
    chance: float  # p-value of the best layer's probe, under random guessing
    earlier: Difference  # from the output to the best earlier layer
    answers: Answers | None  # None: the ImageNet classifier was not used
    unasked: str = ""  # the reason for that; the name is part of --json

    @property
    def output(self) -> Layer:
        """The backbone's last layer."""
        return self.layers[-1]

    @property
    def best_earlier(self) -> Layer:
        """The layer before the output with the best probe, the latest of equal ones."""
        return self.layers[_best(self.layers[:-1])]


def check_pretrained(weights: str) -> None:
    """Raise WeightsError for untrained weights, which do not show similarity to ImageNet."""
    if weights == "none":
        raise WeightsError(
            "--weights none: expected pretrained weights, to measure the similarity to ImageNet; "
            "use --weights imagenet, or a file of pretrained weights"
        )


def check_measurable(manifest: Manifest) -> None:
    """Raise InputError if there are too few classes, or too few images of a class."""
    check_labelled(manifest)
    fix = f"compare heads with python -m flows.train {manifest.name!r}"
    check_of_classes(manifest, "advice", fix=fix)
    if len(manifest.classes) < 2:
        raise InputError(
            f"data set {manifest.name!r}: expected at least 2 classes, found only "
            f"{manifest.classes[0]!r}; add a folder of images of another class"
        )
    few = {name: count for name, count in learned_counts(manifest).items() if count < FOLDS}
    if few:
        received = ", ".join(f"{name} ({count})" for name, count in list(few.items())[:5])
        raise InputError(
            f"data set {manifest.name!r}: expected at least {FOLDS} train and validation images of "
            f"each class, for {FOLDS} folds. Received fewer of {received}; add images, or use a "
            "lower --test-split"
        )


def learned_counts(manifest: Manifest) -> dict[str, int]:
    """Return the number of distinct images of train and validation, by class."""
    return {name: row["train"] + row["validation"] for name, row in manifest.counts().items()}


def measure(
    part: Manifest, recipes: Sequence[Recipe], weights: Weights, *, store: StoreLike
) -> Evidence:
    """Measure the stored features of at least two recipes, from early to late layers.

    `part` has no test images. Raises InputError for too few images, MissingFeatures if features are
    missing.
    """
    check_measurable(part)
    images = part.select()
    folds = fold_numbers(images, FOLDS)
    layers: list[Layer] = []
    predicted: list[Labels] = []
    for recipe in recipes:
        features = FeatureStore(store, recipe).read(images.keys)
        predicted.append(probe(features, images.labels, folds))
        accuracy = mean_recall(predicted[-1], images.labels)
        score = logme(features, images.labels, classes=len(part.classes))
        layers.append(Layer(recipe.tap, features.shape[1], accuracy, score))
        advance(1)
    right = np.array(predicted) == images.labels
    answers, unused = _answers(features, images.labels, folds, recipes[-1], weights)
    return Evidence(
        images=len(images.labels),
        classes=len(part.classes),
        layers=tuple(layers),
        chance=chance(predicted[_best(layers)], images.labels),
        earlier=compare(RightAnswers(right[[-1, _best(layers[:-1])]], images.groups)),
        answers=answers,
        unasked=unused,
    )


def _best(layers: Sequence[Layer]) -> int:
    """Return the index of the layer with the best probe, the latest of equal ones."""
    return max(range(len(layers)), key=lambda n: (layers[n].accuracy, n))


def _answers(
    features: NDArray[np.floating], labels: Labels, folds: Folds, output: Recipe, weights: Weights
) -> tuple[Answers | None, str]:
    """Return the results of the ImageNet classifier on the output, or why there are none.

    The classifier is used only at its native image size, because its probabilities are higher for
    smaller sizes of the same images. EfficientNet-Lite0 on digits: 0.09 at its 224 pixels, 0.71 at
    96.
    """
    if is_from_file(output):
        return None, "a backbone from a file comes without an ImageNet classifier"
    own = find_backbone(output.backbone).native_size
    if output.image_size != (own, own):
        return None, f"the ImageNet classifier needs its native image size (--image-size {own})"
    if output.pooling != "avg":
        return None, "the ImageNet classifier needs average pooling (--pooling avg)"
    probabilities = imagenet_probabilities(features, weights)
    if probabilities is None:
        return None, "these weights come without an ImageNet classifier"
    predicted = classes_of_answers(probabilities.argmax(axis=1), labels, folds)
    return Answers(float(probabilities.max(axis=1).mean()), mean_recall(predicted, labels)), ""


measure_task = task(name="measure")(measure)
