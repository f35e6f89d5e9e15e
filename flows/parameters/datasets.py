"""The parameters of a data set: its images, labels, groups and splits; see `features`."""

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

from cyclopts import Parameter
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from flows.parameters.groups import DATA, OUTPUT
from flows.parameters.store import StoreParameters
from flows.parameters.values import Seed
from stores.dataset_summary import KeepTogether, SplitBy
from stores.orientation import Orientation

if TYPE_CHECKING:
    from tasks.datasets.label_table import LabelRule
    from tasks.datasets.seen_folder import IngestRequest
    from tasks.datasets.splits import SplitRule

Share = Annotated[float, Field(ge=0, lt=1)]
Folder = Annotated[Path, Parameter(validator=lambda _, folder: _check_folder(folder))]
# A Prefect server's form sends an empty text for no folder.
OptionalFolder = Annotated[Folder | None, BeforeValidator(lambda given: given or None)]


def _check_folder(folder: Path | None) -> None:
    if folder is None or not os.path.lexists(folder):
        return  # the embedded sample; or see check_source
    from tasks.datasets.folder_listing import check_folder  # which imports more than --help needs

    check_folder(folder.resolve())


def _layout(layout: str | None) -> str | None:
    from tasks.datasets.folder_layout import check_layout

    return check_layout(layout) if layout else None


def _pattern(pattern: str | None) -> str | None:
    if pattern is None or pattern == "none":
        return pattern
    from tasks.datasets.groups import check_pattern

    return check_pattern(pattern)


def _column(given: str) -> str:
    name, equals, theirs = given.partition("=")
    if name not in LABEL_COLUMNS or not equals or not theirs:
        raise ValueError(f"expected one of {', '.join(LABEL_COLUMNS)}, = and the name in the table")
    return given


LABEL_COLUMNS = ("path", "label", "split", "group", "time", "image")
Column = Annotated[str, AfterValidator(_column)]


