"""Quarantine: bad rows set aside with file, line, field, value and reason, until they expire.

The only place where values of bad rows are kept; messages and program logs hold none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from coterie.core.clock import DAY

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

RETENTION = 30 * DAY
"""How long bad rows are kept unless asked otherwise."""

_FIELDS = "file, line, field, value, code, reason, expires_at"


class QuarantinedRow(msgspec.Struct, frozen=True):
    """A fault of a bad row: where it is and what was expected there."""

    file: str | None
    line: int | None
    field: str | None
    value: str | None
    code: str
    reason: str
    expires_at: int


def write(con: DuckDBPyConnection, batch: str, dataset: str, files: Sequence[str], expires_at: int) -> int:
    """Move the faults of the last staging into the quarantine.

    Parameters
    ----------
    con : DuckDBPyConnection
        Where ``stage_error`` is.
    batch, dataset : str
        What was being loaded.
    files : sequence of str
        Names of the source's files, in order.
    expires_at : int
        When the rows may go.

    Returns
    -------
    int
        How many faults.
    """
    return int(
        con.execute(
            "INSERT INTO quarantine (batch, dataset, file, line, field, value, code, reason, expires_at) "
            'SELECT $1, $2, list_extract($3::VARCHAR[], "$file" + 1), "$line", field, value, code, reason, $4 '
            'FROM stage_error ORDER BY "$row"',
            [batch, dataset, list(files), expires_at],
        ).fetchall()[0][0]
    )


def read(con: DuckDBPyConnection, batch: str, limit: int | None = 100) -> list[QuarantinedRow]:
    """Return the faults of a batch in the order of its files and lines."""
    rows = con.execute(
        f"SELECT {_FIELDS} FROM quarantine WHERE batch = $1 ORDER BY file, line, rowid"
        + (f" LIMIT {limit:d}" if limit is not None else ""),
        [batch],
    ).fetchall()
    return [QuarantinedRow(*row) for row in rows]


def count(con: DuckDBPyConnection, batch: str) -> dict[str, int]:
    """Return the number of faults of a batch by code, most frequent first."""
    rows = con.execute(
        "SELECT code, count(*) FROM quarantine WHERE batch = $1 GROUP BY code ORDER BY 2 DESC, 1", [batch]
    )
    return dict(rows.fetchall())


def expire(con: DuckDBPyConnection, now: int) -> int:
    """Delete what has expired; return how many faults went."""
    return int(con.execute("DELETE FROM quarantine WHERE expires_at <= $1", [now]).fetchall()[0][0])
