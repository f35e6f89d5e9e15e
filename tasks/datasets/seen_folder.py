"""What is asked of an ingest, and the folder as it is then: which of its files are to be read.

No image is opened, and TensorFlow is not imported.
"""

import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from stores.errors import NotInStore
from stores.layout import locate
from stores.manifest import Manifest
from stores.manifest_rows import STAMP
from stores.orientation import Orientation
from stores.printable import visible
from stores.storage.location import StoreLike
from tasks.datasets.folder_listing import Listing
from tasks.datasets.known_files import is_unread, known_rows, nothing_known
from tasks.datasets.label_table import BY_FOLDERS, LabelRule
from tasks.datasets.labelled_files import list_labelled, pattern_of
from tasks.datasets.splits import AS_BEFORE, SplitRule
from tasks.datasets.unpack import rows_to_unpack, unpacked
from tasks.errors import InputError
from tasks.execution.steps import task


@dataclass(frozen=True, kw_only=True)
class IngestRequest:
    """A folder of images, and how it becomes a data set; see `tasks.datasets.ingest.ingest`."""

    folder: Path
    store: StoreLike
    dataset: str | None = None
    rule: SplitRule = AS_BEFORE
    layout: str | None = None
    labels: LabelRule = BY_FOLDERS
    orientation: Orientation | None = None
    rehash: bool = False

    @property
    def real_folder(self) -> Path:
        """The folder, without links."""
        return Path(os.path.realpath(self.folder))

    @property
    def shown(self) -> str:
        """The folder, for a message on one line."""
        return visible(str(self.folder))

    @property
    def name(self) -> str:
        """The name of the data set."""
        return self.dataset or self.real_folder.name

    def previous(self) -> Manifest | None:
        """Return the data set; raises InputError where one of that name is of another folder."""
        return _previous(self.store, self.name, self.real_folder, chosen=self.dataset is not None)


@dataclass(frozen=True)
class Seen:
    """The files of a folder, and its data set as it was then."""

    request: IngestRequest
    started_ns: int  # before the files were listed
    previous: Manifest | None
    listing: Listing
    layout: str  # as requested, or the data set's; as are the next two
    group_pattern: str
    orientation: Orientation

    def known(self) -> pa.Table:
        """Return path, key, status and reason of each listed file; null for those to be read."""
        previous = None if self.request.rehash else self.previous
        if previous is None or previous.orientation != self.orientation:
            return nothing_known(self.listing)
        return known_rows(previous, self.listing)

    def unread(self) -> pa.Table:
        """Return the paths and stamps of the files that an ingest has to read."""
        chosen = is_unread(self.listing, self.known())
        return self.listing.files.select(["path", *STAMP]).filter(chosen)


def see(request: IngestRequest) -> Seen:
    """List a folder, as `ingest` does for the same request; raises InputError as that.

    Images that a table of labels holds itself are unpacked into the folder first.
    """
    folder = request.real_folder
    _check_apart(folder, Path(os.path.realpath(locate(request.store).path)))
    previous = request.previous()
    labels = unpacked(folder, request.labels.with_kept(previous), request.layout)
    request, started_ns = replace(request, labels=labels), time.time_ns()
    listing, layout = list_labelled(folder, request.layout, labels, previous)
    used = request.orientation or (previous.orientation if previous else "upright")
    return Seen(request, started_ns, previous, listing, layout, pattern_of(labels, previous), used)


def count_unread(request: IngestRequest) -> int:
    """Return the number of files that an ingest will read, without unpacking any."""
    return count_packed(request) or len(see(request).unread())


def count_packed(request: IngestRequest) -> int:
    """Return the number of rows of images that --labels holds, and that are not unpacked yet."""
    if request.labels.file is None:
        return 0
    return rows_to_unpack(request.real_folder, request.labels.with_kept(request.previous()))


see_task = task(name="list files", task_run_name="list files of {request.shown}")(see)


def _previous(store: StoreLike, name: str, folder: Path, *, chosen: bool) -> Manifest | None:
    """Return the data set of a name; it has to be of this folder, unless its name is `chosen`."""
    try:
        previous = Manifest.read(store, name)
    except NotInStore:
        if visible(name) != name:
            raise InputError(
                f"{name!a}: the name of a data set cannot have control characters; give another "
                "--dataset"
            ) from None
        return None
    if previous.folder != str(folder) and not chosen:
        raise InputError(
            f"{folder}: the data set {name!r} belongs to another folder, {previous.folder}; give a "
            f"new name with --dataset, or --dataset {name!r} if the folder was moved"
        )
    return previous


def _check_apart(folder: Path, store: Path) -> None:
    below = store.relative_to(folder).parts if store.is_relative_to(folder) else (".elsewhere",)
    if not below or not below[0].startswith("."):  # a folder with a leading dot is not a class
        raise InputError(
            f"{store}: the store is inside the folder of images {folder}, and would be read as a "
            "class; give another --store"
        )
