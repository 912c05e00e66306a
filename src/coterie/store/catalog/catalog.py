"""The open catalog: reads definitions and batches, and applies log entries to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from coterie.core.errors import Conflict, Damaged, NotFound
from coterie.store.catalog import engine as engines
from coterie.store.catalog import tables
from coterie.store.log import Entry


class BatchStatus(StrEnum):
    """Where a batch stands. It begins at `loading`; one that is accepted becomes `active`."""

    LOADING = "loading"
    LOADED = "loaded"
    QUEUED = "queued"
    PROCESSING = "processing"
    STAGING = "staging"
    STAGED = "staged"
    RETRYING = "retrying"
    STALLED = "stalled"
    ACTIVE = "active"
    FAILED = "failed"
    ABORTED = "aborted"
    ABANDONED = "abandoned"
    INACTIVE = "inactive"
    DELETED = "deleted"


FINAL = frozenset({"active", "failed", "aborted", "abandoned", "inactive", "deleted"})
"""Statuses in which nothing is under way."""


class Definition(msgspec.Struct, frozen=True):
    """One version of a definition; a deletion is a version of its own, with an empty body."""

    kind: str
    id: str
    version: int
    body: dict[str, Any]
    recorded_at: int
    deleted: bool = False


class Batch(msgspec.Struct, frozen=True):
    """A batch and where it stands; `number` is its running number, and `number` in the history."""

    id: str
    number: int
    dataset: str
    status: BatchStatus
    created_at: int
    finished_at: int | None = None
    metrics: dict[str, Any] = {}
    reason: str | None = None


class Catalog:
    """The catalog of one sandbox; made by `Catalog.open`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writer = engine.execution_options(**{engines.WRITES: True})

    @classmethod
    def open(cls, url: str, schema: str | None = None) -> Catalog:
        """Open the catalog at a database URL, creating or upgrading it.

        Parameters
        ----------
        url : str
            ``sqlite:///path`` or ``postgresql://…``.
        schema : str, optional
            On PostgreSQL, the database schema that holds this catalog alone.

        Raises
        ------
        Unsupported
            ``store.format`` when a newer version wrote it.
        Damaged
            ``catalog.damaged`` when it cannot be read.
        Busy
            ``catalog.unreachable`` when the server does not answer.
        """
        engine = engines.make_engine(url, schema)
        try:
            engines.migrate(engine, schema)
        except sa.exc.DBAPIError as error:
            engine.dispose()
            raise engines.coded(engine, error) from error
        except BaseException:
            engine.dispose()
            raise
        return cls(engine)

    # -- the log's projection ---------------------------------------------------------------------------------------

    @property
    def position(self) -> int:
        """Position of the last log entry applied."""
        with self._engine.connect() as connection:
            return _position(connection)

    def apply(self, entry: Entry) -> None:
        """Apply a log entry and move the position, in one transaction; one that was applied before does nothing.

        Every entry must be given, in order, whatever its kind; raises ``catalog.gap`` when one was left out.
        """
        with self._writer.begin() as connection:
            position = _position(connection)
            if entry.position <= position:
                return
            if entry.position != position + 1:
                raise Damaged(
                    "catalog.gap",
                    f"the catalog stands at log entry {position} and was given entry {entry.position}.",
                    hint="Apply the entries of the log after the catalog's position, one by one.",
                )
            match entry.kind:
                case "definition.put":
                    _add_version(connection, entry, entry.body["body"], deleted=False)
                case "definitions.put":
                    for item in entry.body["definitions"]:
                        _add_version(connection, msgspec.structs.replace(entry, body=item), item["body"], deleted=False)
                case "definition.delete":
                    _add_version(connection, entry, {}, deleted=True)
                case "definitions.delete":
                    for item in entry.body["definitions"]:
                        _add_version(connection, msgspec.structs.replace(entry, body=item), {}, deleted=True)
                case "batch.accepted":
                    _settle(connection, entry, BatchStatus.ACTIVE)
                    for item in entry.body.get("definitions", ()):
                        _add_version(connection, msgspec.structs.replace(entry, body=item), item["body"], deleted=False)
                    for replaced in entry.body.get("replaces", ()):
                        _replaced(connection, entry, replaced)
                case "batch.refused":
                    _settle(connection, entry, BatchStatus.FAILED)
                case "batch.reverted":
                    _settle(connection, entry, BatchStatus.INACTIVE)
                case _:
                    pass  # concerns the history only
            connection.execute(
                sa.update(tables.meta).where(tables.meta.c.key == "position").values(value=entry.position)
            )

    def reset(self) -> None:
        """Empty the catalog and go back to position 0, so that the log can be applied from its first entry."""
        with self._writer.begin() as connection:
            connection.execute(sa.delete(tables.definition))
            connection.execute(sa.delete(tables.batch))
            connection.execute(sa.update(tables.meta).where(tables.meta.c.key == "position").values(value=0))

    def take_over(self, other: Catalog) -> None:
        """Hold what another catalog holds, in place of everything here, in one transaction."""
        with other._engine.connect() as source, self._writer.begin() as target:
            for table in (tables.definition, tables.batch, tables.meta):
                target.execute(sa.delete(table))
                if rows := [dict(row) for row in source.execute(sa.select(table)).mappings()]:
                    target.execute(sa.insert(table), rows)

    def cells(self) -> Iterator[tuple[str, str, Any]]:
        """Yield table, column and value of every cell, as they are stored."""
        with self._engine.connect() as connection:
            for table in tables.metadata.sorted_tables:
                for row in connection.execute(sa.text(f'SELECT * FROM "{table.name}"')).mappings():
                    yield from ((table.name, column, value) for column, value in row.items())

    # -- definitions --------------------------------------------------------------------------------------------------

    def find(self, kind: str, id: str, known: int | None = None) -> Definition | None:  # noqa: A002 (the word of the log)
        """Return the version in force of a definition, or None when there is none or it was deleted.

        With `known`, that of an instant in the past.
        """
        versions = [item for item in self.versions(kind, id) if known is None or item.recorded_at <= known]
        return versions[-1] if versions and not versions[-1].deleted else None

    def definition(self, kind: str, id: str) -> Definition:  # noqa: A002
        """Return the version in force of a definition; raises ``<kind>.not-found``."""
        found = self.find(kind, id)
        if found is None:
            raise NotFound.named(kind.replace("_", "-"), id, [known.id for known in self.definitions(kind)])
        return found

    def ever(self, kind: str) -> list[Definition]:
        """Return all versions of all definitions of a kind that there ever were, oldest first, without deletions."""
        table = tables.definition
        query = sa.select(table).where(table.c.kind == kind, ~table.c.deleted)
        return self._definitions(query.order_by(table.c.recorded_at, table.c.id, table.c.version))

    def definitions(self, kind: str, known: int | None = None) -> list[Definition]:
        """Return all definitions of a kind that are in force, by id; with `known`, that were at an instant."""
        table = tables.definition
        newest = (
            sa.select(table.c.kind, table.c.id, sa.func.max(table.c.version).label("version"))
            .where(table.c.kind == kind, sa.true() if known is None else table.c.recorded_at <= known)
            .group_by(table.c.kind, table.c.id)
            .subquery()
        )
        same = sa.and_(*(table.c[key] == newest.c[key] for key in ("kind", "id", "version")))
        query = sa.select(table).join(newest, same).where(~table.c.deleted)
        return sorted(self._definitions(query), key=lambda found: found.id)

    def versions(self, kind: str, id: str) -> list[Definition]:  # noqa: A002
        """Return all versions of a definition, oldest first, deletions included."""
        table = tables.definition
        return self._definitions(
            sa.select(table).where(table.c.kind == kind, table.c.id == id).order_by(table.c.version)
        )

    def _definitions(self, query: sa.Select[Any]) -> list[Definition]:
        with self._engine.connect() as connection:
            return [Definition(**row) for row in connection.execute(query).mappings()]

    # -- batches ------------------------------------------------------------------------------------------------------

    def next_batch_number(self) -> int:
        """Return a running number greater than that of every batch."""
        with self._engine.connect() as connection:
            return _next_number(connection)

    def put_batch(self, batch: Batch) -> None:
        """Note where a batch stands, in place of what was noted before; raises ``batch.number`` for a taken number."""
        try:
            with self._writer.begin() as connection:
                _put(connection, batch)
        except sa.exc.IntegrityError as error:
            raise Conflict(
                "batch.number",
                f"number {batch.number} of batch {batch.id} belongs to another batch.",
                hint="Ask for the next number again.",
                where={"batch": batch.id},
            ) from error

    def batch(self, id: str) -> Batch:  # noqa: A002
        """Return a batch; raises ``batch.not-found``."""
        with self._engine.connect() as connection:
            found = _batch(connection, id)
        if found is None:
            raise NotFound.named("batch", id, [known.id for known in self.batches()])
        return found

    def batches(self, dataset: str | None = None) -> list[Batch]:
        """Return all batches, or those of one dataset, in the order of their numbers."""
        query = sa.select(tables.batch).order_by(tables.batch.c.number)
        if dataset is not None:
            query = query.where(tables.batch.c.dataset == dataset)
        with self._engine.connect() as connection:
            return [_to_batch(row) for row in connection.execute(query).mappings()]

    def abandon_unfinished(self, at: int) -> list[Batch]:
        """Mark every batch that a dead process left under way as abandoned, and return those.

        To be called by a process that has just opened the sandbox and applied the log to its end.
        """
        left = [batch for batch in self.batches() if batch.status not in FINAL]
        for batch in left:
            reason = "the process that loaded it ended before it was accepted"
            self.put_batch(msgspec.structs.replace(batch, status=BatchStatus.ABANDONED, finished_at=at, reason=reason))
        return left

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()


