"""The search over the trials of a sweep: all of them, or guided by earlier results."""

from collections.abc import Sequence
from typing import Any

from tasks.errors import InputError
from tasks.training.sweep.space import Axes, Range, Sweep, Trial, WholeRange, make_trial

_AT_ONCE = 16  # trials that are proposed at a time, and trained as a head group


class AllTrials:
    """All trials of a sweep at once, by the interface of Optuna: ask and tell."""

    def __init__(self, space: Sweep) -> None:
        self._left = list(space)

    def ask(self) -> list[Trial]:
        """Return all trials, and at the second call none: the search is over."""
        trials, self._left = self._left, []
        return trials

    def tell(self, results: Sequence[float | None]) -> None:
        """Do nothing."""


class GuidedSearch:
    """Optuna's tree-structured Parzen estimator, which proposes trials similar to good ones.

    J. Bergstra et al., Algorithms for Hyper-Parameter Optimization, NIPS 2011. The same seed gives
    the same trials, if their results are the same.
    """

    def __init__(self, space: Sweep) -> None:
        try:
            import optuna
        except ImportError:
            raise InputError(
                "a guided search needs Optuna; run pip install 'gargalo[search]'"
            ) from None
        if space.trials is None:
            raise InputError("a guided search needs the number of trials; give --trials N")
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sampler = optuna.samplers.TPESampler(seed=space.search_seed)
        self._study = optuna.create_study(direction="maximize", sampler=sampler)
        self._failed = optuna.trial.TrialState.FAIL
        self._space, self._left = space, space.trials
        self._proposed: list[Any] = []

    def ask(self) -> list[Trial]:
        """Return the next trials; none when the search is over."""
        count = min(_AT_ONCE, self._left)
        self._left -= count
        self._proposed = [self._study.ask() for _ in range(count)]
        return [self._trial(proposed) for proposed in self._proposed]

    def tell(self, results: Sequence[float | None]) -> None:
        """Record the results of the last trials, larger for a better one; None if it failed."""
        for proposed, result in zip(self._proposed, results, strict=True):
            if result is None:
                self._study.tell(proposed, state=self._failed)
            else:
                self._study.tell(proposed, result)

    def _trial(self, proposed: Any) -> Trial:  # noqa: ANN401  Optuna's
        number = proposed.suggest_int("head", 0, len(self._space.heads) - 1)
        kind, axes = self._space.heads[number]
        features = _suggested(proposed, "features", self._space.features)
        return make_trial(features, kind, _suggested(proposed, str(number), axes))


Search = AllTrials | GuidedSearch


def search_of(space: Sweep) -> Search:
    """Return the search of a sweep; raises InputError if something is missing for it."""
    return GuidedSearch(space) if space.guided else AllTrials(space)


def _suggested(trial: Any, prefix: str, axes: Axes) -> dict[str, Any]:  # noqa: ANN401  Optuna's
    values: dict[str, Any] = {}
    for name, axis in axes.items():
        of = f"{prefix}.{name}"
        if isinstance(axis, Range):
            suggest = trial.suggest_int if isinstance(axis, WholeRange) else trial.suggest_float
            values[name] = suggest(of, axis.low, axis.high, log=axis.scale == "log")
        else:
            values[name] = axis[trial.suggest_categorical(of, list(range(len(axis))))]
    return values
