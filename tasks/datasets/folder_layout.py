"""The layout of a data set's folder: which subfolders are classes, and which are splits.

Folders named `train` and `test` that hold the same class folders are splits. The same structure
under other names is ambiguous, and refused with the flag that resolves it. A name alone is not
enough: `train` may be a vehicle.
"""

import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from stores.manifest import SPLITS, Split
from tasks.datasets.class_names import check_distinct, check_same
from tasks.datasets.detection_layouts import check_no_detection
from tasks.datasets.find_images import find_images
from tasks.datasets.folder_structure import (
    Inside,
    alike_folders,
    class_folders,
    inside_of,
    is_unlabelled,
    unwrapped,
)
from tasks.datasets.split_names import Meaning, likely_meaning, meaning_of, meanings
from tasks.errors import InputError

AUTO, CLASSES = "auto", "classes"
TABLE, UNLABELLED = "table", "unlabelled"  # of all files below a folder; see list_tree
_GIVEN = re.compile(f",(?=(?:{'|'.join(SPLITS)})=)")
_EXPECTED = f"{AUTO}, {CLASSES}, {UNLABELLED}, or SPLIT=FOLDER,… as train=seg_train,test=seg_test"


@dataclass(frozen=True)
class Layout:
    """The folders that hold class folders, relative to the data set's ("" is itself)."""

    tops: dict[str, Split | None]  # the split of the images in it; None: a random split
    classes: tuple[str, ...]
    notes: tuple[str, ...] = ()  # remarks for the user


def check_layout(requested: str) -> str:
    """Return the requested layout; raises InputError if it is not valid."""
    if requested not in {AUTO, CLASSES, UNLABELLED}:
        _given_splits(requested)
    return requested


def find_layout(folder: Path, requested: str = AUTO) -> Layout:
    """Return the layout of a folder: as requested, or detected by structure and names.

    Raises InputError if it is ambiguous, or if splits have different classes.
    """
    if requested == AUTO:
        return _by_structure(folder, "")
    if requested == CLASSES:
        return _classes_of(folder, {"": None})
    try:
        given = _given_splits(requested)
    except InputError as error:
        raise InputError(f"--layout {requested}: {error}") from None
    there = class_folders(folder)
    for top in given:
        if not (folder / top).is_dir():
            raise InputError(
                f"{folder}: --layout {requested}: folder {top!r} not found; expected one of "
                f"{', '.join(there) or 'none'}"
            )
    left = [name for name in there if not any(Path(top).parts[0] == name for top in given)]
    note = (f"left out, because not in --layout: {', '.join(map(repr, left))}",)
    holders = {unwrapped(folder, top): split for top, split in given.items()}
    return _with_splits(folder, holders, notes=note if left else ())


def _given_splits(requested: str) -> dict[str, Split]:
    given: dict[str, Split] = {}
    for part in _GIVEN.split(requested):
        split, equals, top = part.partition("=")
        top = os.path.normpath(top) if top else ""
        if split not in SPLITS or not equals or not top or top[0] in "./" or top in given:
            raise InputError(f"expected {_EXPECTED}")
        given[top] = _as_split(split)
    if "train" not in given.values():
        raise InputError("no train split; add train=FOLDER")
    return given


def _by_structure(folder: Path, top: str) -> Layout:
    names = class_folders(folder / top)
    check_no_detection(folder / top, names)
    inside = {name: inside_of(folder / top / name) for name in names}
    meant = meanings(names)
    only_folders = [name for name in names if inside[name].folders and not inside[name].images]
    if len(names) == 1 and only_folders:
        deeper = _by_structure(folder, os.path.join(top, names[0]))  # noqa: PTH118
        if meant or len(deeper.classes) > 1 or set(deeper.tops.values()) != {None}:
            note = f"the class folders are those of {_shown(top, names[0])}"
            plain = set(deeper.tops.values()) == {None} and not deeper.notes
            return replace(deeper, notes=(note,) if plain else deeper.notes)
    mostly = len(only_folders) >= len(names) / 2
    if mostly and (alike := alike_folders(folder / top, only_folders)):
        loosely = {name: found for name in names if (found := meaning_of(name, loosely=True))}
        if loosely.keys() != set(names):
            why = f"{alike[0]}/ and {alike[1]}/ hold the same folders"
            raise _ambiguous(folder, top, names, why, splits=inside[alike[0]].folders)
        meant = loosely
    split_like = [name for name in only_folders if name in meant]
    others_hold = any(inside[name].folders for name in names if name not in meant)
    if len(meant) > 1 or [*meant] == names != [] or (split_like and not others_hold):
        return _by_names(folder, top, inside, meant)
    return _classes_of(folder, {top: None})


