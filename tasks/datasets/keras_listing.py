"""The classes of a folder as Keras finds them; its files have to be those of our listing."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from stores.manifest_rows import filtered
from tasks.datasets.folder_listing import Listing
from tasks.datasets.folder_structure import KERAS_ENDINGS, is_hidden, is_left_out, is_of_system
from tasks.errors import InputError
from tasks.execution.keras_backend import check_backend

# Files: Keras takes half a kB for each. More are listed by a process of its own, which takes the
# seconds that importing TensorFlow does.
_MANY = 2**17


def classes_by_keras(listing: Listing) -> tuple[str, ...]:
    """Return the classes that Keras finds; its files have to be those of the listing.

    Keras lists fewer formats; where it finds none in a folder, the listing's classes are returned.
    """
    check_backend()
    if not listing.is_utf8:
        return listing.classes  # sorted as by Keras, which would fail
    parts = [pa.array([], pa.string())]
    classes = listing.classes  # sorted as by Keras
    listed = _listed(listing)
    start = len(os.path.join(listing.folder, ""))  # noqa: PTH118
    find = _found if len(listed) <= _MANY else _found_in_a_child
    for top in (listing.folder / top for top in _tops(listing, listed)):
        try:
            names, paths = find(top, start)
        except ValueError as error:
            raise InputError(f"{top}: {error}") from error
        classes = tuple(name for name in names if not is_left_out(name))
        parts.append(paths)
    there = pa.chunked_array(parts)
    if not there.equals(listed):  # at once where Keras has the same order: of millions no copy
        there = there.take(pc.sort_indices(there))
    if not there.equals(listed):
        raise OSError(
            f"{listing.folder}: the files changed while they were listed, for example "
            f"{_only_in_one(there, listed)!r}; run the command again when no other process writes "
            "to the folder"
        )
    return classes


def _found(top: Path, start: int) -> tuple[list[str], pa.StringArray]:
    """Return the classes and files that Keras finds, by their paths from a character on."""
    from tasks.execution.checked_keras import keras

    dataset = keras.utils.image_dataset_from_directory(top, shuffle=False, verbose=False)
    paths = pc.utf8_slice_codeunits(pa.array(dataset.file_paths), start)
    return list(dataset.class_names), _ours(paths)


def _found_in_a_child(top: Path, start: int) -> tuple[list[str], pa.StringArray]:
    """Return the same, found by a process of its own, whose memory is given back as it ends."""
    paths = os.pathsep.join(filter(None, sys.path))
    with tempfile.TemporaryDirectory(prefix="gargalo-listing-") as folder:
        command = [sys.executable, "-m", __name__, str(top), str(start), f"{folder}/found"]
        done = subprocess.run(  # noqa: S603  a fixed command
            command,
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
            env=os.environ | {"PYTHONPATH": paths},
        )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            raise OSError(f"{top}: Keras's listing failed in its process: {last}; run it again")
        with pa.OSFile(f"{folder}/found") as file:
            table = pa.ipc.open_stream(file).read_all()
    about = {name.decode(): text.decode() for name, text in table.schema.metadata.items()}
    if "error" in about:
        raise ValueError(about["error"])
    return json.loads(about["classes"]), table["path"].combine_chunks()


def _tell(top: str, start: str, file: str) -> None:
    """Write to a file what Keras finds, for the process that reads it, or what it says."""
    try:
        names, paths = _found(Path(top), int(start))
        about = {"classes": json.dumps(names)}
    except ValueError as error:
        paths, about = pa.array([], pa.string()), {"error": str(error)}
    table = pa.table({"path": paths}).replace_schema_metadata(about)
    with pa.OSFile(file, "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)


def _listed(listing: Listing) -> pa.ChunkedArray:
    """Return the paths of the images whose endings Keras lists."""
    endings = "|".join(ending.removeprefix(".") for ending in KERAS_ENDINGS)
    files = filtered(listing.files.select(["path", "is_image"]), listing.files["is_image"])
    has_ending = pc.match_substring_regex(files["path"], rf"(?i)\.(?:{endings})\z")
    return filtered(files, has_ending)["path"]


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


if __name__ == "__main__":
    _tell(*sys.argv[1:])
