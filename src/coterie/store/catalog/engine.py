"""Connections to the catalog's database, SQLite or PostgreSQL, and its migrations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, Connection, Engine, make_url

from coterie.core.errors import Busy, CoterieError, Damaged, Invalid, Unsupported
from coterie.store.formats import refuse

WRITES = "coterie_writes"
"""Execution option of connections that write: on SQLite they take the write lock at once."""

HEAD = "0002"
"""The newest revision: the format that this program writes."""


def make_engine(url: str, schema: str | None) -> Engine:
    """Return an engine; on PostgreSQL everything happens in the database schema `schema`."""
    try:
        parsed = make_url(url)
    except sa.exc.ArgumentError as error:
        raise Invalid(
            "catalog.url",
            "the catalog's address is no database URL.",
            hint="Write it like postgresql://user@host/database, or leave it out for SQLite.",
        ) from error
    match parsed.get_backend_name():
        case "sqlite":
            engine = sa.create_engine(parsed)
            event.listen(engine, "connect", _sqlite_connected)
            event.listen(engine, "begin", _sqlite_begun)
            return engine
        case "postgresql":
            return _postgresql(parsed, schema)
        case other:
            raise Unsupported(
                "catalog.backend", f"the catalog cannot lie in {other}.", hint="Use SQLite (the default) or PostgreSQL."
            )


def migrate(engine: Engine, schema: str | None) -> None:
    """Bring the catalog to the newest format; raises ``store.format`` for one that is newer still."""
    place = engine.url.render_as_string(hide_password=True)
    with engine.execution_options(**{WRITES: True}).begin() as connection:
        if schema is not None and engine.dialect.name == "postgresql":
            connection.execute(sa.schema.CreateSchema(schema, if_not_exists=True))
        found = _revision(connection)
        if found == HEAD:
            return
        if found is not None and found not in _revisions():
            raise refuse("catalog", place, found, HEAD)
        upgrade(connection)


def coded(engine: Engine, error: sa.exc.DBAPIError) -> CoterieError:
    """Return the coded form of a database's error at opening."""
    place = engine.url.render_as_string(hide_password=True)
    text = str(error.orig).strip().split("\n", 1)[0]
    if isinstance(error, sa.exc.OperationalError) and engine.dialect.name == "postgresql":
        return Busy(
            "catalog.unreachable",
            f"the catalog at {place} does not answer: {text}.",
            hint="Check that the server runs, and the address, user and password.",
            where={"url": place},
        )
    return Damaged(
        "catalog.damaged",
        f"the catalog at {place} cannot be read: {text}.",
        hint="The log is the truth: move the catalog away and open the sandbox again, and it is filled anew.",
        where={"url": place},
    )


def _postgresql(url: URL, schema: str | None) -> Engine:
    arguments: dict[str, Any] = {}
    if schema is not None:
        arguments["options"] = f'-c search_path="{schema}"'
    try:
        return sa.create_engine(url.set(drivername="postgresql+psycopg"), connect_args=arguments, pool_pre_ping=True)
    except ModuleNotFoundError as error:
        raise Unsupported(
            "catalog.driver",
            "a catalog in PostgreSQL needs the driver psycopg, which is not installed.",
            hint='Install it with: pip install "coterie[postgres]"',
        ) from error


def _sqlite_connected(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver begins no transaction by itself, so that DDL is transactional too
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")  # what a power cut takes comes back from the log


def _sqlite_begun(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get(WRITES) else "BEGIN")


def _revision(connection: Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()


def _revisions() -> set[str]:
    from alembic.script import ScriptDirectory

    return {script.revision for script in ScriptDirectory(str(_MIGRATIONS)).walk_revisions()}


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Run the migrations up to a revision."""
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    command.upgrade(config, revision)


_MIGRATIONS = Path(__file__).parent / "migrations"
