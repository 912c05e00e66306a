"""Whom the staged rows belong to: the identities in ``stage`` and the rows that hold certain ones.

To be asked while the bad rows are still there (`stage(…, inspect)`): a bad row has its owner too, if it can be read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from coterie.core.schema import Schema
from coterie.ingest.sql import literal
from coterie.store.history import quote

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LAST = 1 << 60
"""A line past any: where the last row of a file ends."""
CONCERNED = "concerned"
"""The TEMP table of the identities that are asked for: ``namespace`` (code) and ``value``."""


def identities(schema: Schema) -> str:
    """Return SQL for ``"$row"``, ``namespace`` and ``value`` of every identity of the staged rows."""
    parts = [
        f'SELECT "$row", {literal(item.namespace)} AS namespace, {quote(item.path)} AS value FROM stage '
        f"WHERE {quote(item.path)} IS NOT NULL"
        for item in schema.identities
    ]
    if schema.identity_map:
        parts.append(
            'SELECT "$row", entry.namespace, entry.id AS value FROM '
            '(SELECT "$row", unnest("$identityMap") AS entry FROM stage)'
        )
    return " UNION ALL ".join(parts) or "SELECT 0 AS \"$row\", '' AS namespace, '' AS value WHERE FALSE"


def rows(schema: Schema) -> str:
    """Return SQL for the ``"$row"`` of every staged row that holds an identity in the table `CONCERNED`."""
    return f'SELECT DISTINCT i."$row" FROM ({identities(schema)}) i SEMI JOIN {CONCERNED} USING (namespace, value)'


def lines(con: DuckDBPyConnection, file: int) -> list[tuple[int, int]]:
    """Return the first and last line of each row of a file that is in the TEMP table ``stage_concerned``.

    The last line is the one before the next row; the very last row ends with the file (a line number past any).
    """
    return con.execute(
        f"""
        SELECT "$line", next - 1 FROM (
            SELECT "$row", "$line", lead("$line", 1, {LAST}) OVER (ORDER BY "$row") AS next
            FROM stage WHERE "$file" = $1
        ) SEMI JOIN stage_concerned USING ("$row") ORDER BY "$line"
        """,
        [file],
    ).fetchall()