def _position(connection: Connection) -> int:
    return int(connection.execute(sa.select(tables.meta.c.value).where(tables.meta.c.key == "position")).scalar_one())


def _add_version(connection: Connection, entry: Entry, body: dict[str, Any], *, deleted: bool) -> None:
    table, kind, name = tables.definition, entry.body["kind"], entry.body["id"]
    newest = connection.execute(
        sa.select(sa.func.coalesce(sa.func.max(table.c.version), 0)).where(table.c.kind == kind, table.c.id == name)
    ).scalar_one()
    connection.execute(
        sa.insert(table).values(
            kind=kind, id=name, version=newest + 1, body=body, recorded_at=entry.accepted_at, deleted=deleted
        )
    )


def _settle(connection: Connection, entry: Entry, status: BatchStatus) -> None:
    body = entry.body
    known = _batch(connection, body["batch"])
    if known is None:
        known = Batch(
            id=body["batch"],
            number=body.get("number") or _next_number(connection),
            dataset=body["dataset"],
            status=status,
            created_at=entry.accepted_at,
        )
    _put(
        connection,
        msgspec.structs.replace(
            known,
            status=status,
            finished_at=entry.accepted_at,
            metrics=body.get("metrics") or known.metrics,
            reason=body.get("reason"),
        ),
    )


def _replaced(connection: Connection, entry: Entry, replaced: str) -> None:
    """Note that a batch was taken back because another one took its place."""
    known = _batch(connection, replaced)
    if known is None:
        return  # it was erased since
    reason = f"batch {entry.body['batch']} took its place"
    _put(
        connection,
        msgspec.structs.replace(known, status=BatchStatus.INACTIVE, finished_at=entry.accepted_at, reason=reason),
    )


def _put(connection: Connection, batch: Batch) -> None:
    connection.execute(sa.delete(tables.batch).where(tables.batch.c.id == batch.id))
    connection.execute(sa.insert(tables.batch).values(**msgspec.structs.asdict(batch)))


def _batch(connection: Connection, name: str) -> Batch | None:
    row = connection.execute(sa.select(tables.batch).where(tables.batch.c.id == name)).mappings().one_or_none()
    return None if row is None else _to_batch(row)


def _to_batch(row: Mapping[Any, Any]) -> Batch:
    return Batch(**{**row, "status": BatchStatus(row["status"])})


def _next_number(connection: Connection) -> int:
    return int(connection.execute(sa.select(sa.func.coalesce(sa.func.max(tables.batch.c.number), 0))).scalar_one()) + 1
