"""A folder at an address, as a run: its files are put first, and its record commits them.

While a run has no record, none of its files is put over one that may be of another machine, nor is
that deleted before the grace time: of two that publish it, neither takes anything from the other.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from stores.listings import Listed, below
from stores.remote import RECORDS, TAKEN, Remote

# Nothing younger is taken: a writer may be between two of its steps.
GRACE_SECONDS = 3600.0
# Of a run, its looks at the test split: whatever befalls the rest, they are counted.
LOOKS = "test"
Files = Mapping[str, Path]  # by their names at the address, the record last


def put_folder(
    remote: Remote, draft: Path, final: Path, is_whole: Callable[[], bool] | None = None
) -> bool:
    """Publish the files of a folder; return False where another's is there already.

    With `is_whole`, which tells it of what is there, one that is damaged is replaced, but for its
    looks at the test split. Raises an OSError, worth a second try, where another machine publishes
    the same folder just now.
    """
    remote.listings.forget()
    there, base = remote.listing(final), remote.name(final)
    recorded = _has_record(there)
    if recorded and (is_whole is None or is_whole()):
        return False
    paths = sorted(filter(Path.is_file, draft.rglob("*")))
    files = {
        f"{base}/{path.relative_to(draft).as_posix()}": path
        for path in sorted(paths, key=lambda path: path.name in RECORDS)
    }
    if is_whole and not recorded:
        _put_first(remote, files, base, there)
    else:
        _put_over(remote, files, base)
        if is_whole and not is_whole():
            raise OSError(f"{remote.address} ({base}): {TAKEN}")
    return True


def _put_over(remote: Remote, files: Files, base: str) -> None:
    """Put files where nothing is that could be used; the looks that are there stay."""
    for name, path in files.items():
        remote.put_file(path, remote.mirror / name)
    remote.delete_names(_others(remote.listing(remote.mirror / base), files, base))


def _put_first(remote: Remote, files: Files, base: str, there: Mapping[str, Listed]) -> None:
    """Put files where there was no record; where that fails, take back those that were put."""
    left = {name: about for name, about in there.items() if not _is_look(name, base)}
    if left and time.time() - max(about.changed for about in left.values()) > GRACE_SECONDS:
        remote.delete_names(left)
        left = {}
    put: list[str] = []
    try:
        if _others(left, files, base):
            raise OSError(f"{remote.address} ({base}): {TAKEN}")  # noqa: TRY301  one way out
        for name, path in files.items():
            if _is_look(name, base):
                remote.put_file(path, remote.mirror / name)
            elif remote.put_first(path, remote.mirror / name):
                put.append(name)
        _check(remote, files, base)
    except BaseException:
        with suppress(OSError):
            remote.listings.forget()
            if not _has_record(remote.listing(remote.mirror / base)):  # which may need them
                remote.delete_names(put)
        raise


def _check(remote: Remote, files: Files, base: str) -> None:
    """Raise an OSError where another machine deleted some of the files that were put, or added."""
    remote.listings.forget()
    there = remote.listing(remote.mirror / base)
    sizes = {name: about.size for name, about in there.items() if not _is_look(name, base)}
    ours = {n: path.stat().st_size for n, path in files.items() if not _is_look(n, base)}
    if sizes != ours:
        raise OSError(f"{remote.address} ({base}): {TAKEN}")


def _has_record(there: Iterable[str]) -> bool:
    return any(Path(name).name in RECORDS for name in there)


def _others(there: Iterable[str], files: Files, base: str) -> list[str]:
    return [name for name in there if name not in files and not _is_look(name, base)]


def _is_look(name: str, base: str) -> bool:
    return below(name, f"{base}/{LOOKS}")