def _by_names(
    folder: Path, top: str, inside: Mapping[str, Inside], meant: Mapping[str, Meaning]
) -> Layout:
    """Return the layout of folders that have names of splits, some or all."""
    names = list(inside)
    if [*meant] != names:
        raise _ambiguous(folder, top, names, "only some of the names are those of splits")
    holders = {name: unwrapped(folder / top, name) for name in names}
    train = [name for name in names if meant[name] == "train"]
    known = set(class_folders(folder / top / holders[train[0]])) if train else set()
    bare = [name for name in names if is_unlabelled(folder / top / name, inside[name], known)]
    labelled = {name: meant[name] for name in names if name not in bare}
    if not labelled:
        raise _ambiguous(folder, top, names, "the names are those of splits, without class folders")
    kinds = list(labelled.values())
    certain = "train" in kinds and set(kinds) <= set(SPLITS) and len(set(kinds)) == len(kinds)
    if not certain or not {meant[name] for name in bare} <= {"test", "unlabelled"}:
        raise _ambiguous(folder, top, names, "the names do not show which folder is which split")
    given = {os.path.join(top, holders[name]): _as_split(labelled[name]) for name in labelled}  # noqa: PTH118
    return _with_splits(folder, given, notes=tuple(_unlabelled(folder, top, bare)))


def _with_splits(folder: Path, given: Mapping[str, Split], notes: tuple[str, ...]) -> Layout:
    """Return the layout of folders of splits; a missing validation split is taken from train."""
    given = dict(sorted(given.items(), key=lambda item: SPLITS.index(item[1])))
    kinds = set(given.values())
    drawn = kinds == {"train"}
    layout = _classes_of(folder, {top: None if drawn else split for top, split in given.items()})
    lines = [f"{_shown(top)} is {split}" for top, split in given.items() if top != split]
    if not drawn and "validation" not in kinds:
        lines.append("validation is a random part of train")
    if drawn:
        lines = [f"the class folders are those of {', '.join(map(_shown, given))}"]
    return replace(layout, notes=(*([", ".join(lines)] if lines else []), *notes))


def _classes_of(folder: Path, tops: Mapping[str, Split | None]) -> Layout:
    classes = {top: class_folders(folder / top) for top in tops}
    for top, names in classes.items():
        check_no_detection(folder / top, names)
        check_distinct(folder / top, names)
    check_same(folder, {_shown(top): names for top, names in classes.items()})
    return Layout(dict(tops), tuple(next(iter(classes.values()))))


def _unlabelled(folder: Path, top: str, names: Sequence[str]) -> Iterator[str]:
    for name in names:
        count = len(find_images([folder / top / name]).paths)
        place = shlex.quote(str(folder / top / name))
        yield (
            f"{_shown(top, name)} has no class folders: its {count} images are left out; to "
            f"predict their classes after training, run python -m flows.predict RUN {place}"
        )


def _ambiguous(
    folder: Path, top: str, names: Sequence[str], why: str, splits: Sequence[str] = ()
) -> InputError:
    """Return the error for folders that are classes or splits, with the flag that resolves it."""
    received = ", ".join(names[:10]) + (", …" if len(names) > 10 else "")
    fix = "move the images into one folder per class"
    if splits and all(map(meaning_of, splits)):  # cat/train, cat/test
        fix = "move the class folders below the split folders"
    elif any(inside_of(folder / top / name).folders for name in names):
        guess = shlex.quote(",".join(_guessed(folder, top, names)))
        fix = f"give --layout {guess} with the right folders"
    return InputError(
        f"{folder / top}: cannot tell class folders from split folders: {why}. Received: "
        f"{received}; {fix}, or give --layout {CLASSES} if these are classes"
    )


def _guessed(folder: Path, top: str, names: Sequence[str]) -> Iterator[str]:
    """Yield the parts of a suggested `--layout`: the first folder of each split, by likely meaning.

    Of numbered folders, such as folds, the last is test. For other names there is no suggestion.
    """
    place = {name: os.path.join(top, unwrapped(folder / top, name)) for name in names}  # noqa: PTH118
    meant = {name: likely_meaning(name) for name in names}
    held = [name for name in names if inside_of(folder / place[name]).folders]
    named = {split: name for split in SPLITS for name in reversed(held) if meant[name] == split}
    others = [name for name in held if meant[name] not in SPLITS]
    if "train" not in named and named and len(others) == 1:
        named = {"train": others[0], **named}
    if "train" in named:
        yield from (f"{split}={place[name]}" for split, name in named.items())
    elif not named and all(re.search(r"\d", name) for name in held):
        yield from (f"train={place[name]}" for name in held[:-1])
        yield f"test={place[held[-1]]}"
    else:
        yield from ("train=FOLDER", "test=FOLDER")


def _as_split(name: str) -> Split:
    return next(split for split in SPLITS if split == name)


def _shown(*parts: str) -> str:
    return "/".join(part for part in parts if part) + "/"
