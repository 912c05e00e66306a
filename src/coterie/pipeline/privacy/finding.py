"""The finder: every store of a workspace is decoded and looked through, and then the raw bytes of every file.

Each store has a holder, which says which files are its own. A file that no holder claims would escape: a test walks a
workspace and fails when there is one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Protocol

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from coterie.core.progress import Progress, Quiet
from coterie.governance.traces import Sought, strings, text_columns
from coterie.pipeline.predictions import folders
from coterie.pipeline.privacy import concerned, exports
from coterie.pipeline.privacy.mentions import held_lines
from coterie.store import replacement, sandbox
from coterie.store.history import by_identity, quote
from coterie.store.sandbox import Sandbox

_BLOCK = 4 << 20


class Finding(msgspec.Struct, frozen=True):
    """That a store holds something that is looked for: where, in which form, and how often."""

    store: str
    place: str
    form: str
    count: int


class Holder(Protocol):
    """A store of the workspace, as the finder sees it."""

    @property
    def name(self) -> str:
        """What findings call it."""
        ...

    @property
    def files(self) -> tuple[str, ...]:
        """Patterns of the files that are its own, from the directory of the sandbox (``../`` is the workspace)."""
        ...

    def find(self, box: Sandbox, sought: Sought) -> Iterator[tuple[str, str]]:
        """Yield place and form of every occurrence in what the store holds, decoded."""
        ...


@dataclass(frozen=True)
class LogEntries:
    """The entries of the log."""

    name = "log"
    files = ("log/log.db", "log/log.db-wal", "log/log.db-shm")

    def find(self, box: Sandbox, sought: Sought) -> Iterator[tuple[str, str]]:
        """Look through the body of every entry."""
        for entry in box.log.entries():
            place = f"entry {entry.position} ({entry.kind})"
            for told in strings(entry.body):
                yield from ((place, "text"),) * sought.mentions(told)
            yield from ((place, "identity"),) * sum(1 for pair in pairs(entry.body) if pair in sought.identities)


@dataclass(frozen=True)
class StagedFiles:
    """The copies of the files of batches."""

    name = "staged files"
    files = ("log/files/*/*",)

    def find(self, box: Sandbox, sought: Sought) -> Iterator[tuple[str, str]]:
        """Look through the text of every file, decompressed, and every text column of Parquet files."""
        encodings = {
            item["path"]: entry.body["source"].get("encoding")
            for entry in box.log.entries()
            if entry.kind == "batch.accepted"
            for item in entry.body["files"]
        }
        for path in sorted(box.log.files.rglob("*")):
            if path.is_file():
                place = str(path.relative_to(box.path))
                yield from ((place, form) for form in in_file(path, encodings.get(place), sought))


@dataclass(frozen=True)
class Definitions:
    """The catalog, in SQLite or PostgreSQL: definitions and batches."""

    name = "catalog"
    files = ("catalog.db", "catalog.db-wal", "catalog.db-shm")

    def find(self, box: Sandbox, sought: Sought) -> Iterator[tuple[str, str]]:
        """Look through every cell of every table."""
        for table, column, value in box.catalog.cells():
            yield from ((f"{table}.{column}", "cell"),) * sought.mentions(str(value))


@dataclass(frozen=True)
class Facts:
    """The history: facts, graphs, profiles, memberships and the quarantine."""

    name = "history"
    files = ("history.duckdb", "history.duckdb.wal")

    def find(self, box: Sandbox, sought: Sought) -> Iterator[tuple[str, str]]:
        """Look through every cell of every table that can hold a text, and for the identities themselves."""
        con = box.history.con
        cells = con.execute(
            "SELECT t.table_name, c.column_name, c.data_type FROM duckdb_tables() t JOIN duckdb_columns() c "
            "ON c.table_oid = t.table_oid AND c.database_name = t.database_name "
            "WHERE t.database_name = current_database() AND NOT t.temporary "
            "AND regexp_matches(c.data_type, 'VARCHAR|BLOB|JSON|ENUM') ORDER BY ALL"
        ).fetchall()
        for table, column, type_ in cells:
            place = f"{table}.{column}"
            shown = quote(column) if type_ == "VARCHAR" else f"CAST(to_json({quote(column)}) AS VARCHAR)"
            if not sought.values:
                break
            told = con.sql(
                f"SELECT x, count(*) AS n FROM (SELECT {shown} AS x FROM {quote(table)}) WHERE x IS NOT NULL GROUP BY x"
            ).to_arrow_table()
            hits = told.filter(pa.array(sought.held(told.column("x"))))
            for value, times in zip(*(column.to_pylist() for column in hits.columns), strict=True):
                yield from ((place, "cell"),) * (sought.mentions(value) * times)
        yield from self._identities(box, sought)

    def _identities(self, box: Sandbox, sought: Sought) -> Iterator[tuple[str, str]]:
        concerned.lend(box.history.con, sought.identities)
        con = box.history.con
        ((known,),) = con.execute(f"SELECT count(*) FROM {concerned.NUMBERS}").fetchall()
        yield from (("identity", "identity"),) * known
        copied = () if by_identity.upto(con) is None else (by_identity.TABLE,)
        for table in ("event", "event_duplicate", *copied, "record"):
            ((count,),) = con.execute(f"SELECT count(*) FROM ({concerned.rows(table)})").fetchall()
            yield from ((table, "row of the person"),) * count


@dataclass(frozen=True)
class Exports:
    """Exported files in the sandbox."""

    name = "exports"
    files = ("exports/**",)

    def find(self, box: Sandbox, sought: Sought) -> Iterator[tuple[str, str]]:
        """Look through the text of every file, and for the identities in the columns of their namespaces."""
        for path in exports.files(box.exports):
            place = str(path.relative_to(box.path))
            yield from ((place, form) for form in in_file(path, None, sought))
            concerned.lend(box.history.con, sought.identities)
            yield from ((place, "identity"),) * exports.members(box.history.con, path, sought)


@dataclass(frozen=True)
class Predictions:
    """What models learnt, what runs said of everybody, and what unfinished runs made of persons."""

    name = "predictions"
    files = (f"{folders.ROOT}/**",)

    def find(self, box: Sandbox, sought: Sought) -> Iterator[tuple[str, str]]:
        """Look through the texts; arrays of numbers name persons by numbers of the history alone."""
        for path in sorted((box.path / folders.ROOT).rglob("*")):
            if path.is_file() and path.suffix != ".npz":
                place = str(path.relative_to(box.path))
                yield from ((place, form) for form in in_file(path, None, sought))


@dataclass(frozen=True)
class Directory:
    """What else lies in a sandbox: the lock, spill space, the key of the suppression list, the mark of the format."""

    name = "directory"
    files = (
        "lock",
        "tmp/**",
        "suppression.key",
        "suppression.key.partial",
        f"{replacement.FOLDER}/**",
        f"../{sandbox.MARK}",
        f"../{sandbox.MARK}.partial",
    )

    def find(self, box: Sandbox, sought: Sought) -> Iterator[tuple[str, str]]:
        """Look through the files that are read as text."""
        for path in (box.path / "lock", box.path.parent / sandbox.MARK):
            if path.is_file():
                yield from ((path.name, "text"),) * sought.mentions(path.read_text(errors="replace"))


HOLDERS: tuple[Holder, ...] = (
    LogEntries(),
    StagedFiles(),
    Definitions(),
    Facts(),
    Exports(),
    Predictions(),
    Directory(),
)
"""The stores of a sandbox."""

RAW = "raw bytes"
"""What findings in undecoded bytes call their store."""


def holder_of(path: str) -> Holder | None:
    """Return the holder that claims a file, given by its path from the directory of the sandbox."""
    return next((item for item in HOLDERS if any(_matches(path, pattern) for pattern in item.files)), None)


def _matches(path: str, pattern: str) -> bool:
    if pattern.endswith("/**"):
        return path.startswith(pattern.removesuffix("**"))
    return fnmatch(path, pattern) and path.count("/") == pattern.count("/")


def find(box: Sandbox, sought: Sought, progress: Progress | None = None) -> list[Finding]:
    """Return everything in the stores of a sandbox that is looked for, decoded.

    Parameters
    ----------
    box : Sandbox
        Open stores.
    sought : Sought
        What is looked for.
    progress : Progress, optional
        Told each store.
    """
    counts: Counter[tuple[str, str, str]] = Counter()
    for holder in HOLDERS:
        (progress or Quiet()).report(f"looking through the {holder.name}")
        counts.update((holder.name, place, form) for place, form in holder.find(box, sought))
    return [Finding(*key, count) for key, count in sorted(counts.items())]


def find_raw(folder: Path, sought: Sought, progress: Progress | None = None) -> list[Finding]:
    """Return every place in the raw bytes of the files below a folder that is looked for, in UTF-8, -16 and -32.

    To be asked of closed stores: a file that is opened and closed here loses the locks that a database in this process
    has on it.
    """
    (progress or Quiet()).report("looking through raw bytes")
    counts: Counter[tuple[str, str]] = Counter()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            counts.update((str(path.relative_to(folder)), form) for form in sought.in_bytes(_bytes(path)))
    return [Finding(RAW, place, form, count) for (place, form), count in sorted(counts.items())]


def in_file(path: Path, encoding: str | None, sought: Sought) -> Iterator[str]:
    """Yield a form for every occurrence in a data file: of its text, decompressed, or of its columns."""
    with path.open("rb") as raw:
        first = raw.read(4)
    if first == b"PAR1":
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                for column, array in text_columns(file.read_row_group(group)):
                    for value in array.filter(pa.array(sought.held(array))).to_pylist():
                        told = value.decode(errors="replace") if isinstance(value, bytes) else value
                        yield from (f"column {column}",) * sought.mentions(told)
        return
    form = "compressed text" if first[:2] == b"\x1f\x8b" else "text"
    for _, told in held_lines(path, encoding, sought):
        yield from (form,) * sought.mentions(told)


def pairs(value: Any) -> Iterator[tuple[str, str]]:
    """Yield every identity in plain data: a list of a namespace and a value."""
    match value:
        case [str() as namespace, str() as told]:
            yield namespace, told
        case list() | tuple():
            for item in value:
                yield from pairs(item)
        case dict():
            for item in value.values():
                yield from pairs(item)
        case _:
            pass


def _bytes(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block


def by_store(findings: Iterable[Finding]) -> dict[str, int]:
    """Return the number of occurrences of every store, those without any too."""
    counts = dict.fromkeys([*(holder.name for holder in HOLDERS), RAW], 0)
    for item in findings:
        counts[item.store] += item.count
    return counts
