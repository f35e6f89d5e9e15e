"""From the rows of files to a data set with splits: a pure function, of what was read or assumed.

Before hours of computing it is made of assumed rows, to find a user's mistakes; then of real ones.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stores.decisions.decided import Decided, decided_in
from stores.decisions.journal import Decision
from stores.keys import KEY_BYTES, Keys, as_arrow
from stores.manifest import Manifest
from tasks.datasets.conflicting_copies import leave_out_contradictions
from tasks.datasets.corrections import (
    NO_CORRECTIONS,
    NOTHING_DECIDED,
    by_table,
    corrected,
    noted,
    read_corrections,
    without_corrections,
)
from tasks.datasets.decided_rows import (
    all_undone,
    bases,
    with_decided_classes,
    with_decided_groups,
)
from tasks.datasets.folder_layout import UNLABELLED
from tasks.datasets.groups import with_groups
from tasks.datasets.kept_together import with_known_groups
from tasks.datasets.known_files import EXAMINED, rows_of
from tasks.datasets.label_notation import CLASSES, LabelNotation
from tasks.datasets.path_table import PathTable
from tasks.datasets.seen_folder import IngestRequest, Seen
from tasks.datasets.split_file import SplitFile, read_split_file
from tasks.datasets.splits import SplitRule, gone, split_rows
from tasks.errors import InputError
from tasks.images.image_check import EXAMINATION

log = logging.getLogger("gargalo.ingest")


@dataclass(frozen=True)
class Rules:
    """How files become a data set: their splits, and what corrects their labels."""

    split: SplitRule
    given_by: SplitFile | None
    corrections: PathTable | None
    decided: Decided = NOTHING_DECIDED
    resets: bool = False  # whether no decision is to hold any more

    @classmethod
    def of(cls, request: IngestRequest) -> Self:
        """Read the tables of a request; raises InputError for one that is not valid."""
        rule = request.rule
        given_by = read_split_file(rule.file) if rule.file else None
        corrections = read_corrections(request.labels.corrections)
        decided = decided_in(request.store, request.name)
        resets = bool(decided) and request.labels.corrections == NO_CORRECTIONS
        decided = all_undone(decided) if resets else decided
        return cls(rule, given_by, corrections, decided, resets)

    def of_seen(self, seen: Seen) -> "Rules":
        """Return the rules for the labels of a folder; raises InputError for a correction of none.

        Decisions on images are of classes, or of groups: other data sets have none.
        """
        notation, table = seen.listing.notation, self.corrections
        if table is not None:
            table = noted(table, notation, seen.listing.classes)
        of_classes = notation.target == "classes"
        return replace(
            self,
            corrections=table,
            decided=self.decided if of_classes else NOTHING_DECIDED,
            resets=self.resets and of_classes,
        )

    @property
    def by_keys(self) -> bool:
        """Whether a split file names images by their bytes."""
        return self.given_by is not None and self.given_by.by == "key"

    def check_splittable(self, layout: str) -> None:
        """Raise InputError where something is asked of the splits, and there are none."""
        if layout != UNLABELLED:
            return
        if self.given_by or self.split.keep_together == "near-duplicates":
            asked = self.given_by.file if self.given_by else "--keep-together near-duplicates"
            raise InputError(f"{asked}: a data set without labels has no splits; add --labels")


def made_dataset(
    seen: Seen,
    rules: Rules,
    classes: tuple[str, ...],
    rows: pa.Table,
    *,
    warn: Callable[..., None] = log.warning,
) -> Manifest:
    """Return the data set of a folder, from the rows of its files; nothing is written.

    Images keep their splits, unless the rule differs from the data set's. Raises InputError for a
    class without images, and for corrections and splits that do not fit.
    """
    previous, folder = seen.previous, seen.listing.folder
    decided, notation = rules.decided, seen.listing.notation
    found, notes = corrected(rows, rules.corrections, previous, classes, folder, decided, notation)
    classes = with_decided_classes(classes, found, decided) if classes else classes
    found = leave_out_contradictions(found)
    kept = seen.listing.keeps_groups
    found = with_groups(found, with_decided_groups(found, found["group"], decided, kept=kept))
    keep = rules.split.kept_together(previous)
    found = with_known_groups(found, previous, keep)
    check_classes(folder, classes, found, notation)
    seed, test, validation, split_by = rules.split.resolved(previous)
    manifest = Manifest(
        seen.request.name,
        str(folder),
        classes,
        seed,
        test,
        validation,
        listed_ns=seen.started_ns,
        rows=found,
        layout=seen.layout,
        notes=(*seen.listing.notes, *notes),
        group_pattern=seen.group_pattern,
        orientation=seen.orientation,
        split_by=split_by,
        examination=EXAMINATION,
        keep_together=keep,
        untold=previous.untold if previous and previous.keep_together == keep else "",
        target=notation.target,
        label_separator=notation.separator,
    )
    if classes:
        found = split_rows(manifest, found, previous, rules.given_by, warn=warn)
    if previous and rules.corrections:  # instead of those that there were, of removed images too
        previous = replace(previous, rows=without_corrections(previous.rows))
    return replace(manifest, rows=pa.concat_tables([found, gone(previous, found)]))


def assumed_dataset(seen: Seen, rules: Rules, keys: Keys | None = None) -> Manifest:
    """Return the data set as it is going to be if each file to be read can be used.

    `keys` are those of these files, in their order; without, they have keys that no image has.
    Raises InputError as `made_dataset`; it may be without cause: a file may be damaged.
    """
    rules = rules.of_seen(seen)
    rules.check_splittable(seen.layout)
    paths = seen.unread()["path"]
    keys = keys_of_none(len(paths)) if keys is None else keys
    texts = (pa.repeat("accepted", len(paths)), pa.repeat("", len(paths)))
    examined = pa.table([paths, as_arrow(keys), *texts], schema=EXAMINED)
    rows = rows_of(seen.listing, seen.known(), examined)
    return made_dataset(seen, rules, seen.listing.classes, rows, warn=lambda *_: None)


def to_remember(seen: Seen, rules: Rules, rows: pa.Table) -> list[Decision]:
    """Return what tables say of images that were decided on, from the rows of their files."""
    if rules.resets or not rules.decided:
        return []
    listing = seen.listing
    wanted = by_table(rows, rules.corrections, listing.classes, listing.folder)
    return bases(rows, rules.decided, wanted=wanted, grouped=not listing.keeps_groups)


def keys_of_none(count: int) -> Keys:
    """Return keys that no image has, all different, (n, 32)."""
    keys = np.zeros((count, KEY_BYTES), np.uint8)
    keys[:, :8] = np.arange(count, dtype=">u8").view(np.uint8).reshape(-1, 8)
    return keys


def check_classes(
    folder: Path, classes: tuple[str, ...], rows: pa.Table, notation: LabelNotation = CLASSES
) -> None:
    """Raise InputError where a class or label, or a data set without, has no usable image."""
    accepted = pc.equal(rows["status"], "accepted")
    if (not classes or notation.target == "number") and not pc.any(accepted).as_py():
        bad = rows.filter(pc.equal(rows["status"], "rejected"))
        raise InputError(
            f"{folder}: no usable image (for example, {bad['path'][0]}: {bad['reason'][0]}); add "
            "images that can be decoded"
        )
    usable = set(notation.classes_of(rows["label"].filter(accepted)))
    of_classes = notation.target == "classes"
    if empty := [name for name in classes if name not in usable]:
        texts = rows["label"].drop_null().unique().to_pylist()
        theirs = [text for text in texts if not usable.issuperset(notation.names_in(text))]
        bad = rows.filter(pc.is_in(rows["label"], pa.array(theirs, pa.string())))
        reasons = [f"{bad['path'][0]}: {bad['reason'][0]}"] if len(bad) else []
        example = f" (for example, {reasons[0]})" if reasons else ""
        if rows["given_label"].null_count < len(rows):
            example += ", after corrections of labels"
        raise InputError(
            f"{folder}: no usable image {'in class' if of_classes else 'with label'} "
            f"{', '.join(map(repr, empty))}{example}; add images that can be decoded, or remove "
            f"the {'folder' if of_classes else 'label from the table'}"
        )
