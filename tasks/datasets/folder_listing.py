"""The listing of a data set's folder: names, sizes and times. No file is opened."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from tasks.datasets.class_names import NOT_UTF8, differing_in_case, refuse_unless_utf8
from tasks.datasets.folder_layout import AUTO, UNLABELLED, Layout, find_layout
from tasks.datasets.label_notation import CLASSES, LabelNotation
from tasks.datasets.listed_files import (
    HIDDEN,
    have_endings,
    listed_files,
    names_below,
    names_by_layout,
)
from tasks.errors import InputError
from tasks.images.image_files import IMAGE_ENDINGS

OTHER_ENDING = "not an image's ending; if it is an image, save it as JPEG or PNG"


@dataclass(frozen=True)
class Listing:
    """A folder's files, sorted by path, its layout, and remarks on what is left out.

    `files` has the columns path, label, split, size, mtime_ns, ctime_ns, inode, trouble, is_image.
    """

    folder: Path
    files: pa.Table
    layout: Layout
    notes: tuple[str, ...]
    keeps_groups: bool = True  # those of the data set; else a table or a pattern gives them
    notation: LabelNotation = CLASSES  # what the labels are

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the class folders."""
        return self.layout.classes

    @property
    def unlabelled(self) -> str:
        """Why a file without a label is ignored."""
        if self.layout.tops:
            return "not in a class folder"
        return "not in the table of labels" if self.classes else OTHER_ENDING

    @property
    def is_utf8(self) -> bool:
        """Whether all names are UTF-8; Keras fails on any other."""
        return not pc.any(pc.equal(self.files["trouble"], NOT_UTF8)).as_py()


def check_folder(folder: Path) -> None:
    """Raise InputError where there is no folder of that name."""
    refuse_unless_utf8(str(folder))
    if not folder.is_dir():
        what = "expected a folder, found a file" if folder.exists() else "folder not found"
        raise InputError(f"{folder}: {what}; give a folder with one folder of images per class")


def list_folder(folder: Path, layout: str = AUTO) -> Listing:
    """List a folder of class folders, or of splits with class folders.

    Raises InputError if the folder is missing or empty, or if its layout is ambiguous; see
    `tasks.datasets.folder_layout`.
    """
    check_folder(folder)
    found = find_layout(folder, layout)
    linked: list[str] = []
    files = listed_files(names_by_layout(folder, found, linked))
    if not pc.any(files["is_image"]).as_py():
        some = pc.any(have_endings(files["path"])).as_py()
        hint = f"; for features without classes, run flows.extract --layout {UNLABELLED}"
        raise InputError(
            f"{folder}: no image in a class folder; expected one folder per class, with files that "
            f"end in {', '.join(IMAGE_ENDINGS)}; found {len(found.classes)} folders and "
            f"{len(files)} files{hint if some else ''}"
        )
    _check_splits(folder, found, files)
    notes = (*found.notes, *differing_in_case(found.classes), *_left_out(files, linked))
    return Listing(folder, files, found, notes)


def list_tree(folder: Path, *, all_images: bool = False) -> Listing:
    """List all files below a folder, without labels.

    A table says later which are images of which class; or all are, by their endings. Raises
    InputError if the folder is missing. Links to folders are not followed.
    """
    check_folder(folder)
    linked: list[str] = []
    # Without a label, a file is no image.
    label = "any" if all_images else None
    files = listed_files(names_below(folder, folder, label, None, linked))
    place, none = files.schema.get_field_index("label"), pa.nulls(len(files), pa.string())
    notes = _left_out(files, linked, where="below the folder") if all_images else ()
    return Listing(folder, files.set_column(place, "label", none), Layout({}, ()), tuple(notes))


def _check_splits(folder: Path, layout: Layout, files: pa.Table) -> None:
    """Raise InputError if the folder of a split has no images in its class folders."""
    images = files["path"].filter(files["is_image"])
    inside = {top: pc.any(pc.starts_with(images, f"{top}/")).as_py() for top in layout.tops if top}
    for top in sorted(top for top, some in inside.items() if not some):
        raise InputError(
            f"{folder / top}: no image in its class folders; expected files that end in "
            f"{', '.join(IMAGE_ENDINGS)}; add images, or remove the folder"
        )


def _left_out(
    files: pa.Table, linked: list[str], *, where: str = "within a class"
) -> Iterator[str]:
    """Yield remarks on images that are left out, though a user may expect them in a class."""
    hidden = files["path"].filter(pc.equal(files["trouble"], HIDDEN))
    hidden = hidden.filter(have_endings(hidden))
    if len(hidden):
        place = os.path.dirname(pc.min(hidden).as_py())  # noqa: PTH120
        yield f"{len(hidden)} images in hidden folders are left out, for example in {place}/"
    if linked:
        yield (
            f"{len(linked)} links to folders {where} are not followed, for example "
            f"{min(linked)}; copy the images into the folder"
        )
