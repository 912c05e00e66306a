"""Links: pairs of identities seen in one record, as dated facts with the batch and dataset that made them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def add(con: DuckDBPyConnection, batch: int, dataset: int, table: Literal["event", "record"]) -> None:
    """Add the links of the rows that a batch wrote: every pair of a row's identities.

    A link has the time of its event, or for a record the time it was taken in.

    Parameters
    ----------
    con : DuckDBPyConnection
        Connection to the history.
    batch, dataset : int
        Numbers of the batch and its dataset.
    table : {"event", "record"}
        Where the rows were written.
    """
    time = '"timestamp"' if table == "event" else "(SELECT recorded_at FROM batch WHERE batch = $batch)"
    con.execute(
        f"""
        INSERT INTO link BY NAME
        WITH sighting AS (
            SELECT "$identities" AS identities, min({time}) AS first_at, max({time}) AS last_at, count(*) AS records
            FROM "{table}" WHERE "$batch" = $batch AND "$identities" IS NOT NULL
            GROUP BY "$identities"
        ), place AS (
            SELECT *, unnest(range(1, len(identities))) AS left_place FROM sighting
        ), pair AS (
            SELECT identities[left_place] AS a, unnest(identities[left_place + 1:]) AS b, first_at, last_at, records
            FROM place
        )
        SELECT a, b, $batch::INTEGER AS batch, $dataset::INTEGER AS dataset,
               min(first_at) AS first_at, max(last_at) AS last_at, sum(records)::BIGINT AS records
        FROM pair GROUP BY a, b ORDER BY a, b
        """,
        {"batch": batch, "dataset": dataset},
    )
