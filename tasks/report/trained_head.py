"""One head and how it did, and the figures by which heads are sorted."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stores.in_notebook import InNotebook, Table
from stores.targets import MAIN_FIGURE, Target

# Metrics beside the main figure, by their words.
BESIDE: dict[Target, dict[str, str]] = {
    "classes": {"balanced accuracy": "balanced_accuracy", "macro F1": "macro_f1"},
    "labels": {"macro F1": "macro_f1", "exact match": "exact_match"},
    "number": {"RMSE": "root_mean_squared_error", "R²": "r2"},
}


@dataclass(frozen=True, kw_only=True)
class TrainedHead(InNotebook):
    """A head: how it was made and how it did. A fine-tuned model is one too."""

    run: str  # its id
    head: str  # a preset or a kind, as it was requested
    cached: bool  # it was trained before
    failure: str  # why there is no model, or ''
    seed: int
    fingerprint: str  # of the features' recipe
    parameters: dict[str, Any]  # as requested
    specification: dict[str, Any]
    metrics: dict[str, float]
    differing: str  # the settings in which it differs from the others, in words
    settings: str  # all settings of its own, in words
    target: Target = "classes"

    @property
    def train_figure(self) -> float | None:
        """Its target's main figure on what it learned from; None where training failed."""
        return self.metrics.get(f"train_{MAIN_FIGURE[self.target].name}")

    @property
    def validation_figure(self) -> float | None:
        """Its target's main figure on validation, or by folds; None where training failed."""
        return self.metrics.get(f"validation_{MAIN_FIGURE[self.target].name}")

    @property
    def train_accuracy(self) -> float | None:
        """The accuracy on what it learned from; None where training failed."""
        return self.metrics.get("train_accuracy")

    @property
    def validation_accuracy(self) -> float | None:
        """The accuracy on validation, or by folds; None where training failed."""
        return self.metrics.get("validation_accuracy")

    @property
    def beside(self) -> dict[str, float]:
        """What else was measured on validation, by its words: for classes balanced accuracy."""
        return figures_beside(self.metrics, self.target, "validation")

    def json_fields(self) -> dict[str, Any]:
        """Return what JSON has of it: each metric by its name, too."""
        return {**vars(self), **self.metrics}

    def tables(self) -> Iterator[Table]:
        """Yield its figures, or why it failed, and its settings."""
        about = {"run": self.run[:16], "failure": self.failure} if self.failure else {}
        yield Table(f"{self.head}, run {self.run[:16]}", [about or self.metrics])
        yield Table(self.settings, [])


def figures_beside(metrics: Mapping[str, float], target: Target, split: str) -> dict[str, float]:
    """Return the metrics of a split beside the main figure, by their words.

    What an older run does not have is left out.
    """
    found = {words: metrics.get(f"{split}_{name}") for words, name in BESIDE[target].items()}
    return {words: value for words, value in found.items() if value is not None}


def order_of(value: float | None, target: Target) -> tuple[bool, float]:
    """Return by what a main figure is sorted, the best first and what is not known last."""
    return value is None, 0.0 if value is None else -MAIN_FIGURE[target].order(value)
