import os
import sqlite3
from contextlib import closing

import prefect
import pytest
from prefect.server.database.orm_models import Base

from flows.orchestration.server_database import TABLES_NOW, check_database, newest_revision
from tasks.errors import InputError


@pytest.fixture
def path(tmp_path):
    return tmp_path / "prefect.db"


def url_of(path):
    return f"sqlite+aiosqlite:///{path}"


def write(path, *statements):
    with closing(sqlite3.connect(path)) as database:
        for statement in statements:
            database.execute(statement)
        database.commit()


def at_revision(path, revision, tables=tuple(TABLES_NOW)):
    write(
        path,
        *(f"CREATE TABLE {table} (id INTEGER)" for table in tables),
        "CREATE TABLE alembic_version (version_num VARCHAR(32))",
        f"INSERT INTO alembic_version VALUES ('{revision}')",
    )


def test_none_an_empty_one_and_those_of_earlier_versions_are_fine(path):
    check_database(url_of(path))
    assert not path.exists()
    path.touch()
    check_database(url_of(path))
    versions = prefect.__module_path__ / "server/database/_migrations/versions/sqlite"
    revisions = [file.name.split("_")[4] for file in versions.glob("2*.py")]
    assert len(revisions) > 50
    for revision in (revisions[0], revisions[-1]):
        path.unlink()
        at_revision(path, revision)
        check_database(url_of(path))


@pytest.mark.parametrize("revision", ["0123456789ab", "../../x", "*"])
def test_one_of_a_later_version_is_refused(path, revision):
    at_revision(path, revision)
    with pytest.raises(InputError, match=r"prefect.db: the database of a later version") as error:
        check_database(url_of(path))
    assert f"unknown to Prefect {prefect.__version__}" in str(error.value)
    assert "set PREFECT_HOME to another folder" in str(error.value)


def test_what_is_no_database_is_refused_and_stays_as_it_is(path):
    path.write_bytes(b"no database at all" * 500)
    with pytest.raises(InputError, match="received file is not a database: move it away"):
        check_database(url_of(path))
    assert path.read_bytes() == b"no database at all" * 500


def test_another_programs_database_is_refused(path):
    write(path, "CREATE TABLE patients (name TEXT)")
    with pytest.raises(InputError, match="received another program's database"):
        check_database(url_of(path))


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_regular_file_is_refused_at_once(path, make):
    make(path)
    with pytest.raises(InputError, match="a regular file"):
        check_database(url_of(path))


def test_one_that_is_in_use_is_left_to_prefect(path):
    at_revision(path, "0123456789ab")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        check_database(url_of(path))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+asyncpg://a:b@host/x",
        "sqlite+aiosqlite:///:memory:",
        "sqlite+aiosqlite:///file:x?mode=memory&uri=true",
        "nonsense",
    ],
)
def test_other_databases_are_left_to_prefect(url):
    check_database(url)


@pytest.mark.parametrize("target", ["gone/prefect.db", "prefect.db"])
def test_a_link_that_leads_to_no_folder_is_refused(path, target):
    """The kind: what cannot come to be is waited for, and the advice is to call again."""
    path.symlink_to(path.parent / target)
    with pytest.raises(InputError, match=f"^{path} leads to .* there is no folder"):
        check_database(url_of(path))


def test_a_link_to_where_one_can_be_made_is_fine(path):
    path.symlink_to(path.parent / "other.db")
    check_database(url_of(path))


@pytest.mark.parametrize("revision", [newest_revision(), "9725c1cbee35"])
def test_one_without_its_tables_is_refused(path, revision):
    at_revision(path, revision, tables=["flow"])
    with pytest.raises(InputError, match=r"without its tables [a-z_, ]+.*: move it away"):
        check_database(url_of(path))


def test_the_tables_are_those_of_prefect():
    assert set(Base.metadata.tables) >= TABLES_NOW
    assert newest_revision()
