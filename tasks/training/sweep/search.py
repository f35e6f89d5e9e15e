"""In which order the trials of a sweep are tried: all of them, or guided by what came of others."""

from collections.abc import Sequence
from typing import Any, Protocol

from tasks.errors import InputError
from tasks.training.sweep.space import Axes, Range, Sweep, Trial, WholeRange, make_trial

_AT_ONCE = 16  # trials that are asked for before what came of them is known: they train together


class Search(Protocol):
    """Proposes trials, some at a time, until there are no more."""

    def ask(self) -> list[Trial]:
        """Return the next trials; none when the search is over."""

    def tell(self, accuracies: Sequence[float | None]) -> None:
        """Take in what came of the trials that were asked for last; None where one failed."""


def search_of(space: Sweep) -> Search:
    """Return the search that a sweep asks for; raises InputError where it lacks what it needs."""
    return GuidedSearch(space) if space.guided else AllTrials(space)


class AllTrials:
    """All trials of a sweep at once."""

    def __init__(self, space: Sweep) -> None:
        self._left = list(space)

    def ask(self) -> list[Trial]:
        """Return all trials, once."""
        trials, self._left = self._left, []
        return trials

    def tell(self, accuracies: Sequence[float | None]) -> None:
        """Need nothing."""


class GuidedSearch:
    """Optuna's tree-structured Parzen estimator: trials like those that did well, more and more.

    J. Bergstra et al., Algorithms for Hyper-Parameter Optimization, NIPS 2011. The same seed asks
    for the same trials, as long as the same comes of them.
    """

    def __init__(self, space: Sweep) -> None:
        try:
            import optuna
        except ImportError:
            raise InputError(
                "a guided search needs Optuna: pip install 'gargalo[search]'"
            ) from None
        if space.trials is None:
            raise InputError("a guided search needs to know how many trials: give --trials")
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sampler = optuna.samplers.TPESampler(seed=space.search_seed)
        self._study = optuna.create_study(direction="maximize", sampler=sampler)
        self._failed = optuna.trial.TrialState.FAIL
        self._space, self._left = space, space.trials
        self._asked: list[Any] = []

    def ask(self) -> list[Trial]:
        """Return the next trials."""
        count = min(_AT_ONCE, self._left)
        self._left -= count
        self._asked = [self._study.ask() for _ in range(count)]
        return [self._trial(asked) for asked in self._asked]

    def tell(self, accuracies: Sequence[float | None]) -> None:
        """Take in what came of them."""
        for asked, accuracy in zip(self._asked, accuracies, strict=True):
            if accuracy is None:
                self._study.tell(asked, state=self._failed)
            else:
                self._study.tell(asked, accuracy)

    def _trial(self, asked: Any) -> Trial:  # noqa: ANN401  Optuna's
        number = asked.suggest_int("head", 0, len(self._space.heads) - 1)
        kind, axes = self._space.heads[number]
        features = _suggested(asked, "features", self._space.features)
        return make_trial(features, kind, _suggested(asked, str(number), axes))


def _suggested(asked: Any, prefix: str, axes: Axes) -> dict[str, Any]:  # noqa: ANN401  Optuna's
    values: dict[str, Any] = {}
    for name, axis in axes.items():
        of = f"{prefix}.{name}"
        if isinstance(axis, Range):
            suggest = asked.suggest_int if isinstance(axis, WholeRange) else asked.suggest_float
            values[name] = suggest(of, axis.low, axis.high, log=axis.scale == "log")
        else:
            values[name] = axis[asked.suggest_categorical(of, list(range(len(axis))))]
    return values
