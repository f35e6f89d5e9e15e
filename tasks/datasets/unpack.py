"""The images of Parquet files, unpacked once into a folder, one file an image.

A hidden table beside them has their labels, and what the Parquet files looked like: while they are
the same, nothing is unpacked again. It is written last, so that a killed run is continued: files
that are there are compared, and not written again.
"""

import stat
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.compute as pc

from stores.errors import StoreReadOnly
from stores.manifest import Manifest
from stores.storage.publish import is_leased, publish_file
from stores.storage.safe_files import within
from tasks.datasets.folder_listing import check_folder
from tasks.datasets.known_files import CLOCK_TICK_NS
from tasks.datasets.label_table import KIND, LabelRule, Unpacked
from tasks.datasets.packed_images import PackedFile, PackedImages, packed_images
from tasks.datasets.packed_rows import images, label_rows
from tasks.datasets.path_table import mistakes_of
from tasks.datasets.unpacked_names import Names
from tasks.datasets.unpacked_table import SCHEMA, TABLE, as_file, looks_of, remembered, unpacked_of
from tasks.errors import InputError
from tasks.execution.progress import advance
from tasks.execution.user_files import read_whole

_DRAFTS = ".gargalo-unpacking"
_NOTE = "unpacked: "
_THREADS = 8  # that wait for the disk


def unpacked(folder: Path, rule: LabelRule, layout: str | None = None) -> LabelRule:
    """Return a rule whose Parquet files' images are in the folder, which is made if missing.

    Any other rule is returned as it is. Raises InputError for files that are not valid, and for one
    in the folder that an image would replace.
    """
    packed = packed_images(rule)
    if packed is None:
        return rule
    if layout:
        raise InputError(f"--layout {layout}: {rule.file} has the labels; give one of the two")
    found = remembered(folder, packed, rule)
    return replace(rule, unpacked=found or _unpack(folder, packed, rule))


def rows_to_unpack(folder: Path, rule: LabelRule) -> int:
    """Return the number of rows that `unpacked` would look at; 0 where all is known."""
    packed = packed_images(rule)
    if packed is None or remembered(folder, packed, rule):
        return 0
    return sum(file.rows for file in packed.files)


def kept_notes(previous: Manifest | None) -> tuple[str, ...]:
    """Return what was remarked when a data set's images were unpacked."""
    return tuple(note for note in (previous.notes if previous else ()) if note.startswith(_NOTE))


def _unpack(folder: Path, packed: PackedImages, rule: LabelRule) -> Unpacked:
    """Write the images that are not there yet, and then the table of all."""
    began, looks = time.time_ns(), looks_of(packed)
    labelled, notes = _labelled(packed, needed=rule.needed)
    if folder.exists():
        check_folder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with ThreadPoolExecutor(_THREADS) as pool:
            names = Names()
            parts = [
                rows.add_column(0, "path", [list(_written(folder, file, names, pool))])
                for file, rows in labelled
            ]
        notes = tuple(_NOTE + n for n in (*packed.notes, *notes, *_without_images(labelled, parts)))
        table = pa.concat_tables(part.cast(SCHEMA) for part in parts)
        table = table.filter(pc.is_valid(table["path"]))
        if not len(table):
            raise InputError(
                f"{packed.given}: no row has the bytes of an image, only paths or nothing; give "
                "files into which the images were written, or a table with the column path"
            )
        content = as_file(table, looks=looks, began_ns=began, notes=notes)
        publish_file(content, folder / TABLE, tmp=folder / _DRAFTS)
        time.sleep(2 * CLOCK_TICK_NS / 1e9)  # a listing may then take the files as settled
    except StoreReadOnly as error:
        raise InputError(
            f"{folder}: the images of {packed.given} cannot be written there: {error.__cause__}; "
            "get write permission, or give another folder"
        ) from None
    finally:
        _remove_drafts(folder / _DRAFTS)
    return unpacked_of(packed, table, notes)


def _labelled(
    packed: PackedImages, *, needed: bool
) -> tuple[list[tuple[PackedFile, pa.Table]], tuple[str, ...]]:
    """Return each file with the labels of its rows, before anything is written, and remarks.

    A file that has no labels at all, as some have of their test images, is left out; unless all are
    so, and none are `needed`. Raises InputError for a single row without a label.
    """
    found = [(file, label_rows(file)) for file in packed.files]
    bare = [file for file, rows in found if rows["label"].null_count == len(rows)]
    if len(bare) == len(found):
        if not needed and all(len(rows) for _, rows in found):
            return found, ()
        bare = []
    labelled = [(file, rows) for file, rows in found if file not in bare]
    for file, rows in labelled:
        if not len(rows):
            raise InputError(f"{file.path}: the table has no rows")
        if rows["label"].null_count:
            number = pc.index(pc.is_null(rows["label"]), True).as_py() + 1
            raise InputError(
                f"{file.path}: row {number} has no label in the column {file.columns['label']}; "
                "fill it in, or remove the row"
            )
    return labelled, tuple(
        f"{file.path.name} has no labels: its {file.rows} images are left out" for file in bare
    )


def _without_images(
    labelled: Sequence[tuple[PackedFile, pa.Table]], parts: Sequence[pa.Table]
) -> Iterator[str]:
    """Yield a remark on the rows that have no image."""
    nulls = [part["path"].null_count for part in parts]
    if count := sum(nulls):
        first = next(at for at, null in enumerate(nulls) if null)
        row = pc.index(pc.is_null(parts[first]["path"]), True).as_py() + 1
        example = f"row {row} of {labelled[first][0].path.name}"
        what = "1 row without an image is" if count == 1 else f"{count} rows without an image are"
        yield f"{what} left out (for one, {example})"


def _written(
    folder: Path, file: PackedFile, names: Names, pool: ThreadPoolExecutor
) -> Iterator[str | None]:
    """Write the images of a file; yield the path of each row's, None where it has no image."""
    batches = images(file)
    while True:
        with mistakes_of(file.path, KIND):
            if (batch := next(batches, None)) is None:
                return
        there = [one for one in batch if one.content is not None]
        paths = [names.name(one.content, one.name) for one in there if one.content is not None]
        contents = [one.content for one in there]
        list(pool.map(partial(_write, folder), paths, contents))
        left = iter(paths)
        yield from (next(left) if one.content is not None else None for one in batch)
        advance(len(batch))


def _write(folder: Path, name: str, content: bytes) -> None:
    """Write a file unless it is there; raises InputError where another one is."""
    place = within(folder, name)
    above = [folder / parent for parent in PurePosixPath(name).parents[:-1]]
    if linked := [path for path in above if path.is_symlink()]:
        raise InputError(f"{linked[0]}: a link, expected a folder for {name!r}; move it away")
    try:
        about = place.lstat()
    except FileNotFoundError:
        publish_file(content, place, tmp=folder / _DRAFTS)
        return
    except NotADirectoryError:
        raise InputError(f"{place.parent}: a file, expected a folder; move it away") from None
    alike = stat.S_ISREG(about.st_mode) and about.st_size == len(content)
    if alike and read_whole(place, most=len(content)) == content:
        return
    raise InputError(
        f"{place}: something else has the name of an image, and is not replaced; move it away, or "
        "give a new folder"
    )


def _remove_drafts(drafts: Path) -> None:
    """Remove what killed runs left, but for what another run is just writing."""
    with suppress(OSError):
        for draft in drafts.iterdir():
            if not is_leased(draft):
                draft.unlink()
        drafts.rmdir()
