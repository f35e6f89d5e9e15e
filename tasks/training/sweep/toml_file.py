"""Reading of a sweep from a TOML file."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stores.targets import Target
from tasks.datasets.fold_count import FoldCount
from tasks.errors import InputError, unknown, what_is_wrong
from tasks.execution.user_files import read_whole
from tasks.heads import KINDS
from tasks.heads.presets import check_learns, make_head, settings_of, takes_whole_numbers
from tasks.training.sweep.space import MOST_TRIALS, Axes, Axis, Range, Sweep, WholeRange, make_trial

# Settings whose values are lists.
_LISTS = {"hidden_units"}
_MOST_BYTES = 2**20


class _Search(BaseModel):
    model_config = ConfigDict(extra="forbid")

    trials: Annotated[int, Field(ge=1, le=MOST_TRIALS)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    guided: bool = False


class _File(BaseModel):
    """The content of a sweep file."""

    model_config = ConfigDict(extra="forbid")

    folds: FoldCount = 0
    fold_seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    search: _Search = _Search()
    features: dict[str, Any] = {}
    head: list[dict[str, Any]]


def read_sweep(
    path: Path,
    *,
    features: Sequence[str],
    target: Target = "classes",
    **search: Any,  # noqa: ANN401
) -> Sweep:
    """Return the sweep of a TOML file; `features` are the names of the settings of features.

    `search` overrides the options of folds and search in the file.

    Raises InputError with the file, the wrong key, and the most similar valid one.
    """
    try:
        return _sweep(_content(path), features, target, search)
    except FileNotFoundError:
        raise InputError(f"{path}: file not found") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _content(path: Path) -> dict[str, Any]:
    """Return the content of a TOML file, up to a maximum size."""
    content = read_whole(path, most=_MOST_BYTES, fix="give a TOML file of a sweep")
    try:
        return tomllib.loads(content.decode().replace("\r\n", "\n"))
    except (ValueError, RecursionError) as error:  # for example a number with too many digits
        raise InputError(f"not valid TOML: {str(error).partition('; use sys.')[0]}") from None


def _sweep(
    content: dict[str, Any], features: Sequence[str], target: Target, search: dict[str, Any]
) -> Sweep:
    if not isinstance(content.get("head"), list) or not content["head"]:
        raise InputError("no head; add at least one table [[head]], in double brackets")
    try:
        file = _File(**content)
    except ValidationError as error:
        raise InputError(_mistakes(error, _File, _Search)) from None
    heads = [_head(dict(about), target) for about in file.head]
    for name in file.features.keys() - set(features):
        raise unknown("setting of [features]", name, features)
    axes = {name: _axis(f"[features]: {name}", values) for name, values in file.features.items()}
    own = {"folds": file.folds, "fold_seed": file.fold_seed, **dict(file.search)}
    own["search_seed"] = own.pop("seed")
    return Sweep(axes, heads, **own | search)


def _head(about: dict[str, Any], target: Target) -> tuple[str, Axes]:
    """Return the kind and the axes of a [[head]], after a check of each value."""
    kind = about.pop("kind", None)
    if kind is None:
        raise InputError(f"a [[head]] without a kind; add kind = one of {', '.join(KINDS)}")
    if kind not in KINDS:
        raise unknown("kind of [[head]]", str(kind), KINDS)
    check_learns(kind, target)
    known = [*settings_of(kind), "seed"]
    axes: Axes = {}
    for name, values in about.items():
        if name not in known:
            raise unknown(f"setting of head {kind}", name, known)
        axes[name] = axis = _axis(
            f"head {kind}: {name}",
            values,
            whole=name == "seed" or takes_whole_numbers(kind, name),
            lists=name in _LISTS,
        )
        for value in [axis.low, axis.high] if isinstance(axis, Range) else axis:
            trial = make_trial({}, kind, {name: value})
            make_head(kind, trial.settings, classes=2, target=target)
    return kind, axes


def _axis(where: str, values: object, *, whole: bool = False, lists: bool = False) -> Axis:
    """Return the values of a setting; `lists`: each value is a list."""
    if isinstance(values, dict):
        kind = WholeRange if whole else Range
        try:
            return kind(**values)
        except ValidationError as error:
            raise InputError(f"{where}: {_mistakes(error, kind)}") from None
    if not isinstance(values, list) or (lists and not any(isinstance(v, list) for v in values)):
        return [values]
    if not values:
        raise InputError(f"{where}: an empty list; give at least one value")
    return list(values)


def _mistakes(error: ValidationError, *levels: type[BaseModel]) -> str:
    """Return the messages of an error; `levels` are the models with the valid keys, by depth."""
    return "; ".join(_mistake(dict(mistake), levels) for mistake in error.errors())


def _mistake(mistake: dict[str, Any], levels: Sequence[type[BaseModel]]) -> str:
    name = ".".join(map(str, mistake["loc"]))
    if mistake["type"] == "extra_forbidden":
        known = list(levels[len(mistake["loc"]) - 1].model_fields)
        return str(unknown("key", name.rpartition(".")[-1], known))
    where = f"{name}: " if name else ""
    return f"{where}{what_is_wrong(mistake)}"
