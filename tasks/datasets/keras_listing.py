"""The classes of a folder as Keras finds them; its files have to be those of our listing."""

import os

import pyarrow as pa
import pyarrow.compute as pc

from tasks.datasets.folder_listing import Listing
from tasks.datasets.folder_structure import KERAS_ENDINGS, is_hidden, is_left_out, is_of_system
from tasks.errors import InputError
from tasks.execution.keras_backend import check_backend


def classes_by_keras(listing: Listing) -> tuple[str, ...]:
    """Return the classes that Keras finds; its files have to be those of the listing.

    Keras lists fewer formats; where it finds none in a folder, the listing's classes are returned.
    """
    check_backend()
    if not listing.is_utf8:
        return listing.classes  # sorted as by Keras, which would fail
    from tasks.execution.checked_keras import keras

    found: set[str] = set()
    classes = listing.classes  # sorted as by Keras
    listed = _listed(listing)
    for top in (listing.folder / top for top in _tops(listing, listed)):
        try:
            dataset = keras.utils.image_dataset_from_directory(top, shuffle=False, verbose=False)
        except ValueError as error:
            raise InputError(f"{top}: {error}") from error
        classes = tuple(name for name in dataset.class_names if not is_left_out(name))
        paths = [os.path.relpath(path, listing.folder) for path in dataset.file_paths]
        found |= {path for path in paths if not is_hidden(path) and not _is_of_system(path)}
    expected = set(listed.to_pylist())
    if found != expected:
        raise OSError(
            f"{listing.folder}: the files changed while they were listed, for example "
            f"{min(found ^ expected)!r}; run the command again when no other process writes to the "
            "folder"
        )
    return classes


def _listed(listing: Listing) -> pa.ChunkedArray:
    """Return the paths of the images whose endings Keras lists."""
    endings = "|".join(ending.removeprefix(".") for ending in KERAS_ENDINGS)
    paths = listing.files["path"].filter(listing.files["is_image"])
    return paths.filter(pc.match_substring_regex(paths, rf"(?i)\.(?:{endings})\z"))


def _tops(listing: Listing, listed: pa.ChunkedArray) -> list[str]:
    """Return the folders of class folders in which Keras finds files; it refuses the others."""
    tops = listing.layout.tops
    return [top for top in tops if len(listed) and (not top or _any_below(top, listed))]


def _any_below(top: str, paths: pa.ChunkedArray) -> bool:
    return bool(pc.any(pc.starts_with(paths, f"{top}/")).as_py())


def _is_of_system(path: str) -> bool:
    return is_of_system(path.rpartition("/")[2])