@Parameter(name="*")
class DatasetParameters(StoreParameters):
    """The data set, and how its images are split."""

    dataset: Annotated[str | None, DATA] = Field(
        None, min_length=1, description="Name of the data set [default: the folder's name]."
    )
    seed: Annotated[Seed | None, DATA] = Field(
        None,
        description="Seed of the split [default: the data set's seed; 0 for a new one].",
    )
    test_split: Annotated[Share | None, DATA] = Field(
        None,
        description="Fraction of all images in the test split "
        "[default: the data set's; 0.2 for a new one].",
    )
    validation_split: Annotated[Share | None, DATA] = Field(
        None,
        description="Fraction of the remaining images in the validation split "
        "[default: the data set's; 0.2 for a new one].",
    )
    layout: Annotated[str | None, DATA, AfterValidator(_layout)] = Field(
        None,
        description="What the subfolders are. classes: one per class. SPLIT=FOLDER,…: one per "
        "split, such as train=seg_train,test=seg_test. unlabelled: no classes, features only, of "
        "all images below the folder. auto: detected from names and structure "
        "[default: the data set's; auto for a new one].",
    )
    labels: Annotated[Path | None, DATA] = Field(
        None,
        description="Table with the label of each image, .csv, .tsv, .jsonl or .parquet, with the "
        "columns path, label and optionally split, group and time; without a column label, the "
        "class folders give it. Or .parquet with the images themselves in a column image, or a "
        "folder of such files, as those of Hugging Face: they are unpacked into the folder of "
        "images, which may be a new one [default: the class folders, or the data set's table].",
    )
    column: Annotated[list[Column] | None, DATA] = Field(
        None,
        description="Name of a column in --labels, such as path=file_name. May be repeated "
        "[default: path, label, split, group, time, image].",
    )
    label_separator: Annotated[str | None, DATA] = Field(
        None,
        min_length=1,
        description="Text between several labels of an image in --labels, such as '|' in "
        "'cat|dog': each image then has any number of labels, or none where the cell is empty "
        "[default: the data set's; one class per image for a new one].",
    )
    target: Annotated[str | None, DATA] = Field(
        None,
        min_length=1,
        description="Name of the column in --labels with a number for each image, such as age, "
        "which heads then predict [default: the data set's; none for a new one].",
    )
    group: Annotated[str | None, DATA] = Field(
        None,
        min_length=1,
        description="Name of the column in --labels with the group of each image: a patient, an "
        "animal, a burst. Images of one group are never in two splits or folds [default: group].",
    )
    group_pattern: Annotated[str | None, DATA, AfterValidator(_pattern)] = Field(
        None,
        min_length=1,
        description="Regular expression that finds an image's group in its path, such as "
        "'animal(\\d+)_'. none: no groups "
        "[default: the data set's].",
    )
    orientation: Annotated[Orientation | None, DATA] = Field(
        None,
        description="How photographs with EXIF rotation are used: turned upright, or as stored "
        "[default: the data set's; upright for a new one].",
    )
    corrections: Annotated[Path | None, DATA] = Field(
        None,
        description="Table of corrections, with the columns path and label: the image's right "
        "label, or exclude. none: no corrections any more [default: the data set's].",
    )
    split_file: Annotated[Path | None, DATA] = Field(
        None,
        description="Table with the split of each image, .csv or .parquet, with the columns "
        "path,split or key,split [default: a random split].",
    )
    split_by: Annotated[SplitBy | None, DATA] = Field(
        None,
        description="What splits the images. time: the newest are in test, the next in validation, "
        "by the column time in --labels [default: the data set's; chance for a new one].",
    )
    keep_together: Annotated[KeepTogether | None, DATA] = Field(
        None,
        description="What is never in two splits or folds, beside --group. near-duplicates: images "
        "that look nearly equal, once their features are computed [default: the data set's; none "
        "for a new one].",
    )
    rehash: Annotated[bool, DATA] = Field(
        default=False, description="Read all files again, even those that have not changed."
    )

    @property
    def split_rule(self) -> "SplitRule":
        """How the images are split."""
        from tasks.datasets.splits import SplitRule

        shares = (self.test_split, self.validation_split)
        return SplitRule(self.seed, *shares, self.split_file, self.split_by, self.keep_together)

    @property
    def label_rule(self) -> "LabelRule":
        """Where labels and groups come from, and what corrects them."""
        from tasks.datasets.label_table import LabelRule

        columns = dict(column.split("=", 1) for column in self.column or ())
        columns |= {"group": self.group} if self.group else {}
        return LabelRule(
            self.labels,
            columns,
            self.group_pattern,
            corrections=self.corrections,
            label_separator=self.label_separator,
            target=self.target,
        )

    def asked(self, folder: Path, *, needs_labels: bool = True) -> "IngestRequest":
        """Return what is asked of the ingest of a folder."""
        from tasks.datasets.seen_folder import IngestRequest

        return IngestRequest(
            folder=folder,
            store=self.store,
            dataset=self.dataset,
            rule=self.split_rule,
            layout=self.layout,
            labels=replace(self.label_rule, needed=needs_labels),
            orientation=self.orientation,
            rehash=self.rehash,
        )

    def makes(self, folder: Path) -> bool:
        """Return whether a folder that is not there will be made, of images that --labels holds."""
        if not self.labels or os.path.lexists(folder):
            return False
        from tasks.datasets.packed_images import packed_images

        return packed_images(self.label_rule) is not None

    @model_validator(mode="after")
    def _columns_of_labels(self) -> Self:
        if (self.column or self.group) and not self.labels:
            raise ValueError("--column and --group are of a table; add --labels")
        if (self.label_separator or self.target) and not self.labels:
            raise ValueError("--label-separator and --target are of a table; add --labels")
        if self.label_separator and self.target:
            raise ValueError(
                "--label-separator and --target: a label is several labels, or a number; give one"
            )
        return self


def check_source(folder: Path | None, *, parameters: DatasetParameters) -> None:
    """Raise InputError for a folder that is not there, unless --labels holds its images."""
    from tasks.datasets.folder_listing import check_folder

    if folder and not parameters.makes(folder):
        check_folder(folder.resolve())


@Parameter(name="*")
class IngestParameters(DatasetParameters):
    """The parameters of `flows.ingest`."""

    verbose: Annotated[bool, OUTPUT] = Field(
        default=False, description="Name each file that is rejected or ignored, not only how many."
    )
