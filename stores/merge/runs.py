"""Merging runs: with their models, histories, predictions and looks at the test split."""

import shutil
from pathlib import Path

from stores.errors import CorruptStore
from stores.merge.result import Merged
from stores.runs.evaluations import evaluations_of
from stores.runs.parts import history_of, model_of, predictions_of
from stores.runs.record import Run
from stores.runs.store import RunStore, run_folders
from stores.storage.digests import damage, file_digests
from stores.storage.location import Location
from stores.storage.safe_files import create, is_file, open_regular, read_bytes, within, write_new
from stores.storage.safe_folders import bytes_of, make_folders, make_one_folder

Look = dict[str, bytes]  # its two files, by their names, the predictions first


def merge_runs(root: Location, source: Location, merged: Merged) -> None:
    """Take over the runs that are missing; of those that both have, the test evaluations."""
    runs = RunStore(root)
    for folder in run_folders(source / "runs"):
        what, run = f"run {folder.name}", None
        with merged.reported(what, here=True):
            if folder.name in runs:
                _unite_looks(runs, runs.read(folder.name), folder, merged)
                continue
            with merged.reported(what):
                run = _checked(folder)
            if run:
                _take_over(runs, run, folder, merged)
    if merged.runs or merged.looks:
        runs.bring_up_to_date()


def _checked(folder: Location) -> Run:
    """Return the run of a folder; raises where one of its files is not whole, its looks apart."""
    try:
        run = Run.read(folder / "run.json")
    except FileNotFoundError as error:
        raise CorruptStore(f"{error.filename}: the file is gone; train again") from error
    if not run.id.startswith(folder.name):
        raise CorruptStore(f"{folder}: found run {run.id}; move it away, train again")
    for part in (model_of, history_of, predictions_of):
        part(folder, run)
    return run


def _take_over(runs: RunStore, run: Run, folder: Location, merged: Merged) -> None:
    """Copy a run, its files as they are, and with it the looks that are whole."""
    final, digests = runs.place / folder.name, _digests(folder.path)
    looks = _whole_looks(folder, run, merged)
    tmp = runs.place / "tmp"
    with final.publish_folder(tmp=tmp, is_whole=lambda: folder.name in runs) as draft:
        make_one_folder(draft / "model")
        _copy(folder.path, draft, digests)
        if changed := damage(folder.path, digests, file_digests(draft), what="run"):
            raise CorruptStore(changed)
        # With the run, so that at no time it seems to have been looked at less often.
        make_one_folder(draft / "test")
        new = [look for look in looks if not _has(final / "test", look)]
        for name, content in ((name, look[name]) for look in new for name in look):
            write_new(draft / "test" / name, content)
    merged.runs += 1
    merged.bytes += sum(bytes_of(folder.path / name) for name in digests)
    _count(new, merged)


def _unite_looks(runs: RunStore, run: Run, folder: Location, merged: Merged) -> None:
    """Take over the looks at the test split that only the other store's run has."""
    place = runs.place / folder.name / "test"
    for look in _whole_looks(folder, run, merged):
        if not _has(place, look):
            for name, content in look.items():
                (place / name).publish(content, tmp=runs.place / "tmp")
            _count([look], merged)


def _whole_looks(folder: Location, run: Run, merged: Merged) -> list[Look]:
    found = evaluations_of(folder, run)
    for error in found.damaged.values():
        with merged.reported(f"run {folder.name}, a test evaluation"):
            raise error
    paths = [folder.path / "test" / f"{name}.json" for name in found.whole]
    return [
        {file.name: read_bytes(file) for file in (path.with_suffix(".parquet"), path)}
        for path in paths
    ]


def _has(place: Location, look: Look) -> bool:
    """Return whether a look is there as it is; a damaged one is replaced."""
    return all(
        is_file((place / name).path) and read_bytes((place / name).path) == content
        for name, content in look.items()
    )


def _count(looks: list[Look], merged: Merged) -> None:
    merged.looks += len(looks)
    merged.bytes += sum(len(content) for look in looks for content in look.values())


def _digests(folder: Path) -> dict[str, str]:
    digests = file_digests(folder)
    return {name: digest for name, digest in digests.items() if not name.startswith("test/")}


def _copy(source: Path, target: Path, names: dict[str, str]) -> None:
    for name in names:
        path = within(target, name)
        make_folders(path.parent)
        with open_regular(source / name) as original, create(path) as copy:
            shutil.copyfileobj(original, copy)
