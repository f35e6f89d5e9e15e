"""A sweep: the heads that are to be tried, on which features, as a file or flags say it."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tasks.errors import InputError, unknown
from tasks.folds import FoldCount
from tasks.heads import KINDS
from tasks.heads.choices import settings_of

# A setting of which one value is a list itself.
_LISTS = {"hidden_units"}


class Range(BaseModel):
    """Values between two ends, evenly on a scale."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    low: float
    high: float
    count: int = Field(5, ge=2, le=1000)  # of a grid's values, the ends among them
    scale: Literal["log", "linear"] = "log"

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if not self.low < self.high:
            raise ValueError("expected low to be less than high")
        if self.scale == "log" and self.low <= 0:
            raise ValueError("expected low above 0 on a log scale, or scale = 'linear'")
        return self

    def grid(self) -> list[float]:
        """Return `count` values, both ends among them."""
        space = np.geomspace if self.scale == "log" else np.linspace
        return [float(f"{value:.6g}") for value in space(self.low, self.high, self.count)]

    def draw(self, rng: np.random.Generator) -> float:
        """Return one value by chance."""
        if self.scale == "linear":
            return float(rng.uniform(self.low, self.high))
        return float(np.exp(rng.uniform(np.log(self.low), np.log(self.high))))


Axis = Range | list[Any]  # the values that one setting takes
Axes = dict[str, Axis]


@dataclass(frozen=True)
class Trial:
    """One head that is to be tried: on which features, of which kind and settings, which seed."""

    features: Mapping[str, Any]
    kind: str
    settings: Mapping[str, Any]
    seed: int | None  # None: the data set's


@dataclass(frozen=True)
class Sweep:
    """The space of all trials: each of the features with each of the heads."""

    features: Axes
    heads: Sequence[tuple[str, Axes]]  # kind, and the values of its settings and of its seed
    folds: int = 0
    trials: int | None = None  # drawn by chance; None: the whole grid
    seed: int = 0  # of that chance
    guided: bool = False  # by what came of the trials before; see tasks.search

    def __iter__(self) -> Iterator[Trial]:
        """Yield all trials; of those that are drawn, more trials begin with the same ones."""
        yield from self._grid() if self.trials is None else self._drawn(self.trials)

    def _grid(self) -> Iterator[Trial]:
        for features in _combinations(self.features):
            for kind, axes in self.heads:
                for settings in _combinations(axes):
                    yield make_trial(features, kind, settings)

    def _drawn(self, count: int) -> Iterator[Trial]:
        rng = np.random.default_rng(self.seed)
        for _ in range(count):
            kind, axes = self.heads[int(rng.integers(len(self.heads)))]
            yield make_trial(_draw(self.features, rng), kind, _draw(axes, rng))


class _Search(BaseModel):
    model_config = ConfigDict(extra="forbid")

    trials: Annotated[int, Field(ge=1, le=100_000)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    guided: bool = False


class _File(BaseModel):
    """What a sweep file holds."""

    model_config = ConfigDict(extra="forbid")

    folds: FoldCount = 0
    search: _Search = _Search()
    features: dict[str, Any] = {}
    head: list[dict[str, Any]] = Field(min_length=1)


def read_sweep(path: Path, *, features: Sequence[str], **search: Any) -> Sweep:  # noqa: ANN401
    """Return the sweep of a TOML file; `features` are the names that its features may have.

    `search` takes the place of what the file says of folds, trials and seed.

    Raises InputError, which names the key that is wrong and the nearest that is right.
    """
    try:
        told = _File(**tomllib.loads(path.read_text()))
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file") from None
    except IsADirectoryError:
        raise InputError(f"{path}: expected a TOML file, found a folder") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no TOML: {error}") from None
    except ValidationError as error:
        raise InputError(f"{path}: {_mistakes(error, _File, _Search)}") from None
    try:
        heads = [_head(dict(about)) for about in told.head]
        axes = _axes("[features]", told.features, features)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    asked = {"folds": told.folds, **dict(told.search)}
    return Sweep(axes, heads, **asked | search)


def sweep_of(
    heads: Sequence[str],
    grid: Mapping[str, Axis],
    *,
    features: Sequence[str],
    **search: Any,  # noqa: ANN401  folds, trials, seed
) -> Sweep:
    """Return the sweep of named kinds of heads and a grid of values, each for whom it concerns.

    Raises InputError for a name that neither a head nor the features take.
    """
    if presets := [name for name in heads if name not in KINDS]:
        raise InputError(
            f"--head {presets[0]}: a preset has nothing to try; there are {', '.join(KINDS)}"
        )
    own = {kind: [*settings_of(kind), "seed"] for kind in heads}
    known = sorted({*features, *(name for names in own.values() for name in names)})
    for name in grid.keys() - set(known):
        raise unknown("setting", name, known, way_out="of --grid")
    return Sweep(
        {name: axis for name, axis in grid.items() if name in features and name != "seed"},
        [(kind, {n: axis for n, axis in grid.items() if n in own[kind]}) for kind in heads],
        **search,
    )


def _head(about: dict[str, Any]) -> tuple[str, Axes]:
    kind = about.pop("kind", None)
    if kind is None:
        raise InputError(f"a [[head]] has no kind; there are {', '.join(KINDS)}")
    if kind not in KINDS:
        raise unknown("kind of [[head]]", str(kind), KINDS)
    return kind, _axes(f"head {kind}", about, [*settings_of(kind), "seed"])


def _axes(where: str, told: Mapping[str, Any], known: Sequence[str]) -> Axes:
    axes: Axes = {}
    for name, values in told.items():
        if name not in known:
            raise unknown(f"setting of {where}", name, known)
        axes[name] = _axis(where, name, values)
    return axes


def _axis(where: str, name: str, values: object) -> Axis:
    if isinstance(values, dict):
        try:
            return Range(**values)
        except ValidationError as error:
            raise InputError(f"{where}: {name}: {_mistakes(error, Range)}") from None
    several = isinstance(values, list) and (
        name not in _LISTS or any(isinstance(value, list) for value in values)
    )
    axis = list(values) if isinstance(values, list) and several else [values]
    if not axis:
        raise InputError(f"{where}: {name} has no value")
    return axis


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
    """Return a trial; `values` are those of the head's settings, and of its seed."""
    settings = {name: value for name, value in values.items() if name != "seed"}
    seed = values.get("seed")
    if seed is not None and (type(seed) is not int or not 0 <= seed < 2**32):
        raise InputError(f"head {kind}: seed: expected 0 to 2**32 - 1. Received: {seed!r}")
    return Trial(features, kind, settings, seed)


def _mistakes(error: ValidationError, *levels: type[BaseModel]) -> str:
    """Say what is wrong; `levels` are the models whose keys may be misspelt, from outside in."""
    return "; ".join(_mistake(dict(mistake), levels) for mistake in error.errors())


def _mistake(mistake: dict[str, Any], levels: Sequence[type[BaseModel]]) -> str:
    name = ".".join(map(str, mistake["loc"]))
    if mistake["type"] == "extra_forbidden":
        known = list(levels[len(mistake["loc"]) - 1].model_fields)
        return str(unknown("key", name.rpartition(".")[-1], known))
    told = f"{name}: " if name else ""
    return f"{told}{mistake['msg']}. Received: {mistake['input']!r}"
