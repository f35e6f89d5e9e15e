"""A sweep: the space of trials, each a head with its settings on features."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from stores.targets import Target
from tasks.errors import InputError, unknown
from tasks.heads import KINDS
from tasks.heads.presets import check_learns, settings_of

_Whole = Annotated[int, Field(ge=-(2**53), le=2**53)]  # exact as a float


class Range(BaseModel):
    """Values from `low` to `high`, evenly spaced on a scale."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    low: FiniteFloat
    high: FiniteFloat
    count: int = Field(5, ge=2, le=1000)  # of a grid's values, with both ends
    scale: Literal["log", "linear"] = "log"

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if not self.low < self.high:
            raise ValueError("expected low < high")
        if self.scale == "log" and self.low <= 0:
            raise ValueError("expected low > 0 on a log scale; use scale = 'linear'")
        return self

    def grid(self) -> list[float]:
        """Return `count` values, with both ends."""
        space = np.geomspace if self.scale == "log" else np.linspace
        return [float(f"{value:.6g}") for value in space(self.low, self.high, self.count)]

    def draw(self, rng: np.random.Generator) -> float:
        """Return a random value."""
        if self.scale == "linear":
            return float(rng.uniform(self.low, self.high))
        return float(np.exp(rng.uniform(np.log(self.low), np.log(self.high))))


class WholeRange(Range):
    """Integers from `low` to `high`, evenly spaced on a scale."""

    low: _Whole
    high: _Whole

    def grid(self) -> list[float]:
        """Return at most `count` distinct values, with both ends."""
        return list(dict.fromkeys(round(value) for value in super().grid()))

    def draw(self, rng: np.random.Generator) -> float:
        """Return a random value."""
        return round(super().draw(rng))


Axis = Range | list[Any]  # the values that one setting takes
Axes = dict[str, Axis]
MOST_TRIALS = 100_000  # of one sweep: all of them are in memory


@dataclass(frozen=True)
class Trial:
    """One head to try: its features, kind, settings and seed."""

    features: Mapping[str, Any]
    kind: str
    settings: Mapping[str, Any]
    head_seed: int | None  # None: that of the other heads


@dataclass(frozen=True)
class Sweep:
    """The space of all trials: all combinations of features and heads."""

    features: Axes
    heads: Sequence[tuple[str, Axes]]  # kind, and the values of its settings and its seed
    folds: int = 0
    fold_seed: int = 0
    trials: int | None = None  # number of random trials; None: the whole grid
    search_seed: int = 0  # of random trials
    guided: bool = False  # by earlier results; see tasks.training.sweep.search

    def __post_init__(self) -> None:
        """Raise InputError if there are too many trials."""
        if self.size > MOST_TRIALS:
            raise InputError(
                f"a sweep of {self.size:,} trials, expected at most {MOST_TRIALS:,}; give fewer "
                "values, or --trials N for N random trials"
            )

    @property
    def size(self) -> int:
        """The number of trials."""
        if self.trials is not None:
            return self.trials
        heads = sum(_combination_count(axes) for _, axes in self.heads)
        return _combination_count(self.features) * heads

    def __iter__(self) -> Iterator[Trial]:
        """Yield all trials; with a larger number of random trials, the first ones are the same."""
        yield from self._grid() if self.trials is None else self._drawn(self.trials)

    def _grid(self) -> Iterator[Trial]:
        for features in _combinations(self.features):
            for kind, axes in self.heads:
                for settings in _combinations(axes):
                    yield make_trial(features, kind, settings)

    def _drawn(self, count: int) -> Iterator[Trial]:
        rng = np.random.default_rng(self.search_seed)
        for _ in range(count):
            kind, axes = self.heads[int(rng.integers(len(self.heads)))]
            yield make_trial(_draw(self.features, rng), kind, _draw(axes, rng))


def sweep_of(
    heads: Sequence[str],
    grid: Mapping[str, Axis],
    *,
    features: Sequence[str],
    target: Target = "classes",
    **search: Any,  # noqa: ANN401  folds, fold_seed, trials, search_seed
) -> Sweep:
    """Return the sweep over kinds of heads and a grid of values, each used where it is a setting.

    Raises InputError for a name that is a setting of neither a head nor the features.
    """
    if presets := [name for name in heads if name not in KINDS]:
        raise InputError(
            f"--head {presets[0]}: a preset has no settings to try; expected one of "
            f"{', '.join(KINDS)}"
        )
    for kind in heads:
        check_learns(kind, target)
    own = {kind: [*settings_of(kind), "seed"] for kind in heads}
    known = sorted({*features, *(name for names in own.values() for name in names)})
    for name in grid.keys() - set(known):
        raise unknown("setting", name, known, fix="of --grid")
    return Sweep(
        {name: axis for name, axis in grid.items() if name in features and name != "seed"},
        [(kind, {n: axis for n, axis in grid.items() if n in own[kind]}) for kind in heads],
        **search,
    )


def _combination_count(axes: Axes) -> int:
    sizes = (len(axis.grid() if isinstance(axis, Range) else axis) for axis in axes.values())
    return math.prod(sizes)


def _combinations(axes: Axes) -> Iterator[dict[str, Any]]:
    values = [axis.grid() if isinstance(axis, Range) else axis for axis in axes.values()]
    for chosen in product(*values):
        yield dict(zip(axes, chosen, strict=True))


def _draw(axes: Axes, rng: np.random.Generator) -> dict[str, Any]:
    return {
        name: axis.draw(rng) if isinstance(axis, Range) else axis[rng.integers(len(axis))]
        for name, axis in axes.items()
    }


def make_trial(features: Mapping[str, Any], kind: str, values: Mapping[str, Any]) -> Trial:
    """Return a trial; `values` are the settings of the head, and its seed."""
    settings = {name: value for name, value in values.items() if name != "seed"}
    seed = values.get("seed")
    if seed is not None and (type(seed) is not int or not 0 <= seed < 2**32):
        raise InputError(f"head {kind}: seed: expected 0 to 2**32 - 1. Received: {seed!r}")
    return Trial(features, kind, settings, seed)
