"""Heads and how they did: one summary for the terminal, the report and a server's artifact."""

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stores.in_notebook import InNotebook, Table
from stores.manifest import Manifest
from stores.runs.record import Run
from stores.runs.store import RunStore
from stores.targets import MAIN_FIGURE, Figure, Target
from tasks.evaluation.comparison import Estimate
from tasks.evaluation.figure_baseline import (
    FigureBaseline,
    figure_baseline,
    figure_baseline_in_words,
)
from tasks.evaluation.figure_estimates import FigureEstimate
from tasks.evaluation.majority_baseline import Baseline, baseline_in_words, baseline_of
from tasks.evaluation.selection import Selection, expected_in_words, plain_figure, selection_of
from tasks.evaluation.split_result import evaluate
from tasks.report.settings import differences, own_settings, settings_of
from tasks.report.trained_head import BESIDE, TrainedHead, order_of

MOST_TIED = 5  # heads that are named


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
    # On what the chosen one was measured on.
    baseline: Baseline | FigureBaseline | None = None
    not_better: str = ""  # than that baseline, in words; '' where it is
    target: Target = "classes"

    @property
    def chosen(self) -> TrainedHead:
        """The chosen head."""
        return next(head for head in self.runs if head.run == self.run)

    @property
    def figure(self) -> Figure:
        """The figure by which heads are compared."""
        return MAIN_FIGURE[self.target]

    @property
    def words_beside(self) -> list[str]:
        """What else is shown of each head."""
        return list(BESIDE[self.target])

    @property
    def measured_on(self) -> str:
        """What the heads were measured on."""
        return f"{self.folds} fold{'' if self.folds == 1 else 's'}" if self.folds else "validation"

    @property
    def test_accuracy(self) -> float | None:
        """The chosen head's accuracy on the test split, where that was evaluated."""
        return self.test_metrics.get("test_accuracy")

    @property
    def test_figure(self) -> float | None:
        """The chosen head's main figure on the test split, where that was evaluated."""
        return self.test_metrics.get(f"test_{self.figure.name}")

    @property
    def best_first(self) -> list[TrainedHead]:
        """The heads in the order of their main figure; those that failed come last."""
        return sorted(self.runs, key=lambda head: order_of(head.validation_figure, self.target))

    @property
    def tied(self) -> list[TrainedHead]:
        """The other heads of the chosen one's figure."""
        best = self.chosen.validation_figure
        return [
            head
            for head in self.runs
            if head.run != self.run and best is not None and head.validation_figure == best
        ]

    @property
    def ties_in_words(self) -> str:
        """Which heads are as good as the chosen one, for people; '' for none."""
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
                "train": head.train_figure,
                self.measured_on: head.validation_figure,
                **head.beside,
                "run": head.run[:16],
                "settings that differ": head.failure or head.differing,
            }
            for head in self.best_first
        ]
        by = "" if self.target == "classes" else f" by {self.figure.words}"
        yield Table(f"Heads on {self.dataset}{by}", rows)
        if self.selection:
            yield Table(expected_in_words(self.selection), [])
        for line in filter(None, (self.not_better, self.ties_in_words)):
            yield Table(line, [])
        if self.test_figure is not None:
            about = f"test {self.figure.words} of {self.chosen.head}"
            yield Table(f"{about}: {plain_figure(self.test_figure)}", [])

    def json_fields(self) -> dict[str, Any]:
        """Return what JSON has of it: what matters of the chosen head, too."""
        names = (self.figure.name, *BESIDE[self.target].values())
        measured = {f"validation_{n}": self.chosen.metrics.get(f"validation_{n}") for n in names}
        return {
            **vars(self),
            "head": self.chosen.head,
            **measured,
            "tied": [head.run for head in self.tied],
            f"test_{self.figure.name}": self.test_figure,
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
                target=run.target,
            )
            for run, given in zip(runs, parameters, strict=True)
        ),
        selection=selection,
        baseline=baseline,
        not_better=_not_better(selection, baseline, chosen),
        target=chosen.target,
        test_metrics=openings[-1].metrics if openings else {},
        test_openings=stored.times_opened(manifest.select("test").keys),
    )


def head_name(run: Run, parameters: Mapping[str, Any] | None = None) -> str:
    """Return what the user called the head (a preset, perhaps), or else its kind."""
    requested = (run.parameters if parameters is None else parameters).get("head")
    name = requested if isinstance(requested, str) else str(run.head.get("kind", "head"))
    return f"{name}, fine-tuned" if run.finetuning else name


def _not_better(
    selection: Selection | None, baseline: Baseline | FigureBaseline | None, run: Run
) -> str:
    match selection and selection.estimate, baseline:
        case Estimate() as estimate, Baseline():
            return baseline_in_words(estimate, baseline, run)
        case FigureEstimate() as estimate, FigureBaseline():
            return figure_baseline_in_words(estimate, baseline)
    return ""


def _baseline(stored: RunStore, manifest: Manifest, run: Run) -> Baseline | FigureBaseline | None:
    predictions = stored.predictions(run.id)
    if run.target != "classes":
        return figure_baseline(predictions, run, manifest, "validation")
    result = evaluate(predictions, split="validation", classes=run.classes, folds=run.folds)
    return baseline_of(result, manifest)


def _compared(run: Run, parameters: Mapping[str, Any]) -> tuple[str, str, dict[str, Any]]:
    kind = "fine-tuned" if run.finetuning else str(run.head["kind"])
    settings = settings_of(run.head, parameters, run.finetuning)
    return run.id, kind, settings | {"seed": run.seed}
