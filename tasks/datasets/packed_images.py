"""Parquet files that hold the images themselves, as Hugging Face's `datasets` writes them."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from stores.manifest import Split
from stores.storage.json_files import ABSURD, parsed
from tasks.datasets.label_notation import CLASSES, LabelNotation
from tasks.datasets.label_table import COLUMNS, IMAGE, KIND, LabelRule
from tasks.datasets.path_table import mistakes_of
from tasks.datasets.table_rows import parquet_footer
from tasks.errors import InputError
from tasks.execution.user_files import opened

PARQUET = ".parquet"
_SPLITS: dict[str, Split] = {
    "train": "train",
    **dict.fromkeys(["validation", "valid", "val"], "validation"),
    "test": "test",
}
_OF_SPLIT = re.compile(rf"({'|'.join(_SPLITS)})(?:[-_.]|$)")  # at the start of a name
_ONE_OF = re.compile(r"(.*)-\d{5}-of-(\d{5})")
_HUB = b"huggingface"  # what `datasets` knows of a table's columns, as JSON
_POINTER = b"version https://git-lfs"  # what a clone of the Hub without Git LFS has instead
_MOST_NAMED = 30  # columns in a message
_LONGEST = 1000  # characters of a class's name


@dataclass(frozen=True)
class PackedFile:
    """One Parquet file with images; `columns` are its names by ours, of those that it has."""

    path: Path
    columns: Mapping[str, str]
    class_names: Mapping[str, Sequence[str]]  # of columns of numbers, by our names
    largest: int  # bytes of a part of the columns of images and paths: no value has more
    rows: int
    split: Split | None = None  # by the file's name
    notation: LabelNotation = CLASSES

    @property
    def is_typed(self) -> bool:
        """Whether labels may be floats or lists."""
        return self.notation.target != "classes" and "label" in self.columns


@dataclass(frozen=True)
class PackedImages:
    """The Parquet files of a table, in order, and where a user said that they are."""

    given: Path
    files: tuple[PackedFile, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Our names of what their rows have; `path` is the first."""
        there = {name for file in self.files for name in file.columns}
        there |= {"split"} if any(file.split for file in self.files) else set()
        return ("path", *(name for name in COLUMNS[1:] if name in there))

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks on numbered files of which some are not there, as after half a download."""
        numbered = [found for file in self.files if (found := _ONE_OF.fullmatch(file.path.stem))]
        there = Counter((found[1], found[2]) for found in numbered)
        return tuple(
            f"{self.given}: only {count} of the {int(total)} files {name}-…-of-{total}{PARQUET}"
            for (name, total), count in sorted(there.items())
            if count < int(total) and self.given.is_dir()
        )


def packed_images(rule: LabelRule) -> PackedImages | None:
    """Return the Parquet files of a rule that hold images; None where its table has paths.

    Only their footers are read. Raises InputError for a folder without such files, and for files
    that lack a column.
    """
    given = rule.file
    if given is None:
        return None
    if given.is_dir():
        files = [file for path in _below(given) if (file := _packed(path, rule, alone=False))]
        return PackedImages(given, _with_splits(given, files))
    if not given.exists():
        raise InputError(f"{given}: {KIND} not found")
    if given.suffix.lower() == PARQUET:
        file = _packed(given, rule, alone=True)
        return PackedImages(given, (file,)) if file else None
    if IMAGE in rule.columns:
        raise InputError(
            f"--column {IMAGE}={rule.columns[IMAGE]}: {given} is no {PARQUET} file; expected one "
            "that holds the images, or a folder of them"
        )
    return None


def _below(folder: Path) -> list[Path]:
    """Return the Parquet files of a folder, of its data/, or of its folders of splits."""
    found: list[Path] = []
    for pattern in (f"*{PARQUET}", f"data/*{PARQUET}", f"*/*{PARQUET}"):
        found = sorted(path for path in folder.glob(pattern) if not path.name.startswith("."))
        if found and ("*/" not in pattern or all(path.parent.name in _SPLITS for path in found)):
            return found
    others = ", ".join(sorted({str(path.parent) for path in found})[:5])
    hint = f"; there are some in {others}: give one of these folders" if found else ""
    raise InputError(
        f"{folder}: no file that ends in {PARQUET}, in the folder or its data/; expected such "
        f"files with the images, or a table of labels{hint}"
    )


def _packed(path: Path, rule: LabelRule, *, alone: bool) -> PackedFile | None:
    """Return what a file's footer says; None for a table of paths, where it may be one."""
    with mistakes_of(path, KIND), opened(path) as file:
        if file.read(len(_POINTER)) == _POINTER:
            raise ValueError("a pointer of Git LFS, not the file itself; run git lfs pull")
        about = parquet_footer(file)
        schema = about.schema.to_arrow_schema()
    columns = {name: rule.column(name) or name for name in (IMAGE, *COLUMNS)}
    for name, theirs in columns.items():
        if schema.names.count(theirs) > 1:
            raise InputError(f"{path}: column {theirs} is repeated; rename one")
        if rule.requires(name) and theirs not in schema.names:
            raise InputError(f"{path}: no column {theirs!r} for {name}. {_received(schema)}")
    if not _holds_images(path, schema, columns, chosen=IMAGE in rule.columns, alone=alone):
        return None
    if rule.needed and columns["label"] not in schema.names:
        raise InputError(
            f"{path}: no column {columns['label']!r}; name it with --column label=NAME. "
            f"{_received(schema)}"
        )
    there = {name: theirs for name, theirs in columns.items() if theirs in schema.names}
    names = dict(_class_names((about.metadata or {}).get(_HUB, b""), schema, there))
    if rule.notation.target == "number":
        names.pop("label", None)  # a class's number is the number itself
    size = _largest(about, columns)
    return PackedFile(path, there, names, size, about.num_rows, notation=rule.notation)


