"""A folder at an address, as a run: its files are put first, and its record commits them.

While a run has no record, none of its files is put over one that may be of another machine, nor is
that deleted before the grace time: of two that publish it, neither takes anything from the other.
"""

import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from pathlib import Path
from typing import IO

from stores.storage.location import GRACE_SECONDS
from stores.storage.remote.listings import below
from stores.storage.remote.objects import Remote
from stores.storage.safe_files import open_lock, read_bytes
from stores.storage.safe_folders import files_below, make_folders, remove

Files = Mapping[str, Path]  # by their names at the address, the record last


def put_folder(
    remote: Remote, draft: Path, final: Path, is_whole: Callable[[], bool] | None = None
) -> bool:
    """Publish the files of a folder; return False where another's is there already.

    With `is_whole`, which tells it of what is there, one that is damaged is replaced, but for the
    files that the rules keep. Raises an OSError, worth a second try, where another machine
    publishes the same folder just now.
    """
    base = remote.name(final)
    paths = files_below(draft)
    files = {
        f"{base}/{path.relative_to(draft).as_posix()}": path
        for path in sorted(paths, key=lambda path: path.name in remote.rules.records)
    }
    with _journal(remote, base) as journal:
        remote.listings.forget()
        there = remote.listing(final)
        recorded = _has_record(remote, there)
        if recorded and (is_whole is None or is_whole()):
            return False
        if is_whole and not recorded:
            _take_back_what_died(remote, files, base, there, journal)
            _put_first(remote, files, base)
        else:
            _put_over(remote, files, base)
            if is_whole and not is_whole():
                raise _taken(remote, base)
    return True


@contextmanager
def _journal(remote: Remote, base: str) -> Iterator[IO[str]]:
    """Hold what this machine has begun to put, a line a file, until all of it is there.

    Who holds it knows that whatever else of it is at the address was left by a process that died.
    """
    remote.make_mirror()
    path = remote.mirror / "tmp" / f"{base.replace('/', '-')}.begun"
    make_folders(path.parent)
    opened, _ = open_lock(path)
    with TextIOWrapper(opened, encoding="utf-8", errors="surrogateescape") as journal:
        fcntl.flock(journal, fcntl.LOCK_EX)
        yield journal
        remove(path)


def _take_back_what_died(
    remote: Remote, files: Files, base: str, there: Iterable[str], journal: IO[str]
) -> None:
    """Delete what an earlier try of this machine left, where it is not what is put now."""
    journal.seek(0)
    begun = set(journal.read().splitlines())
    now = {_line(name, read_bytes(path)) for name, path in files.items()}
    named = {line.partition(" ")[2] for line in begun - now}
    for name in [name for name in there if name in named and not _is_kept(remote, name, base)]:
        if _line(name, remote.content(name)) in begun - now:
            remote.delete_names([name])
    journal.seek(0, os.SEEK_END)
    journal.writelines(f"{line}\n" for line in sorted(now - begun))
    journal.flush()


def _line(name: str, content: bytes) -> str:
    return f"{hashlib.sha256(content).hexdigest()} {name}"


def _put_over(remote: Remote, files: Files, base: str) -> None:
    """Put files where nothing is that could be used; those that the rules keep stay."""
    for name, path in files.items():
        remote.put_file(path, remote.mirror / name)
    remote.delete_names(_others(remote, remote.listing(remote.mirror / base), files, base))


def _put_first(remote: Remote, files: Files, base: str) -> None:
    """Put files where there was no record; where that fails, take back those that were put."""
    there = remote.listing(remote.mirror / base)
    left = {name: about for name, about in there.items() if not _is_kept(remote, name, base)}
    if left and time.time() - max(about.changed for about in left.values()) > GRACE_SECONDS:
        remote.delete_names(left)
        left = {}
    put: list[str] = []
    try:
        if _others(remote, left, files, base):
            raise _taken(remote, base)  # noqa: TRY301  one handler for all
        for name, path in files.items():
            if _is_kept(remote, name, base):
                remote.put_file(path, remote.mirror / name)
            elif remote.put_first(path, remote.mirror / name):
                put.append(name)
            # It may be this very file, where only the answer to an earlier try was lost.
            elif remote.content(name) != read_bytes(path):
                raise _taken(remote, name)  # noqa: TRY301
        _check(remote, files, base)
    except BaseException:
        with suppress(OSError):
            remote.listings.forget()
            if not _has_record(remote, remote.listing(remote.mirror / base)):  # which may need them
                remote.delete_names(put)
        raise


def _check(remote: Remote, files: Files, base: str) -> None:
    """Raise an OSError where another machine deleted some of the files that were put, or added."""
    remote.listings.forget()
    there = remote.listing(remote.mirror / base)
    sizes = {name: about.size for name, about in there.items() if not _is_kept(remote, name, base)}
    ours = {n: path.lstat().st_size for n, path in files.items() if not _is_kept(remote, n, base)}
    if sizes != ours:
        raise _taken(remote, base)


def _taken(remote: Remote, name: str) -> OSError:
    return OSError(
        f"{remote.address} ({name}): another machine publishes this just now, or died while it "
        "did; call again (what a dead one left is replaced after an hour, or "
        "`python -m flows.maintain gc --grace-hours 0 --delete`)"
    )


def _has_record(remote: Remote, there: Iterable[str]) -> bool:
    return any(Path(name).name in remote.rules.records for name in there)


def _others(remote: Remote, there: Iterable[str], files: Files, base: str) -> list[str]:
    return [name for name in there if name not in files and not _is_kept(remote, name, base)]


def _is_kept(remote: Remote, name: str, base: str) -> bool:
    return below(name, f"{base}/{remote.rules.kept}")
