"""The manifest: the table of a data set, one row a file, kept as Parquet."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, Literal, NamedTuple, Self, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from stores.dataset_places import datasets, manifest_place
from stores.dataset_summary import DatasetSummary, KeepTogether, SplitBy
from stores.errors import CorruptStore, NewerFormat, NotInStore
from stores.in_notebook import InNotebook, Table
from stores.keys import Keys, from_arrow, in_one_piece
from stores.layout import locate
from stores.manifest_checks import check_rows
from stores.manifest_counts import (
    Written,
    class_counts,
    corrections_of,
    group_counts,
    not_together,
    number_ranges,
    reasons,
    remark_counts,
    split_counts,
    without_label,
)
from stores.manifest_digests import digest_of, grouping_digest
from stores.manifest_rows import SCHEMA, filtered, first_of_each, group_numbers, with_columns
from stores.orientation import Orientation
from stores.storage.json_files import ABSURD, as_record
from stores.storage.location import StoreLike
from stores.storage.stamped_parquet import read_table, table_bytes
from stores.target_values import Targets, target_values, text_of
from stores.targets import Target

MANIFEST_VERSION = 4

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
# accepted: has a feature, and a split where there are labels. rejected: cannot be used, for the
# reason given. conflicting: could be used, but its bytes contradict another file's label or split.
# ignored: no image's ending, or no label. excluded: by a correction. absent: gone from the folder;
# what it had is remembered.
Status = Literal["accepted", "rejected", "conflicting", "ignored", "excluded", "absent"]


class Images(NamedTuple):
    """Distinct images: keys (n, 32), labels (see `Targets`), paths and splits (n,).

    Without labels in the data set, all labels are -1 and all splits null. `groups` (n,) are
    numbers; images with the same number are of one group. None: no groups.
    """

    keys: Keys
    labels: Targets
    paths: pa.StringArray
    splits: pa.StringArray
    groups: NDArray[np.int64] | None = None


@dataclass(frozen=True)
class Manifest(InNotebook):
    """A data set: its folder, its classes in Keras's order, how it was split, and its files.

    Without labels it has no classes, and its images have no label and no split. `rows` is an Arrow
    table with a row a file and the columns of `stores.manifest_rows.SCHEMA`.

    Example:
        >>> train = Manifest.read("feature-store", "photos").select("train")
    """

    name: str
    folder: str
    classes: tuple[str, ...]
    split_seed: int  # `seed` in the file
    test_split: float
    validation_split: float
    listed_ns: int  # when the folder was listed; a file as young as that is read again
    rows: pa.Table
    layout: str = "auto"  # as requested: auto, classes, table, unlabelled, or SPLIT=FOLDER,…
    notes: tuple[str, ...] = ()  # what of the folder is left out, or not plain to see
    group_pattern: str = ""  # on the paths, if it gives the groups
    orientation: Orientation = "upright"  # how images with EXIF rotation are used
    split_by: SplitBy = "chance"  # time: the newest images are in test
    examination: int = 1  # version of what examined the files; after another they are read again
    keep_together: KeepTogether = "none"  # what no split divides, beside groups
    untold: str = ""  # why that may not be known of all images
    target: Target = "classes"  # what a label is: a class, several labels, or a number
    label_separator: str = ""  # between several labels

    @classmethod
    def read(cls, store: StoreLike, name: str) -> Self:
        """Read a data set's manifest; raises NotInStore, CorruptStore or NewerFormat."""
        place = manifest_place(store, name)
        place.refresh()
        path = place.path
        try:
            table, about = read_table(path, kind="manifest", version=MANIFEST_VERSION)
            return cls._checked(name, table, about)
        except FileNotFoundError as error:
            there = ", ".join(datasets(store)) or "none"
            raise NotInStore(
                f"{locate(store)}: no data set {name!r}; ingest its folder first; in the store: "
                f"{there}"
            ) from error
        except NewerFormat:
            raise
        except ABSURD as error:
            reason = " ".join(str(error).split())[:200]
            if not isinstance(error, CorruptStore):  # which names the file itself
                reason = f"{path}: the file is damaged: {reason}"
            raise CorruptStore(
                f"{reason}; bring it back from a backup, or delete it and ingest again (the split "
                "is then drawn anew)"
            ) from error

    @classmethod
    def _checked(cls, name: str, table: pa.Table, about: dict[str, Any]) -> Self:
        """Return what a file has; raises ValueError, KeyError or TypeError on what is absurd."""
        named = {"split_seed" if field == "seed" else field: about[field] for field in about}
        found = as_record(cls, named, name=name, rows=table)
        if found.orientation not in get_args(Orientation):
            raise ValueError(f"orientation: {found.orientation!r}")
        check_rows(
            table,
            classes=found.classes,
            statuses=get_args(Status),
            splits=SPLITS,
            target=found.target,
            separator=found.label_separator,
        )
        return replace(found, rows=with_columns(table))

    def write(self, store: StoreLike) -> None:
        """Publish the manifest; raises StoreReadOnly or StoreFull."""
        about = {
            "seed" if field.name == "split_seed" else field.name: getattr(self, field.name)
            for field in fields(self)
            if field.name not in {"name", "rows"}
        }
        content = table_bytes(self.rows, kind="manifest", version=MANIFEST_VERSION, metadata=about)
        place = manifest_place(store, self.name)
        place.publish(content, tmp=place.parent / "tmp")

    def select(self, *splits: Split) -> Images:
        """Return the distinct accepted images of some splits (of all, where none is named).

        Raises ValueError for a split that there is not.
        """
        if strange := set(splits) - set(SPLITS):
            raise ValueError(f"no split {', '.join(strange)}; expected {', '.join(SPLITS)}")
        accepted = self.of_status("accepted", columns=("key", "label", "path", "split", "group"))
        if splits:
            accepted = filtered(accepted, pc.is_in(accepted["split"], pa.array(splits)))
        rows = first_of_each(accepted)
        groups = rows["group"]
        return Images(
            from_arrow(rows["key"]),
            target_values(rows["label"], self.classes, self.target, self.label_separator),
            in_one_piece(rows["path"]),
            in_one_piece(rows["split"]),
            None if groups.null_count == len(groups) else group_numbers(rows),
        )

    def label_of(self, truth: Any) -> str:  # noqa: ANN401  a row of `Images.labels`
        """Return the text of an image's label, from its row in `Images.labels`."""
        return text_of(truth, self.classes, self.target, self.label_separator)

    def of_status(self, *statuses: Status, columns: Sequence[str] = SCHEMA.names) -> pa.Table:
        """Return the rows of some statuses, in the order of their paths, or some columns of them.

        Few columns are several times as fast.
        """
        chosen = pc.is_in(self.rows["status"], pa.array(statuses, pa.string()))
        return filtered(self.rows.select(list(columns)), chosen)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the sorted (key, label, split) of the distinct accepted images."""
        return digest_of(self.of_status("accepted", columns=("key", "split", "label")))

    @cached_property
    def grouping(self) -> str:
        """SHA-256 over which images of train and validation are of one group; '' for none."""
        images = self.select("train", "validation")
        return grouping_digest(images.keys, images.groups)

    def counts(self) -> dict[str, dict[str, int]]:
        """Return the number of distinct images of each class, or label, in each split.

        An image with several labels is counted for each of them. All have the number of a data set
        of numbers.
        """
        rows = first_of_each(self.of_status("accepted", columns=("key", "split", "label")))
        return class_counts(rows, self._written)

    def split_sizes(self) -> dict[Split, int]:
        """Return the number of distinct images in each split; 0 without labels."""
        rows = first_of_each(self.of_status("accepted", columns=("key", "split")))
        return split_counts(rows["split"], SPLITS)

    @property
    def _written(self) -> Written:
        return Written(self.classes, SPLITS, self.target, self.label_separator)

    def summary(self) -> DatasetSummary:
        """Return sizes: images per split, duplicates, classes, and what is left out and why."""
        columns = ("path", "key", "label", "split", "group", "reason")
        accepted = self.of_status("accepted", columns=columns)
        distinct = first_of_each(accepted)
        return DatasetSummary(
            dataset=self.name,
            folder=self.folder,
            classes=self.classes,
            images=len(accepted),
            **split_counts(distinct["split"], SPLITS),
            counts=class_counts(distinct, self._written),
            duplicates=len(accepted) - len(distinct),
            rejected=reasons(self.of_status("rejected", "conflicting")),
            ignored=reasons(self.of_status("ignored")),
            remarks=reasons(remarkable := accepted.filter(pc.not_equal(accepted["reason"], ""))),
            remark_counts=remark_counts(remarkable),
            absent=len(self.of_status("absent")),
            groups=group_counts(accepted) if self.classes else None,
            without_label=without_label(distinct, self._written),
            numbers=number_ranges(distinct, self._written),
            corrections=corrections_of(self.rows),
            seed=self.split_seed,
            split_by=self.split_by,
            layout=self.layout,
            target=self.target,
            notes=(*self.notes, *self.not_together()),
        )

    def not_together(self) -> Iterator[str]:
        """Yield why near-duplicates may be in two splits, though they are to be kept together."""
        if self.keep_together != "none":
            waiting = self.of_status("accepted", columns=("key", "open_split"))
            yield from not_together(first_of_each(waiting), self.name, self.untold)

    def tables(self) -> Iterator[Table]:
        """Yield what its summary shows."""
        yield from self.summary().tables()
