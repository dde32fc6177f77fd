"""Open the database of the application's records, brought to the newest form of its tables.

It is a SQLite file in the user's folder for application files, or what PHALANX_DATABASE_URL names:
`sqlite:///path/to/file.db`, `postgresql+psycopg://user@host/name` for several machines, or
`sqlite://` for a memory that ends with the program (where nothing may be written, as in a
read-only container; what was counted is then forgotten, by one's own choice).

Transactions are short and each writes. On SQLite they begin by taking the write lock, so that two
programs on one file wait for each other instead of failing half way; PostgreSQL locks rows.
Alembic builds and changes the tables, under a lock too, and is loaded only where it has to act:
the form that this program knows is `HEAD`.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from platformdirs import user_data_path
from sqlalchemy import (
    URL,
    Connection,
    Engine,
    Table,
    create_engine,
    event,
    inspect,
    make_url,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from engines.errors import Fault

HEAD = "0002"
URL_VARIABLE = "PHALANX_DATABASE_URL"
FILE_NAME = "phalanx.db"
KINDS = ("sqlite", "postgresql")
LOCK_WAIT_S = 30.0
MIGRATION_LOCK = 7_246_101  # any number, the same in every phalanx


class DatabaseFault(Fault):
    """A database that cannot be reached, written to, or is of a form that we do not know."""


@contextmanager
def database(url: str | None = None) -> Iterator[Engine]:
    """Yield the database at `url`, else at PHALANX_DATABASE_URL, else the user's own file.

    Raises: DatabaseFault in one sentence for what is wrong with it, also while it is used.
    """
    address = _address(url or os.environ.get(URL_VARIABLE) or "")
    shown = address.set(query={}).render_as_string(hide_password=True)  # which may hold one too
    engine = _engine(address, shown)
    try:
        _bring_up(engine, shown)
        yield engine
    except DBAPIError as error:
        reason = str(error.orig).strip().splitlines()[0]
        raise DatabaseFault(
            f"database {shown}", f"one that can be used (or another in {URL_VARIABLE})", reason
        ) from error
    finally:
        engine.dispose()


def insert_into(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """Return an insert that can say what to do where the row is there already."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


def _address(url: str) -> URL:
    if not url:
        path = user_data_path("phalanx", appauthor=False) / FILE_NAME
        return URL.create("sqlite", database=str(path))
    try:
        address = make_url(url)
    except ArgumentError:
        # The text may hold a password, so that it is not shown.
        raise DatabaseFault(URL_VARIABLE, "a URL such as sqlite:///phalanx.db", "another") from None
    if address.get_backend_name() not in KINDS:
        kind = address.get_backend_name()
        raise DatabaseFault(URL_VARIABLE, "a URL of sqlite or postgresql", kind)
    return address


def _engine(address: URL, shown: str) -> Engine:
    try:
        if address.get_backend_name() != "sqlite":
            return create_engine(address, pool_pre_ping=True)
        engine = create_engine(address, connect_args={"timeout": LOCK_WAIT_S})
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        expected = "its driver (pip install 'phalanx[postgres]')"
        raise DatabaseFault(f"database {shown}", expected, str(error)) from None
    _make_folder(address)
    event.listen(engine, "connect", _leave_transactions_to_us)
    event.listen(engine, "begin", _take_the_write_lock)
    return engine


def _make_folder(address: URL) -> None:
    if not address.database or address.database == ":memory:":
        return
    folder = Path(address.database).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        expected = f"a place that can be written to (or another in {URL_VARIABLE})"
        raise DatabaseFault(f"database folder {folder}", expected, f"{error.strerror}") from None


def _leave_transactions_to_us(connection: Any, _: object) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys=ON")


def _take_the_write_lock(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _bring_up(engine: Engine, shown: str) -> None:
    with engine.begin() as connection:
        if _version(connection) == HEAD:
            return
        if engine.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
        _migrate(connection, shown)


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def _migrate(connection: Connection, shown: str) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    version = _version(connection)
    if version is not None and version not in known:
        raise DatabaseFault(
            f"database {shown}",
            f"tables of version {HEAD} or earlier",
            f"{version}, of a newer one",
        )
    command.upgrade(config, "head")