def _holds_images(
    path: Path, schema: pa.Schema, columns: Mapping[str, str], *, chosen: bool, alone: bool
) -> bool:
    """Return whether a file holds images; raises InputError where it holds neither them nor paths.

    A plain column of bytes beside one of paths is not looked at, unless it was `chosen`.
    """
    own, has_paths = columns[IMAGE], alone and columns["path"] in schema.names
    if own in schema.names:
        kind = schema.field(own).type
        if pa.types.is_struct(kind) and _is_of_images(kind):
            return True
        if _is_of_images(kind) and (chosen or not has_paths):
            return True
        if chosen or not has_paths:
            raise InputError(
                f"{path}: column {own!r} holds {kind}, expected the bytes of images, or a struct "
                f"of bytes and path; name another with --column {IMAGE}=NAME. {_received(schema)}"
            )
    if has_paths:
        return False
    likely = [name for name in dict.fromkeys(schema.names) if _is_likely(schema, name)]
    fix = f"--column {IMAGE}={likely[0]}" if likely else f"--column {IMAGE}=NAME"
    if alone:
        fix = f"--column path=NAME, or {fix}"
    what = "no column 'path' of files, and none of images" if alone else "no column of images"
    raise InputError(f"{path}: {what}; name it with {fix}. {_received(schema)}")


def _is_likely(schema: pa.Schema, name: str) -> bool:
    return schema.names.count(name) == 1 and _is_of_images(schema.field(name).type)


def _is_of_images(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        place = kind.get_field_index("bytes")
        return place >= 0 and _is_bytes(kind.field(place).type)
    return _is_bytes(kind)


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _received(schema: pa.Schema) -> str:
    more = ", …" if len(schema.names) > _MOST_NAMED else ""
    return f"Received: {', '.join(schema.names[:_MOST_NAMED])}{more}"


def _largest(about: Any, columns: Mapping[str, str]) -> int:  # noqa: ANN401  Arrow's FileMetaData
    groups = [about.row_group(number) for number in range(about.num_row_groups)]
    parts = (group.column(n) for group in groups for n in range(group.num_columns))
    image, path = columns[IMAGE], columns["path"]
    ours = {image, f"{image}.bytes", f"{image}.path", path}
    return max((p.total_uncompressed_size for p in parts if p.path_in_schema in ours), default=0)


def _class_names(
    hub: bytes, schema: pa.Schema, columns: Mapping[str, str]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the names of the numbers in columns, as a ClassLabel of `datasets` has them.

    Whatever else stands there is nobody's names, and is ignored.
    """
    try:
        features = parsed(hub.decode())["info"]["features"] if hub else {}
        about = {name: features.get(theirs) for name, theirs in columns.items()}
    except ABSURD:
        return
    for name, described in about.items():
        kind, feature = schema.field(columns[name]).type, described
        if pa.types.is_list(kind) or pa.types.is_large_list(kind):
            kind, feature = kind.value_type, _of_each(described)
        names = feature.get("names") if isinstance(feature, dict) else None
        texts = names if isinstance(names, list) and _are_names(names) else []
        if texts and pa.types.is_integer(kind):
            yield name, tuple(text.strip() for text in texts)


def _of_each(feature: Any) -> Any:  # noqa: ANN401  from JSON
    """Return what `datasets` knows of the values in a column of lists."""
    if isinstance(feature, list):
        return feature[0] if len(feature) == 1 else None
    return feature.get("feature") if isinstance(feature, dict) else None


def _are_names(names: Iterable[object]) -> bool:
    """Return whether these are texts of some length, and none of them is there twice."""
    texts = [name.strip() if isinstance(name, str) else "" for name in names]
    return len(set(texts)) == len(texts) and all(0 < len(text) <= _LONGEST for text in texts)


def _with_splits(folder: Path, files: Sequence[PackedFile]) -> tuple[PackedFile, ...]:
    """Return files with the splits that their names say; without, where there is only one such."""
    found = [_split_of(file.path) for file in files]
    if len(set(found) - {None}) < 2 or any("split" in file.columns for file in files):
        return tuple(files)
    if None in found:
        raise InputError(
            f"{folder}: {files[found.index(None)].path.name} does not say its split, but others "
            f"do; expected a name as train-00000-of-00001{PARQUET}; rename the file, or move it"
        )
    return tuple(replace(file, split=split) for file, split in zip(files, found, strict=True))


def _split_of(path: Path) -> Split | None:
    """Return the split that a file's name begins with, or the name of its folder."""
    found = _OF_SPLIT.match(path.stem.lower())
    return _SPLITS[found[1]] if found else _SPLITS.get(path.parent.name)
