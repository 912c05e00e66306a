"""The open history of a sandbox: its connection, position, transactions, columns, numbers and live views."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import duckdb

from coterie.core.errors import Busy, Conflict, CoterieError, Damaged, Invalid, NotFound
from coterie.core.schema import CLASS_FIELDS, Field, FieldType, Leaf, SchemaClass, leaves
from coterie.store.formats import refuse
from coterie.store.history import by_identity
from coterie.store.history.columns import column_type, missing, of_many_values, quote
from coterie.store.history.tables import FORMAT, TABLES, UPGRADES, event_views, live_views, person_views

_VIEW = re.compile(r"[a-z][a-z0-9_]{0,62}")
_EVENT_LEAVES = list(leaves(Field(FieldType.OBJECT, properties=CLASS_FIELDS[SchemaClass.EVENT])))


class History:
    """The history of one sandbox; made by `History.open`.

    Attributes
    ----------
    con : duckdb.DuckDBPyConnection
        The writing connection; other threads take a `cursor`.
    path : Path
        The DuckDB file.
    """

    def __init__(self, path: Path, con: duckdb.DuckDBPyConnection) -> None:
        self.path = path
        self.con = con
        self._in_transaction = False
        self._position = 0
        self._changed = 0
        self._copied: int | None = None

    @classmethod
    def open(cls, path: Path, tmp: Path, *, memory_limit: str = "4GB", threads: int | None = None) -> History:
        """Open the history at `path`, creating or upgrading it.

        Parameters
        ----------
        path : Path
            The DuckDB file.
        tmp : Path
            Where work that exceeds the memory spills.
        memory_limit : str
            As DuckDB writes it, e.g. ``4GB``.
        threads : int, optional
            Number of threads; all cores when left out.

        Raises
        ------
        Busy
            ``history.locked`` when another process holds the file.
        Damaged
            ``history.damaged`` when the file cannot be read.
        Unsupported
            ``store.format`` when a newer version wrote it.
        """
        config: dict[str, Any] = {
            "memory_limit": memory_limit,
            "temp_directory": str(tmp),
            "autoinstall_known_extensions": "false",
        }
        if threads is not None:
            config["threads"] = str(threads)
        try:
            con = duckdb.connect(str(path), config=config)
        except (duckdb.InvalidInputException, duckdb.ParserException, duckdb.SyntaxException) as error:
            raise Invalid(
                "history.setting",
                f"the history cannot be opened with these settings: {error}.",
                hint='Write the memory limit like "4GB", and at least one thread.',
            ) from error
        except duckdb.Error as error:
            raise _coded(path, error) from error
        history = cls(path, con)
        try:
            con.execute("SET TimeZone = 'UTC'")
            con.execute("SET enable_progress_bar = false")
            history._prepare()
        except duckdb.Error as error:
            con.close()
            raise _coded(path, error) from error
        except BaseException:
            con.close()
            raise
        return history

    def _prepare(self) -> None:
        tables = {name for (name,) in self.con.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
        with self.transaction(rewrites=False):
            if not tables:
                for statement in TABLES:
                    self.con.execute(statement)
                self.con.execute("INSERT INTO meta VALUES ('format', ?), ('position', 0)", [FORMAT])
                self.ensure_leaves("event", _EVENT_LEAVES)
                self.refresh_live_views()
            else:
                self._upgrade(tables)
                self._copied = by_identity.upto(self.con)
        (self._position,) = self._meta("position")
        self._changed = self._position

    def _upgrade(self, tables: set[str]) -> None:
        found = self._meta("format")[0] if "meta" in tables else "unknown"
        if not isinstance(found, int) or not 0 <= found <= FORMAT:
            raise refuse("history", self.path, found, FORMAT)
        for step in UPGRADES[found:]:
            for statement in step:
                self.con.execute(statement)
        if found < FORMAT:
            self.con.execute("UPDATE meta SET value = ? WHERE key = 'format'", [FORMAT])
            self.refresh_live_views()

    def _meta(self, key: str) -> tuple[int]:
        row = self._first("SELECT value FROM meta WHERE key = ?", key)
        if row is None:
            raise Damaged(
                "history.damaged",
                f"the history at {self.path} has lost its {key}.",
                hint=_ANEW,
                where={"path": str(self.path)},
            )
        return (row[0],)

    def _first(self, statement: str, *parameters: object) -> tuple[Any, ...] | None:
        """Return the first row of an answer, read to its end: an open one keeps Arrow tables from being registered."""
        rows = self.con.execute(statement, list(parameters)).fetchall()
        return rows[0] if rows else None

    @property
    def position(self) -> int:
        """Position of the last log entry whose effect is in the history."""
        return self._position

    @property
    def changed(self) -> int:
        """Position of the last log entry that may have changed persons, events or attributes since the opening.

        While it stands, what was found out about them stays true.
        """
        return self._changed

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """Return a second connection to the same database, for a reader in another thread."""
        return self.con.cursor()

    @contextmanager
    def transaction(
        self, position: int | None = None, *, facts: bool = True, rewrites: bool = True
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """Run a block in one transaction: all of it, or nothing when it raises.

        Parameters
        ----------
        position : int, optional
            The log entry whose effect the block writes; it becomes the history's position in the same transaction.
        facts : bool
            Whether that effect may change persons, events or attributes (see `changed`).
        rewrites : bool
            Whether the block may add, change or remove rows of `event` under the number of an earlier batch. The copy
            by identity is then let go first, so that what follows cannot differ from it.

        Raises
        ------
        Conflict
            ``history.applied`` when that entry, or a later one, was applied before.
        """
        if position is not None and position <= self._position:
            raise Conflict(
                "history.applied",
                f"log entry {position} is in the history already, which stands at {self._position}.",
                hint="Apply only the entries after the history's position.",
            )
        self.con.execute("BEGIN")
        self._in_transaction, copied = True, self._copied
        try:
            if rewrites:
                self.forget_copy()
            yield self.con
            if position is not None:
                self.con.execute("UPDATE meta SET value = ? WHERE key = 'position'", [position])
            self.con.execute("COMMIT")
        except BaseException:
            self._roll_back()
            self._copied = copied
            raise
        finally:
            self._in_transaction = False
        if position is not None:
            self._position = position
            self._changed = position if facts else self._changed

    def _roll_back(self) -> None:
        try:
            self.con.execute("ROLLBACK")
        except duckdb.Error:
            return  # a failed COMMIT has rolled back already, and a fatal error has closed the database

    @contextmanager
    def _atomic(self) -> Iterator[None]:
        if self._in_transaction:
            yield
        else:
            with self.transaction(rewrites=False):
                yield

    # -- events by identity ------------------------------------------------------------------------------------------

    def copy_events(self, least: int = by_identity.LEAST) -> bool:
        """Copy the events into the order of identities if that is worth while (`by_identity.due`); whether it was done.

        It takes a second or more for a million of them. A machine that has no room for it does without.
        """
        if not by_identity.due(self.con, least):
            return False
        try:
            with self.transaction(rewrites=False):
                by_identity.make(self.con)
                self._copied = by_identity.upto(self.con)
                self.refresh_live_views()
        except (duckdb.OutOfMemoryException, duckdb.IOException):
            return False
        return True

    def forget_copy(self) -> None:
        """Let the copy go, before rows of `event` change that it may hold."""
        if self._copied is not None:
            by_identity.drop(self.con)
            self._copied = None
            self.refresh_live_views()

    def ensure_leaves(self, table: Literal["event", "record"], leaves: Iterable[Leaf]) -> None:
        """Add a column for every leaf that has none; raises ``schema.retype`` where one has another type."""
        new = missing(self.con, table, leaves)
        if not new:
            return
        with self._atomic():
            names = ["event", "event_duplicate"] if table == "event" else ["record"]
            if table == "event" and self._copied is not None:
                names.append(by_identity.TABLE)
            for name in names:
                for leaf in new:
                    self.con.execute(f"ALTER TABLE {name} ADD COLUMN {quote(leaf.path)} {column_type(leaf)}")
            self.refresh_live_views()

    def fit_texts(self, leaves: Iterable[Leaf], source: str) -> None:
        """Lay out the texts of `record` that are still without a value for those that a relation brings.

        Parameters
        ----------
        leaves : iterable of Leaf
            Which of its leaves the relation has.
        source : str
            The relation, to be written to `record` next.
        """
        many = [quote(leaf.path) for leaf in of_many_values(self.con, leaves, source)]
        new = [name for name in many if self._first(f"SELECT 1 FROM record WHERE {name} IS NOT NULL LIMIT 1") is None]
        if not new:
            return
        with self._atomic():
            for name in new:
                self.con.execute(f"ALTER TABLE record DROP COLUMN {name}")
                self.con.execute(f"ALTER TABLE record ADD COLUMN {name} VARCHAR USING COMPRESSION uncompressed")
            self.refresh_live_views()

    def ensure_view(self, view: str, *, stitched: bool = True) -> None:
        """Make what a view has: the SQL views `person_of_<view>`, `lineage_<view>` and those of its events.

        `event_of_<view>` is read for many people, `event_by_identity_of_<view>` where identities are named.
        A new one sees the events of all datasets (see `limit_events`).

        Parameters
        ----------
        view : str
            Name of the view.
        stitched : bool
            Whether linked identities are one person; otherwise each identity is its own. It may change.
        """
        if not _VIEW.fullmatch(view):
            raise Invalid(
                "view.name", f"{view!r} cannot name a view.", hint="Use lower-case letters, digits and underscores."
            )
        with self._atomic():
            for statement in person_views(view, stitched=stitched):
                self.con.execute(statement)
            if self._first("SELECT 1 FROM event_view WHERE view = ?", view) is None:
                self.con.execute("INSERT INTO event_view VALUES (?, NULL)", [view])
                self._see_events(view, None)

    def limit_events(self, view: str, datasets: Sequence[int] | None) -> None:
        """Let a view see the events of some datasets only; of all when `datasets` is None."""
        with self._atomic():
            self.con.execute("UPDATE event_view SET datasets = $2::INTEGER[] WHERE view = $1", [view, datasets])
            self._see_events(view, datasets)

    def _see_events(self, view: str, datasets: Sequence[int] | None) -> None:
        for statement in event_views(view, datasets):
            self.con.execute(statement)

    def drop_view(self, view: str) -> None:
        """Drop all that a view has."""
        with self._atomic():
            self.con.execute("DELETE FROM event_view WHERE view = ?", [view])
            for kind in ("event_of", "event_by_identity_of", "person_of", "lineage"):
                self.con.execute(f"DROP VIEW IF EXISTS {quote(f'{kind}_{view}')}")
            self.con.execute(f"DROP TABLE IF EXISTS {quote(f'profile_{view}')}")

    def number(self, kind: Literal["dataset", "namespace"], id: str) -> int:  # noqa: A002 (the word of the catalog)
        """Return the running number (from 1) of a dataset's id or a namespace's code, giving one if it has none."""
        table, key = ("dataset", "id") if kind == "dataset" else ("namespace", "code")
        row = self._first(f"SELECT {table} FROM {table} WHERE {key} = ?", id)
        if row is None:
            row = self._first(
                f"INSERT INTO {table} SELECT coalesce(max({table}), 0) + 1, ? FROM {table} RETURNING {table}", id
            )
        assert row is not None
        return int(row[0])

    def add_batch(self, batch: int, id: str, dataset: int, recorded_at: int) -> None:  # noqa: A002
        """Note a batch under its running number; `recorded_at` is the instant of its log entry."""
        if self._first("SELECT 1 FROM batch WHERE batch = ? OR id = ?", batch, id):
            raise Conflict("batch.twice", f"batch {id} or its number {batch} is in the history already.")
        if self._copied is not None and batch <= self._copied:
            self.forget_copy()  # the copy was taken to hold all up to its last batch
        self.con.execute("INSERT INTO batch VALUES (?, ?, ?, ?, NULL)", [batch, id, dataset, recorded_at])

    def withdraw_batch(self, batch: int, at: int) -> None:
        """Mark a batch as withdrawn, so that the live views leave its rows out; raises ``batch.not-found``."""
        with self._atomic():
            row = self._first("SELECT withdrawn_at FROM batch WHERE batch = ?", batch)
            if row is None:
                raise NotFound.named("batch", str(batch))
            if row[0] is None:
                self.con.execute("UPDATE batch SET withdrawn_at = ? WHERE batch = ?", [at, batch])
                self.refresh_live_views()

    def refresh_live_views(self) -> None:
        """Make the live views and the events of every view anew, after a new column or a withdrawal."""
        withdrawn = self._first("SELECT 1 FROM batch WHERE withdrawn_at IS NOT NULL LIMIT 1")
        for statement in live_views(withdrawn is not None, by_identity.source(self.con, self._copied)):
            self.con.execute(statement)
        for view, datasets in self.con.execute("SELECT view, datasets FROM event_view ORDER BY view").fetchall():
            self._see_events(view, datasets)

    def close(self) -> None:
        """Close the history; what was committed is in its file."""
        self.con.close()


_ANEW = "The log is the truth: move this file away and open the sandbox again, and the history is filled anew."


def _coded(path: Path, error: duckdb.Error) -> CoterieError:
    text = str(error).split("\n", 1)[0]
    where = {"path": str(path)}
    if "set lock on file" in text:
        return Busy(
            "history.locked",
            f"the history at {path} is held by another program: {text}.",
            hint="Close that program; one process at a time may open the file, even for reading.",
            where=where,
        )
    if match := re.search(r"version number (\d+)", text):
        return refuse("history", path, f"DuckDB storage {match[1]}", f"the storage of DuckDB {duckdb.__version__}")
    return Damaged("history.damaged", f"the history at {path} cannot be opened: {text}.", hint=_ANEW, where=where)
