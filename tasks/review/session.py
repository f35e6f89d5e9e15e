"""A review at work: its images, the journal as far as it is known, and what both show."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stores.decisions.decided import decided
from stores.decisions.journal import Decision, Entry, Journal
from stores.layout import locate
from stores.manifest import Manifest
from stores.printable import visible
from stores.runs.record import Run
from stores.runs.store import RunStore
from stores.storage.location import StoreLike
from tasks.datasets.labelled_files import check_labelled, check_of_classes
from tasks.errors import InputError, unknown
from tasks.evaluation.duplicate_search import find_in_features, groups_of
from tasks.evaluation.image_map import Points
from tasks.review.background import Background
from tasks.review.columns import Choice, Column, Facts, Number, columns
from tasks.review.decide import Asked, Question, decision, undoing
from tasks.review.features import METHODS, features_of, map_of, p_values, similar
from tasks.review.images import Codes, Reviewed, labels_of, reviewed
from tasks.review.query import Found, Query, found

SECONDS = 1.0  # that a request waits for what takes long; it is asked again
NO_FEATURES = "no features of all images in the store: compute them with extract, or train a head"


@dataclass(frozen=True)
class Near:
    """The group of near-duplicates of each image, -1 for none, and why some are not known."""

    groups: Codes
    untold: str


@dataclass(frozen=True)
class Kept:
    """What became of a decision: the images it is about, by their numbers."""

    changed: tuple[int, ...]
    entries: int  # that are known of now


class Session:
    """The images of a data set under review. It may be used by several threads, and pages."""

    def __init__(self, store: StoreLike, manifest: Manifest, runs: Sequence[Run]) -> None:
        check_labelled(manifest)
        fix = "mend labels in the table of --labels, or with --corrections"
        check_of_classes(manifest, "review", fix=fix)
        self.store, self.runs = locate(store), tuple(runs)
        stored = RunStore(store)
        self.images: Reviewed = reviewed(
            manifest, tuple((run, stored.predictions(run.id)) for run in runs)
        )
        self.journal = Journal(store, manifest.name)
        self._lock = Lock()
        self._features = Background(self._read_features)
        self._maps = {name: Background(partial(self._map_by, name)) for name in METHODS}
        self._near = Background(self._search)
        self._novelty = Background(self._compare)
        # What takes long, once it is known: see Facts.
        self._near_groups: Codes | None = None
        self._p_values: NDArray[np.float64] | None = None
        self._arrived: list[Entry] = self.journal.refresh()
        self._bring_up_to_date()

    @property
    def entries(self) -> int:
        """How many entries of the journal are known of."""
        return len(self._arrived)

    def found(self, query: Query) -> Found:
        """Return what a query finds; raises InputError."""
        return found(query, self.columns, self.images.rows["path"])

    def decide(
        self, asked: Asked, numbers: Sequence[int], value: str, *, reviewer: str, confirmed: bool
    ) -> Kept | Question:
        """Keep a decision before returning; raises InputError, or what the journal does."""
        with self._lock:
            self._refresh()
            made = decision(
                asked,
                numbers,
                value,
                images=self.images,
                labels=self.facts.labels,
                decided=self.facts.decided,
                reviewer=reviewer,
                confirmed=confirmed,
            )
            return made if isinstance(made, Question) else self._add(made)

    def undo(self, reviewer: str) -> Kept:
        """Undo the last decision of a reviewer that holds; raises InputError if there is none."""
        with self._lock:
            self._refresh()
            return self._add(undoing(self.journal.entries, reviewer))

    def news(self, seen: int) -> Kept:
        """Return the images that were decided on, by anybody, since so many entries."""
        with self._lock:
            self._refresh()
            return self._kept(self._arrived[max(0, seen) :])

    def tiles(self, numbers: Sequence[int]) -> list[dict[str, Any]]:
        """Return what the page shows of some images: path, label, and the choices by column."""
        rows, names = self.images.rows, self.facts.labels.names
        told = [c for c in self.columns.values() if isinstance(c, Number)]
        shown = [c for c in self.columns.values() if isinstance(c, Choice) and c.name != "label"]
        return [
            {
                "n": n,
                "path": visible(rows["path"][n].as_py()),
                "label": visible(names[self.facts.labels.codes[n]]),
                "given": visible(rows["given_label"][n].as_py() or rows["label"][n].as_py()),
                **{c.name: visible(c.values[c.codes[n]]) for c in shown if c.codes[n] >= 0},
                **{
                    c.name: round(float(c.numbers[n]), 3)
                    for c in told
                    if not np.isnan(c.numbers[n])
                },
            }
            for n in numbers
            if 0 <= n < len(rows)
        ]

    def near_duplicates(self) -> str | None:
        """Search near-duplicates; return why some are not known, or None while it is searched."""
        if not (done := self._near.result(SECONDS)):
            return None
        with self._lock:
            if self._near_groups is None:
                self._near_groups = done[0].groups
                self._bring_up_to_date()
        return done[0].untold

    def novelty(self) -> bool:
        """Compare images with the training images of the first run; return whether it is done."""
        if not (done := self._novelty.result(SECONDS)):
            return False
        with self._lock:
            if self._p_values is None:
                self._p_values = done[0]
                self._bring_up_to_date()
        return True

    def points(self, method: str) -> Points | None:
        """Return the map of the images by a method, or None while it is made; raises InputError."""
        if method not in self._maps:
            raise unknown("method", method, METHODS)
        done = self._maps[method].result(SECONDS)
        return done[0] if done else None

    def similar(self, n: int) -> Codes | None:
        """Return the images most similar to one, itself first, or None while features are read."""
        if not 0 <= n < len(self.images):
            raise InputError(f"expected an image from 0 to {len(self.images) - 1}. Received: {n}")
        done = self._features.result(SECONDS)
        return similar(done[0], n) if done else None

    def _read_features(self) -> NDArray[np.float32]:
        fingerprint = self.runs[0].fingerprint if self.runs else ""
        found = features_of(self.store, fingerprint, self.images.keys) if fingerprint else None
        if found is None:
            raise InputError(NO_FEATURES)
        return found

    def _map_by(self, method: str) -> Points:
        (features,) = self._features.result(None)
        return map_of(features, method)

    def _search(self) -> Near:
        if not self.runs:
            raise InputError(NO_FEATURES)
        manifest = self.images.manifest
        pairs = find_in_features(manifest, self.runs[0].fingerprint, store=self.store)
        groups = groups_of(pairs, manifest)
        numbers = {name: n for n, name in enumerate(dict.fromkeys(groups.values()))}
        near = np.full(len(self.images), -1, np.int64)
        for key, group in groups.items():
            if (place := self.images.place.get(key)) is not None:
                near[place] = numbers[group]
        return Near(near, "; ".join(pairs.untold))

    def _compare(self) -> NDArray[np.float64]:
        (features,) = self._features.result(None)
        return p_values(self.store, self.runs[0], features, self.images.keys)

    def _add(self, made: Decision) -> Kept:
        entry = self.journal.add(made)
        self._arrived.append(entry)
        self._bring_up_to_date()
        return self._kept([entry])

    def _refresh(self) -> None:
        if new := self.journal.refresh():
            self._arrived += new
            self._bring_up_to_date()

    def _kept(self, entries: Sequence[Entry]) -> Kept:
        by_name = {entry.name: entry for entry in self._arrived}
        there = [
            *entries,
            *(by_name[e.decision.undoes] for e in entries if e.decision.undoes in by_name),
        ]
        if any(entry.decision.action == "reset" for entry in there):
            return Kept(tuple(range(len(self.images))), len(self._arrived))
        keys = (key for e in there for keys in e.decision.images.values() for key in keys)
        places = (self.images.place.get(bytes.fromhex(key)) for key in keys)
        changed = dict.fromkeys(place for place in places if place is not None)
        return Kept(tuple(changed), len(self._arrived))

    def _bring_up_to_date(self) -> None:
        now = decided(self.journal.entries)
        labels = labels_of(self.images, now)
        facts = Facts(self.images, labels, now, self._near_groups, self._p_values)
        self.columns: dict[str, Column] = columns(facts)
        self.facts: Facts = facts
