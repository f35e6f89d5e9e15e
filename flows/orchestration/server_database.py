"""Prefect's database, checked before a server opens it: a server takes minutes to fail on one."""

import os
import re
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import prefect
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from tasks.errors import InputError

_MIGRATIONS = "server/database/_migrations/versions/sqlite"
# What a server asks for as it starts: at every revision, and at that of this version.
_TABLES = {"flow", "flow_run", "task_run"}
TABLES_NOW = _TABLES | {
    *("artifact", "automation", "block_document", "block_schema", "block_type"),
    *("concurrency_limit_v2", "deployment", "deployment_schedule", "events", "flow_run_state"),
    *("log", "task_run_state", "variable", "work_pool", "work_queue", "worker"),
}
_REVISION = re.compile(r"[0-9a-f]+")
_FIX = "move it away, and a new one is made, or set PREFECT_HOME to another folder"


def check_database(url: str | None) -> None:
    """Raise InputError where this version of Prefect cannot use a SQLite database, or make it.

    It is only read. What another process locks, or is on a database server, is left to Prefect.
    """
    path = _file_of(url or "")
    if path is None:
        return
    _check_place(path)
    if not path.exists():
        return
    if not stat.S_ISREG(path.stat().st_mode):
        raise InputError(f"{path}: expected Prefect's database, a regular file: {_FIX}")
    try:
        revision, tables = _content_of(path)
    except sqlite3.OperationalError:
        return
    except sqlite3.DatabaseError as error:
        raise InputError(f"{path}: expected Prefect's database, received {error}: {_FIX}") from None
    if revision is not None and not _is_known(revision):
        raise InputError(
            f"{path}: the database of a later version of Prefect (revision {revision[:40]!r} is "
            f"unknown to Prefect {prefect.__version__}): install that version, or {_FIX}"
        )
    expected = TABLES_NOW if revision == newest_revision() else _TABLES
    if revision is not None and (lost := expected - tables):
        raise InputError(
            f"{path}: expected Prefect's database at revision {revision}, received one without its "
            f"tables {', '.join(sorted(lost)[:3])}{' and others' if len(lost) > 3 else ''}: {_FIX}"
        )


def _check_place(path: Path) -> None:
    """Raise InputError where nothing can be written: a dangling link leads to another place."""
    place = Path(os.path.realpath(path))
    folder = place.parent
    if os.path.islink(place) or not os.path.isdir(folder):  # noqa: PTH112, PTH114  of any name
        leads = f" leads to {place}, and" if os.path.islink(path) else ":"  # noqa: PTH114
        raise InputError(f"{path}{leads} there is no folder {folder} for a database: {_FIX}")
    try:
        written = place if place.exists() else folder
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}: {_FIX}") from None
    if not os.access(written, os.W_OK):
        raise InputError(f"{path}: cannot be written, as Prefect's database must be: {_FIX}")


def _file_of(url: str) -> Path | None:
    """Return the file of a SQLite database, or None where the URL names another kind."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        return None
    name = parsed.database or ":memory:"
    in_memory = ":memory:" in name or parsed.query.get("mode") == "memory"
    if parsed.get_backend_name() != "sqlite" or in_memory:
        return None
    return Path(name.removeprefix("file:"))


def _content_of(path: Path) -> tuple[str | None, set[str]]:
    """Return the revision of a database and its tables; no revision where it has no tables yet.

    Raises sqlite3.DatabaseError where the file is no database, or another program's.
    """
    uri = f"file:{quote(str(path.absolute()))}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, timeout=5)) as database:
        tables = {str(name) for (name,) in database.execute("SELECT name FROM sqlite_master")}
        if not tables:
            return None, tables
        if "alembic_version" not in tables:
            raise sqlite3.DatabaseError("another program's database")
        found = database.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(found[0]) if found else None, tables


def newest_revision() -> str:
    """Return the revision that this version of Prefect makes, or an empty text."""
    names = sorted(path.name for path in (prefect.__module_path__ / _MIGRATIONS).glob("2*_*.py"))
    return names[-1].split("_")[4] if names and names[-1].count("_") > 4 else ""


def _is_known(revision: str) -> bool:
    if not _REVISION.fullmatch(revision):
        return False
    folder = prefect.__module_path__ / _MIGRATIONS
    return not folder.is_dir() or any(folder.glob(f"*_{revision}_*.py"))
