"""Rebuild: the log alone, taken entry by entry into an empty directory, gives the same workspace again."""

from __future__ import annotations

from pathlib import Path

import msgspec

from coterie.core.errors import Conflict
from coterie.core.progress import Progress
from coterie.governance import suppression
from coterie.pipeline.apply import replay
from coterie.pipeline.definitions import Definitions
from coterie.pipeline.effects.definitions import make_views
from coterie.pipeline.predictions import folders
from coterie.store import staging
from coterie.store.history import quote
from coterie.store.sandbox import Sandbox

_TABLES = (
    "identity", "event", "event_duplicate", "record", "link", "membership", "evaluated", "batch", "suppressed",
    "decision", "folded", "graph_link", "removed_link", "evicted", "dataset_order", "event_view",
)  # fmt: skip


class TableDigest(msgspec.Struct, frozen=True):
    """A table's rows, counted and hashed without regard to their order, here and in the rebuilt workspace."""

    table: str
    rows: int
    same: bool


class Rebuilt(msgspec.Struct, frozen=True):
    """The outcome of a rebuild."""

    path: str
    entries: int
    same: bool
    tables: tuple[TableDigest, ...]


def rebuild(sandbox: Sandbox, into: Path, progress: Progress) -> Rebuilt:
    """Build the sandbox anew in an empty directory and compare every derived table.

    What versions of models learnt, and what runs said of everybody, follows from no entry: their files are copied.

    Parameters
    ----------
    sandbox : Sandbox
        The open original; nothing in it is changed.
    into : Path
        Root directory of the new workspace; must be empty or absent.
    progress : Progress
        Receiver of progress reports.

    Raises
    ------
    Conflict
        ``rebuild.not-empty``.
    """
    if into.exists() and any(into.iterdir()):
        raise Conflict(
            "rebuild.not-empty",
            f"{into} is not empty.",
            hint="Name a directory that is empty or does not exist.",
            where={"path": str(into)},
        )
    total = sandbox.log.last
    with Sandbox.open(into, sandbox.path.name, clock=sandbox.clock, create=True) as target:
        suppression.copy_key(sandbox.path, target.path)
        make_views(target, [])
        for entry in sandbox.log.entries():
            progress.report("rebuilding", entry.position, total)
            if entry.kind == "batch.accepted":
                for item in entry.body["files"]:
                    staging.adopt(sandbox.path, target.path, item["path"])
            replay(target, target.log.append_as(entry), progress)
        folders.copy(sandbox.path, target.path)
        tables = tuple(_compare(sandbox, target))
    return Rebuilt(str(into), total, all(table.same for table in tables), tables)


def _compare(left: Sandbox, right: Sandbox) -> list[TableDigest]:
    views = Definitions(left.catalog).views()
    names = [*_TABLES, *(f"{kind}_{view}" for view in views for kind in ("person_of", "profile", "lineage"))]
    digests = []
    for name in names:
        here, there = digest(left, name), digest(right, name)
        digests.append(TableDigest(name, here[0], here == there))
    return digests


def digest(sandbox: Sandbox, table: str) -> tuple[int, int | None]:
    """Return the number of rows of a history table and a hash over them that does not depend on their order."""
    con = sandbox.history.con
    columns = con.execute(
        "SELECT column_name FROM duckdb_columns() WHERE table_name = $1 ORDER BY column_name", [table]
    ).fetchall()
    listed = ", ".join(quote(column) for (column,) in columns)
    rows = con.execute(f"SELECT count(*), sum(hash({listed})) FROM {quote(table)}").fetchall()
    return int(rows[0][0]), None if rows[0][1] is None else int(rows[0][1])
