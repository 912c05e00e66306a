"""The log: everything accepted, in order, durable before it is acknowledged. It is the truth; the rest is derived.

An SQLite database in WAL mode with ``synchronous=FULL``: one entry, one fsync. Every entry carries a digest over
itself and the digest before it, so that an altered, missing or exchanged entry is found when it is read. Batch
files are staged beside it.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec

from coterie.core.clock import Clock
from coterie.core.errors import Conflict, Damaged
from coterie.core.progress import Progress, Quiet
from coterie.store import staging
from coterie.store.formats import refuse
from coterie.store.staging import StagedFile

FORMAT = 1
PAGE = 500
HEADER = 100
_UNWRITABLE = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)

_CREATE = """
CREATE TABLE entry (
    position INTEGER PRIMARY KEY,
    accepted_at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    digest BLOB NOT NULL
) STRICT
"""


class Entry(msgspec.Struct, frozen=True):
    """One accepted thing: `position` counts from 1, `accepted_at` is an instant and never falls."""

    position: int
    accepted_at: int
    kind: str
    body: dict[str, Any]


class Log:
    """The log of one sandbox; made by `Log.open`.

    Parameters
    ----------
    path : Path
        The folder ``<sandbox>/log``.
    clock : Clock
        Gives `accepted_at`.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path = path
        self.files = path / "files"
        self._clock = clock
        self._mutex = threading.Lock()
        self.files.mkdir(parents=True, exist_ok=True)
        if self._database.is_file() and 0 < self._database.stat().st_size < HEADER:
            raise self._damaged("it is cut off within its header")  # which SQLite would take for a new file
        with self._coded():
            self._con = sqlite3.connect(self._database, isolation_level=None, check_same_thread=False)

    @classmethod
    def open(cls, path: Path, clock: Clock) -> Log:
        """Open the log in folder `path`, creating or upgrading it.

        Raises
        ------
        Damaged
            ``log.damaged`` when the file cannot be read whole.
        Unsupported
            ``store.format`` when a newer version wrote it.
        """
        log = cls(path, clock)
        try:
            log._prepare()
        except BaseException:
            log.close()
            raise
        return log

    @property
    def last(self) -> int:
        """Position of the last entry; 0 when there is none."""
        return self._tip[0]

    @property
    def digest(self) -> str:
        """The digest of the last entry, over it and all before it, in hexadecimal."""
        return self._tip[2].hex()

    def prepare(self, kind: str, body: Mapping[str, Any]) -> Entry:
        """Return the entry that would come next, so that its effect can be tried before `append_as` accepts it."""
        position, accepted_at, _ = self._tip
        return Entry(position + 1, max(self._clock.now(), accepted_at), kind, dict(body))

    def append(self, kind: str, body: Mapping[str, Any]) -> Entry:
        """Accept a thing: when this returns, it is on disk."""
        with self._mutex:
            return self._write(self.prepare(kind, body))

    def append_as(self, entry: Entry) -> Entry:
        """Accept an entry with its position and instant: one that was prepared, or one of another log (a rebuild)."""
        with self._mutex:
            position, accepted_at, _ = self._tip
            if entry.position != position + 1 or entry.accepted_at < accepted_at:
                raise Conflict(
                    "log.order",
                    f"entry {entry.position} cannot follow entry {position}.",
                    hint="Take over the entries of a log one by one, from the first, into an empty log.",
                )
            return self._write(entry)

    def entries(self, after: int = 0) -> Iterator[Entry]:
        """Yield the entries after a position, in order, each checked; raises ``log.damaged`` at the first bad one."""
        digest = self._digest(after)
        while page := self._page(after):
            for position, accepted_at, kind, body, stored in page:
                digest = _chain(digest, position, accepted_at, kind, body)
                if position != after + 1 or stored != digest:
                    raise self._damaged(f"entry {after + 1} was altered or is missing")
                after = position
                yield Entry(position, accepted_at, kind, msgspec.json.decode(body))

    def stage(self, batch: str, files: Sequence[Path], progress: Progress | None = None) -> list[StagedFile]:
        """Copy the files of a batch beside the log and make them durable."""
        return staging.copy(self.path.parent, staging.folder(self.files, batch), files, progress or Quiet())

    def staged(self, batch: str) -> Path:
        """Return the folder that holds (or would hold) the staged files of a batch."""
        return staging.folder(self.files, batch)

    def discard(self, batch: str) -> None:
        """Remove the staged files of a batch, if any."""
        staging.remove(staging.folder(self.files, batch))

    def discard_orphans(self) -> list[str]:
        """Remove the staged folders that no entry mentions, and return their batches, sorted."""
        with self._coded():
            rows = self._con.execute("SELECT body ->> '$.batch' FROM entry WHERE kind LIKE 'batch.%'")
            known = {batch for (batch,) in rows}
        orphans = sorted(folder.name for folder in self.files.iterdir() if folder.name not in known)
        for batch in orphans:
            staging.remove(self.files / batch)
        return orphans

    def close(self) -> None:
        """Close the log."""
        self._con.close()

    @property
    def _database(self) -> Path:
        return self.path / "log.db"

    def _prepare(self) -> None:
        with self._coded():
            self._con.execute("PRAGMA journal_mode = WAL")
            self._con.execute("PRAGMA synchronous = FULL")
            (verdict,) = self._con.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                raise self._damaged(verdict)
            tables = {name for (name,) in self._con.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
            (found,) = self._con.execute("PRAGMA user_version").fetchone()
            if tables and "entry" not in tables:
                raise refuse("log", self._database, "unknown", FORMAT)
            if not 0 <= found <= FORMAT:
                raise refuse("log", self._database, found, FORMAT)
            steps = _UPGRADES[found:] if tables else [_create]
            for to, step in enumerate(steps, FORMAT - len(steps) + 1):
                with self._transaction():
                    step(self._con)
                    self._con.execute(f"PRAGMA user_version = {to:d}")
            staging.sync(self.path)
            row = self._con.execute(
                "SELECT position, accepted_at, digest, (SELECT count(*) FROM entry)"
                " FROM entry ORDER BY position DESC LIMIT 1"
            ).fetchone()
        self._tip: tuple[int, int, bytes] = row[:3] if row else (0, 0, b"")
        if row and row[3] != row[0]:
            raise self._damaged(f"{row[0] - row[3]} of {row[0]} entries are missing")

    def _write(self, entry: Entry) -> Entry:
        body = msgspec.json.encode(entry.body).decode()
        digest = _chain(self._tip[2], entry.position, entry.accepted_at, entry.kind, body)
        with self._coded():
            self._con.execute(
                "INSERT INTO entry VALUES (?, ?, ?, ?, ?)",
                (entry.position, entry.accepted_at, entry.kind, body, digest),
            )
        self._tip = (entry.position, entry.accepted_at, digest)
        return entry

    def _page(self, after: int) -> list[tuple[int, int, str, str, bytes]]:
        with self._coded():
            return self._con.execute(
                "SELECT position, accepted_at, kind, body, digest FROM entry"
                " WHERE position > ? ORDER BY position LIMIT ?",
                (after, PAGE),
            ).fetchall()

    def _digest(self, position: int) -> bytes:
        if position == 0:
            return b""
        with self._coded():
            row = self._con.execute("SELECT digest FROM entry WHERE position = ?", (position,)).fetchone()
        if row is None:
            raise self._damaged(f"entry {position} is missing")
        return bytes(row[0])

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._con.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._con.execute("ROLLBACK")
            raise
        self._con.execute("COMMIT")

    @contextmanager
    def _coded(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in _UNWRITABLE:  # the driver's own errors have no code
                raise Damaged(
                    "log.unwritable",
                    f"the log at {self._database} cannot be written: {error}.",
                    hint="Check the free space and the rights of the directory; nothing was accepted.",
                    where={"path": str(self._database)},
                ) from error
            raise self._damaged(str(error)) from error
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            raise self._damaged(str(error)) from error

    def _damaged(self, why: str) -> Damaged:
        return Damaged(
            "log.damaged",
            f"the log at {self._database} cannot be read whole: {why}.",
            hint="Restore the folder `log` from a backup; then catalog and history follow it.",
            where={"path": str(self._database)},
        )


def _chain(before: bytes, position: int, accepted_at: int, kind: str, body: str) -> bytes:
    return blake2b(before + f"{position}\0{accepted_at}\0{kind}\0{body}".encode(), digest_size=16).digest()


def _create(con: sqlite3.Connection) -> None:
    con.execute(_CREATE)


def _add_digests(con: sqlite3.Connection) -> None:
    """Format 0 had no digests."""
    con.execute("ALTER TABLE entry RENAME TO entry_0")
    con.execute(_CREATE)
    digest = b""
    for row in con.execute("SELECT position, accepted_at, kind, body FROM entry_0 ORDER BY position"):
        digest = _chain(digest, *row)
        con.execute("INSERT INTO entry VALUES (?, ?, ?, ?, ?)", (*row, digest))
    con.execute("DROP TABLE entry_0")


_UPGRADES: Sequence[Callable[[sqlite3.Connection], None]] = [_add_digests]
