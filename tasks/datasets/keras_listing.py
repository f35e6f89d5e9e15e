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

    found = [pa.array([], pa.string())]
    classes = listing.classes  # sorted as by Keras
    listed = _listed(listing)
    for top in (listing.folder / top for top in _tops(listing, listed)):
        try:
            dataset = keras.utils.image_dataset_from_directory(top, shuffle=False, verbose=False)
        except ValueError as error:
            raise InputError(f"{top}: {error}") from error
        classes = tuple(name for name in dataset.class_names if not is_left_out(name))
        start = len(os.path.join(listing.folder, ""))  # noqa: PTH118
        found.append(_ours(pc.utf8_slice_codeunits(pa.array(dataset.file_paths), start)))
        del dataset  # it has a list and a tensor of all paths
    there = pa.concat_arrays(found)
    there = pa.chunked_array([there.take(pc.sort_indices(there))])
    if not there.equals(listed):
        raise OSError(
            f"{listing.folder}: the files changed while they were listed, for example "
            f"{_only_in_one(there, listed)!r}; run the command again when no other process writes "
            "to the folder"
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


def _ours(paths: pa.StringArray) -> pa.StringArray:
    """Return the paths of files that are not hidden, nor an operating system's."""
    folders = pc.replace_substring_regex(paths, r"[^/]*\z", "").dictionary_encode()
    hidden = pa.array(map(is_hidden, folders.dictionary.to_pylist()), pa.bool_())
    paths = paths.filter(pc.invert(hidden.take(folders.indices)))
    # Of names with the endings that Keras lists, only those with a leading dot may be a system's.
    dotted = paths.filter(pc.match_substring_regex(paths, r"(?:^|/)\.[^/]*\z")).to_pylist()
    of_system = [path for path in dotted if is_of_system(path.rpartition("/")[2])]
    return paths.filter(pc.invert(pc.is_in(paths, pa.array(of_system, pa.string()))))


def _only_in_one(some: pa.ChunkedArray, others: pa.ChunkedArray) -> str:
    """Return the first path that only one of two listings has."""
    pairs = ((some, others), (others, some))
    alone = [a.filter(pc.invert(pc.is_in(a, b.combine_chunks()))) for a, b in pairs]
    return str(pc.min(pa.chunked_array([*alone[0].chunks, *alone[1].chunks], pa.string())))
