"""Prefect's database, checked before a server opens it: a server takes minutes to fail on one."""

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
_REVISION = re.compile(r"[0-9a-f]+")
_FIX = "move it away, and a new one is made, or set PREFECT_HOME to another folder"


def check_database(url: str | None) -> None:
    """Raise InputError where a SQLite database exists that this version of Prefect cannot use.

    It is only read. What another process locks, or is on a database server, is left to Prefect.
    """
    path = _file_of(url or "")
    if path is None or not path.exists():
        return
    if not stat.S_ISREG(path.stat().st_mode):
        raise InputError(f"{path}: expected Prefect's database, a regular file: {_FIX}")
    try:
        revision = _revision_of(path)
    except sqlite3.OperationalError:
        return
    except sqlite3.DatabaseError as error:
        raise InputError(f"{path}: expected Prefect's database, received {error}: {_FIX}") from None
    if revision is not None and not _is_known(revision):
        raise InputError(
            f"{path}: the database of a later version of Prefect (revision {revision[:40]!r} is "
            f"unknown to Prefect {prefect.__version__}): install that version, or {_FIX}"
        )


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


def _revision_of(path: Path) -> str | None:
    """Return the revision of a database's tables, or None where it has no tables yet.

    Raises sqlite3.DatabaseError where the file is no database, or another program's.
    """
    uri = f"file:{quote(str(path.absolute()))}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, timeout=5)) as database:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
        if not tables:
            return None
        if "alembic_version" not in tables:
            raise sqlite3.DatabaseError("another program's database")
        found = database.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(found[0]) if found else None


def _is_known(revision: str) -> bool:
    if not _REVISION.fullmatch(revision):
        return False
    folder = prefect.__module_path__ / _MIGRATIONS
    return not folder.is_dir() or any(folder.glob(f"*_{revision}_*.py"))
