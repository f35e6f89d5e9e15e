"""Heads: the classifiers that are trained on features. A new kind is one module and one line."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeVar

from tasks.errors import unknown

if TYPE_CHECKING:  # `--help` shows the names of the heads, and imports no numpy
    import numpy as np
    from numpy.typing import NDArray

    from tasks.heads.examples import Examples

# Each module holds a Kind; what is slow to import, it imports when it trains.
_MODULES = {
    "centroid": "tasks.heads.centroid",
    "dense": "tasks.heads.dense",
    "knn": "tasks.heads.knn",
    "logistic": "tasks.heads.logistic",
    "ridge": "tasks.heads.ridge",
    "svm": "tasks.heads.svm",
}
KINDS = tuple(_MODULES)


class Head(Protocol):
    """The specification of a head: a frozen dataclass of plain values that decide its outcome."""

    @property
    def kind(self) -> str:
        """The name of its kind."""


H = TypeVar("H", bound=Head)


@dataclass(frozen=True)
class Candidate(Generic[H]):
    """A head that is to be trained: from which seed, and on which fold of the examples."""

    head: H
    seed: int
    fold: int = 0
    epochs: int | None = None  # that it is trained for, whatever its patience


class TrainedHead(Protocol):
    """A classifier of features."""

    @property
    def history(self) -> Sequence[dict[str, float]]:
        """Return a row an epoch; nothing where there are none."""

    @property
    def epochs(self) -> int:
        """Return how many epochs its weights have seen; 0 where there are none."""

    @property
    def inputs(self) -> int:
        """Return how many numbers a feature has."""

    def scores(self, features: "NDArray[Any]") -> "NDArray[np.float64]":
        """Return (n, classes): probabilities or margins; the largest is the answer.

        Raises CorruptStore for features of another size than the head learned from.
        """

    def save(self, folder: Path) -> None:
        """Write the model into an empty folder."""

    def keras_scores(self, features: Any) -> Any:  # noqa: ANN401  Keras's tensors
        """Return the scores of flat features by built-in Keras layers; raises InputError."""


@dataclass(frozen=True)
class Failed:
    """Why there is no trained head."""

    reason: str


Outcome = TrainedHead | Failed


@dataclass(frozen=True)
class Kind:
    """One kind of head: its specification, what trains it, and what reads it back."""

    specification: type[Any]
    # Candidates may share work; each comes out as it would alone.
    train: "Callable[[Sequence[Candidate[Any]], Examples], Sequence[Outcome]]"
    # Reads what `save` wrote for so many classes, without executing anything from the file.
    load: Callable[[Path, int], TrainedHead]
    scores: Literal["probability", "margin"]
    random: bool = False  # whether the seed decides the head: otherwise all seeds are one trial
    version: int = 1  # raised when the same specification comes out as another head
    # By how much the version is ahead for some specifications, where only these changed.
    revised: Callable[[Any], int] = lambda _head: 0
    # How many heads like one, on so many features and classes, are worth training at once.
    together: Callable[[Any, int, int], int] = lambda _head, _width, _classes: 1


def find_kind(name: str) -> Kind:
    """Return the kind of heads of that name; raises InputError where there is none."""
    if name not in _MODULES:
        raise unknown("kind of head", name, KINDS, fix="or update gargalo, or train again")
    kind: Kind = resolve_name(f"{_MODULES[name]}:KIND")
    return kind


def specification(head: Head, *, fine_tuned: bool = False) -> dict[str, Any]:
    """Return a head as what a run's identity and record hold: plain JSON values.

    How a head was trained by itself concerns no fine-tuning: there its version is the kind's.
    """
    fields = asdict(head)  # type: ignore[call-overload]  # Protocol cannot say "a dataclass"
    plain = {k: list(v) if isinstance(v, tuple) else v for k, v in fields.items()}
    kind = find_kind(head.kind)
    return plain | {"version": kind.version + (0 if fine_tuned else kind.revised(head))}
