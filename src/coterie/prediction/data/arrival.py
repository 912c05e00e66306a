"""When events became known: at the time they were recorded, where that says so, else when they happened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coterie.core.clock import DAY
from coterie.store.history import quote

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LATE_DAYS = 2
"""A batch whose events are mostly younger than this when it is recorded shows when its events became known."""
STREAMED = 3
"""As many such batches make a dataset one that is filled as things happen."""


def arrivals(con: DuckDBPyConnection, view: str) -> dict[int, int]:
    """Return when batches were recorded, of datasets that are filled as things happen.

    These are the batches whose events lie, on average, at most `LATE_DAYS` before it, where their dataset has
    `STREAMED` of them or more. Others were loaded long after: when their events became known is not told by that.
    """
    rows = con.execute(
        f"""
        SELECT b.batch, any_value(b.recorded_at) FROM {quote(f"event_of_{view}")} e
        JOIN batch b ON b.batch = e."$batch"
        GROUP BY b.batch, b.dataset
        HAVING sum(b.recorded_at - e."timestamp") <= count(*) * {LATE_DAYS * DAY}
        QUALIFY count(*) OVER (PARTITION BY b.dataset) >= {STREAMED}
        """
    ).fetchall()
    return {int(batch): int(at) for batch, at in rows}
