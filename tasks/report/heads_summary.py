"""Heads and how they did: one summary for the terminal, the report and a server's artifact."""

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stores.in_notebook import InNotebook, Table
from stores.manifest import Manifest
from stores.runs.record import Run
from stores.runs.store import RunStore
from tasks.evaluation.majority_baseline import Baseline, baseline_in_words, baseline_of
from tasks.evaluation.selection import Selection, expected_in_words, selection_of
from tasks.evaluation.split_result import evaluate
from tasks.report.settings import differences, own_settings, settings_of

MOST_TIED = 5  # heads that are named


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

    @property
    def train_accuracy(self) -> float | None:
        """The accuracy on what it learned from; None where training failed."""
        return self.metrics.get("train_accuracy")

    @property
    def validation_accuracy(self) -> float | None:
        """The accuracy on validation, or by folds; None where training failed."""
        return self.metrics.get("validation_accuracy")

    @property
    def by_class(self) -> dict[str, float]:
        """Balanced accuracy and macro F1 where it was measured; what an older run lacks is not."""
        names = {"balanced accuracy": "balanced_accuracy", "macro F1": "macro_f1"}
        found = {name: self.metrics.get(f"validation_{key}") for name, key in names.items()}
        return {name: value for name, value in found.items() if value is not None}

    def json_fields(self) -> dict[str, Any]:
        """Return what JSON has of it: each metric by its name, too."""
        return {**vars(self), **self.metrics}

    def tables(self) -> Iterator[Table]:
        """Yield its accuracies, or why it failed, and its settings."""
        about = {"run": self.run[:16], "failure": self.failure} if self.failure else {}
        yield Table(f"{self.head}, run {self.run[:16]}", [about or self.metrics])
        yield Table(self.settings, [])


@dataclass(frozen=True, kw_only=True)
class HeadsSummary(InNotebook):
    """Heads of one data set, which was chosen, and what that choice is worth."""

    dataset: str
    run: str  # the id of the chosen one, which is one of `runs`
    folds: int  # that validation is made of; 0: it is the data set's own split
    runs: tuple[TrainedHead, ...]
    selection: Selection | None  # None: it failed, and nothing is known
    test_metrics: dict[str, float]  # of the chosen one's last test evaluation
    test_openings: int  # test evaluations by all runs of the store
    baseline: Baseline | None = None  # on what the chosen one was measured on
    not_better: str = ""  # than that baseline, in words; '' where it is

    @property
    def chosen(self) -> TrainedHead:
        """The chosen head."""
        return next(head for head in self.runs if head.run == self.run)

    @property
    def measured_on(self) -> str:
        """What the heads were measured on."""
        return f"{self.folds} fold{'' if self.folds == 1 else 's'}" if self.folds else "validation"

    @property
    def test_accuracy(self) -> float | None:
        """The chosen head's accuracy on the test split, where that was evaluated."""
        return self.test_metrics.get("test_accuracy")

    @property
    def best_first(self) -> list[TrainedHead]:
        """The heads in the order of their accuracy; those that failed come last."""
        return sorted(
            self.runs, key=lambda head: head.metrics.get("validation_accuracy", -1.0), reverse=True
        )

    @property
    def tied(self) -> list[TrainedHead]:
        """The other heads of the chosen one's accuracy."""
        best = self.chosen.validation_accuracy
        return [
            head
            for head in self.runs
            if head.run != self.run and best is not None and head.validation_accuracy == best
        ]

    @property
    def ties_in_words(self) -> str:
        """Which heads are as accurate as the chosen one, for people; '' for none."""
        if not self.tied:
            return ""
        names = ", ".join(head.head for head in self.tied[:MOST_TIED])
        more = f" and {len(self.tied) - MOST_TIED} more" if len(self.tied) > MOST_TIED else ""
        return f"tied on {self.measured_on}: {self.chosen.head} (chosen), {names}{more}"

    def tables(self) -> Iterator[Table]:
        """Yield the heads, the best first, and what the choice is worth."""
        rows = [
            {
                "": "chosen" if head.run == self.run else "",
                "head": head.head,
                "train": head.train_accuracy,
                self.measured_on: head.validation_accuracy,
                **head.by_class,
                "run": head.run[:16],
                "settings that differ": head.failure or head.differing,
            }
            for head in self.best_first
        ]
        yield Table(f"Heads on {self.dataset}", rows)
        if self.selection:
            yield Table(expected_in_words(self.selection), [])
        for line in filter(None, (self.not_better, self.ties_in_words)):
            yield Table(line, [])
        if self.test_accuracy is not None:
            yield Table(f"test accuracy of {self.chosen.head}: {self.test_accuracy:.4f}", [])

    def json_fields(self) -> dict[str, Any]:
        """Return what JSON has of it: what matters of the chosen head, too."""
        return {
            **vars(self),
            "head": self.chosen.head,
            "validation_accuracy": self.chosen.validation_accuracy,
            "validation_balanced_accuracy": self.chosen.by_class.get("balanced accuracy"),
            "validation_macro_f1": self.chosen.by_class.get("macro F1"),
            "tied": [head.run for head in self.tied],
            "test_accuracy": self.test_accuracy,
        }


def summarize_heads(
    stored: RunStore,
    manifest: Manifest,
    runs: Sequence[Run],
    chosen: Run,
    *,
    requested: Sequence[Mapping[str, Any]] = (),
    cached: Container[str] = (),
) -> HeadsSummary:
    """Return the summary of runs, in their order; one of them was chosen.

    `requested` are the parameters by which they were requested now, where a run was stored by
    others; `cached` are the ids of those that were trained before.
    """
    parameters = list(requested) or [run.parameters for run in runs]
    differing = differences(map(_compared, runs, parameters))
    openings = stored.openings(chosen.id)
    selection = None if chosen.failure else selection_of(stored, chosen)
    baseline = None if selection is None else _baseline(stored, manifest, chosen)
    return HeadsSummary(
        dataset=manifest.name,
        run=chosen.id,
        folds=chosen.folds,
        runs=tuple(
            TrainedHead(
                run=run.id,
                head=head_name(run, given),
                cached=run.id in cached,
                failure=run.failure,
                seed=run.seed,
                fingerprint=run.fingerprint,
                parameters=dict(given),
                specification=run.head,
                metrics=run.metrics,
                differing=differing[run.id],
                settings=own_settings(run),
            )
            for run, given in zip(runs, parameters, strict=True)
        ),
        selection=selection,
        baseline=baseline,
        not_better=baseline_in_words(selection.estimate, baseline, chosen)
        if selection and baseline
        else "",
        test_metrics=openings[-1].metrics if openings else {},
        test_openings=stored.times_opened(manifest.select("test").keys),
    )


def head_name(run: Run, parameters: Mapping[str, Any] | None = None) -> str:
    """Return what the user called the head (a preset, perhaps), or else its kind."""
    requested = (run.parameters if parameters is None else parameters).get("head")
    name = requested if isinstance(requested, str) else str(run.head.get("kind", "head"))
    return f"{name}, fine-tuned" if run.finetuning else name


def _baseline(stored: RunStore, manifest: Manifest, run: Run) -> Baseline | None:
    predictions = stored.predictions(run.id)
    result = evaluate(predictions, split="validation", classes=run.classes, folds=run.folds)
    return baseline_of(result, manifest)


def _compared(run: Run, parameters: Mapping[str, Any]) -> tuple[str, str, dict[str, Any]]:
    kind = "fine-tuned" if run.finetuning else str(run.head["kind"])
    settings = settings_of(run.head, parameters, run.finetuning)
    return run.id, kind, settings | {"seed": run.seed}
