"""The columns of a review: whatever images can be filtered and sorted by.

To add one, write a function that makes it and put it into COLUMNS; the page shows what is there.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from stores.decisions.decided import Decided
from tasks.inference.novelty import LEVEL
from tasks.review.images import Codes, Labels, Reviewed

NEW, RIGHT, EXCLUDED, UNDECIDED = "new label", "marked as right", "excluded", "none"


@dataclass(frozen=True)
class Choice:
    """A column of few values: images are filtered by one of them."""

    name: str
    title: str
    values: tuple[str, ...]
    codes: Codes  # (n,) indices of the values; -1: none

    def order(self) -> NDArray[np.float64]:
        """Return what to sort by, (n,): the values in their order; NaN for none."""
        return np.where(self.codes < 0, np.nan, self.codes.astype(np.float64))


@dataclass(frozen=True)
class Number:
    """A column of numbers, which images are sorted by; NaN: none."""

    name: str
    title: str
    numbers: NDArray[np.float64]

    def order(self) -> NDArray[np.float64]:
        """Return what to sort by, (n,)."""
        return self.numbers


Column = Choice | Number


@dataclass(frozen=True)
class Facts:
    """What columns are made of."""

    images: Reviewed
    labels: Labels
    decided: Decided
    near_groups: Codes | None = None  # (n,) -1: no near-duplicate; None: not searched
    novelty: NDArray[np.float64] | None = None  # (n,) p-values; None: not computed


def columns(facts: Facts) -> dict[str, Column]:
    """Return the columns by name."""
    return {column.name: column for make in COLUMNS for column in make(facts)}


def _split(facts: Facts) -> Iterator[Column]:
    yield _choice("split", "Split", facts.images.rows["split"], ("train", "validation", "test"))


def _label(facts: Facts) -> Iterator[Column]:
    yield Choice("label", "Label", facts.labels.names, facts.labels.codes)


def _predicted(facts: Facts) -> Iterator[Column]:
    for number, one in enumerate(facts.images.judged, 1):
        name, which = _named("predicted", number)
        title = f"Predicted{which}"
        yield Choice(name, title, one.run.classes, one.predicted)
        yield Number(_named("probability", number)[0], f"Probability{which}", one.probability)


def _suspect(facts: Facts) -> Iterator[Column]:
    """Yield how suspect labels are; one that somebody decided on is not any more."""
    images = facts.images
    done = _decided_on(facts)
    for number, one in enumerate(images.judged, 1):
        name, which = _named("suspect", number)
        labels = _shared(facts.labels.codes, facts.labels.names, one.run.classes)
        same = labels == one.true  # the label it was compared with
        margin = np.where(done | ~same, np.nan, one.margin)
        codes = np.where(np.isnan(margin), -1, np.where(one.likely, 0, 1))
        yield Choice(name, f"Suspect label{which}", ("likely", "possible"), codes.astype(np.int64))
        yield Number(_named("margin", number)[0], f"Suspicion{which}", margin)


def _heads(facts: Facts) -> Iterator[Column]:
    """Yield where heads differ, among images that all of them held out."""
    judged = facts.images.judged
    if len(judged) < 2:
        return
    names = sorted({name for one in judged for name in one.run.classes})
    shared = np.stack([_shared(one.predicted, one.run.classes, names) for one in judged])
    known = (shared >= 0).all(axis=0)
    differ = (shared != shared[0]).any(axis=0)
    codes = np.where(known, np.where(differ, 0, 1), -1).astype(np.int64)
    yield Choice("heads", "Heads", ("differ", "agree"), codes)


def _near(facts: Facts) -> Iterator[Column]:
    if facts.near_groups is None:
        return
    there = np.where(facts.near_groups >= 0, 0, -1).astype(np.int64)
    yield Choice("near", "Near-duplicates", ("has some",), there)
    numbers = np.where(facts.near_groups < 0, np.nan, facts.near_groups.astype(np.float64))
    yield Number("near_group", "Group of near-duplicates", numbers)


def _novelty(facts: Facts) -> Iterator[Column]:
    """Yield how unlike the training images those are that were compared with them."""
    if facts.novelty is None:
        return
    unlike = facts.novelty <= LEVEL
    if unlike.any():  # with few held-out images no p-value is so small
        codes = np.where(unlike, 0, -1).astype(np.int64)
        yield Choice("unlike", "Unlike the others", (f"p-value of {LEVEL:g} or less",), codes)
    yield Number("novelty", "Novelty p-value", facts.novelty)


def _remark(facts: Facts) -> Iterator[Column]:
    accepted = pc.not_equal(facts.images.rows["reason"], "")
    remarks = pc.if_else(accepted, facts.images.rows["reason"], pa.scalar(None, pa.string()))
    if remarks.null_count < len(remarks):
        yield _choice("remark", "Remark", remarks)


def _group(facts: Facts) -> Iterator[Column]:
    groups = facts.images.rows["group"].to_pylist()
    for key, group in facts.decided.groups.items():
        if (n := facts.images.place.get(key)) is not None:
            groups[n] = facts.decided.groups_before.get(key) if group is None else group or None
    if any(groups):
        yield _choice("group", "Group", pa.array(groups, pa.string()))


def _decision(facts: Facts) -> Iterator[Column]:
    codes = np.full(len(facts.images), 3, np.int64)
    for key, label in facts.decided.labels.items():
        if label is not None and (n := facts.images.place.get(key)) is not None:
            codes[n] = 1 if key in facts.decided.right else 0
    codes[facts.labels.excluded] = 2
    yield Choice("decision", "Decided", (NEW, RIGHT, EXCLUDED, UNDECIDED), codes)


COLUMNS: Sequence[Callable[[Facts], Iterator[Column]]] = (
    _split,
    _label,
    _predicted,
    _suspect,
    _heads,
    _near,
    _novelty,
    _remark,
    _group,
    _decision,
)


def _named(name: str, number: int) -> tuple[str, str]:
    return (name, "") if number == 1 else (f"{name}_{number}", f" {number}")


def _decided_on(facts: Facts) -> NDArray[np.bool_]:
    done = facts.labels.excluded.copy()
    for key, label in facts.decided.labels.items():
        if label is not None and (n := facts.images.place.get(key)) is not None:
            done[n] = True
    return done


def _choice(
    name: str, title: str, texts: pa.Array | pa.ChunkedArray, values: Sequence[str] | None = None
) -> Choice:
    there = values or sorted(texts.unique().drop_null().to_pylist())
    codes = pc.index_in(texts, pa.array(there, pa.string())).fill_null(-1)
    return Choice(name, title, tuple(there), codes.to_numpy().astype(np.int64))


def _shared(codes: Codes, classes: Sequence[str], names: Sequence[str]) -> Codes:
    """Return codes of classes as codes of other names; -1 for none, -2 where they lack it."""
    place = {name: n for n, name in enumerate(names)}
    return np.array([*(place.get(name, -2) for name in classes), -1], np.int64)[codes]
