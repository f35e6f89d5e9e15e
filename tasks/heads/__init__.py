"""Heads: what is trained on features. A new kind is one module and one line."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeVar

from tasks.errors import unknown

if TYPE_CHECKING:  # `--help` shows the names of the heads, and imports no numpy
    import numpy as np
    from numpy.typing import NDArray

    from stores.targets import Target
    from tasks.heads.examples import Examples

# Each module holds a Kind; what is slow to import, it imports when it trains.
_MODULES = {
    "centroid": "tasks.heads.centroid",
    "dense": "tasks.heads.dense.trained",
    "knn": "tasks.heads.knn",
    "logistic": "tasks.heads.logistic",
    "ridge": "tasks.heads.ridge",
    "svm": "tasks.heads.svm",
}
KINDS = tuple(_MODULES)
REGRESSIONS = ("dense", "knn", "ridge")  # those that learn a number


def class_names() -> dict[str, tuple[str, "Target"]]:
    """Return the kind and the target of each scikit-learn class, by its name."""
    found: dict[str, tuple[str, Target]] = {}
    found |= {f"{_capitals(kind)}Classifier": (kind, "classes") for kind in KINDS}
    return found | {f"{_capitals(kind)}Regressor": (kind, "number") for kind in REGRESSIONS}


def _capitals(kind: str) -> str:
    return kind.upper() if len(kind) <= 3 else kind.capitalize()  # a short kind is an abbreviation


class Head(Protocol):
    """The specification of a head: a frozen dataclass of plain values that decide its outcome."""

    @property
    def kind(self) -> str:
        """The name of its kind."""


H = TypeVar("H", bound=Head)


@dataclass(frozen=True)
class Candidate(Generic[H]):
    """A head to be trained, with its seed and its fold of the examples."""

    head: H
    seed: int
    fold: int = 0
    epochs: int | None = None  # a fixed number, instead of early stopping


class TrainedHead(Protocol):
    """A function from features to scores of classes or labels, or to a number."""

    @property
    def history(self) -> Sequence[dict[str, float]]:
        """Return one row per epoch; none for a head without epochs."""

    @property
    def epochs(self) -> int:
        """Return the number of epochs of its weights; 0 for a head without epochs."""

    @property
    def inputs(self) -> int:
        """Return the number of values of a feature."""

    def scores(self, features: "NDArray[Any]") -> "NDArray[np.float64]":
        """Return probabilities or margins, (n, classes); the largest is the predicted class.

        Of several labels each has its own, (n, labels); of a number it is the number, (n, 1).
        Raises CorruptStore for features of another size than in training.
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
    """One kind of head: its specification, its training, and its loading."""

    specification: type[Any]
    # Candidates may share work; the result of each is the same as if it were trained alone.
    train: "Callable[[Sequence[Candidate[Any]], Examples], Sequence[Outcome]]"
    # Reads what `save` wrote, for a number of outputs, without executing code from the file.
    load: "Callable[[Path, int, Target], TrainedHead]"
    scores: Literal["probability", "margin"]  # a number is its own score
    targets: "tuple[Target, ...]" = ("classes",)  # what it can learn
    random: bool = False  # whether the seed matters; otherwise all seeds are one trial
    version: int = 1  # raised when the same specification gives another head
    # Added to the version for specifications that changed when others did not.
    revised: Callable[[Any], int] = lambda _head: 0
    # The maximum size of a head group, for a head, a size of features and a number of classes.
    group_size: Callable[[Any, int, int], int] = lambda _head, _width, _classes: 1


def find_kind(name: str) -> Kind:
    """Return the kind of heads with this name; raises InputError if it is unknown."""
    if name not in _MODULES:
        raise unknown("kind of head", name, KINDS, fix="or update gargalo, or train again")
    kind: Kind = resolve_name(f"{_MODULES[name]}:KIND")
    return kind


def specification(head: Head, *, fine_tuned: bool = False) -> dict[str, Any]:
    """Return a head as plain JSON values, for the identity and the record of a run.

    For a fine-tuning, the version is that of the kind, because `revised` concerns only training on
    features.
    """
    fields = asdict(head)  # type: ignore[call-overload]  # Protocol cannot say "a dataclass"
    plain = {k: list(v) if isinstance(v, tuple) else v for k, v in fields.items()}
    kind = find_kind(head.kind)
    return plain | {"version": kind.version + (0 if fine_tuned else kind.revised(head))}
