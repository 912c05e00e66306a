"""Duplicates: events whose ``_id`` was there before in their dataset, in the same load or an earlier one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def mark(con: DuckDBPyConnection, dataset: int) -> int:
    """Fill the TEMP table ``stage_duplicate`` with the ``"$row"`` of repeated events of ``stage``.

    Parameters
    ----------
    con : DuckDBPyConnection
        Where ``stage`` and ``live_event`` are.
    dataset : int
        Number of the dataset; ids are compared within it only, by value.

    Returns
    -------
    int
        How many. Of several with one id the first row stays, unless a live event has the id already.
    """
    con.execute('CREATE OR REPLACE TEMP TABLE stage_duplicate ("$row" BIGINT)')
    # ids that share a 64-bit hash with another one: all repeated ids and next to no others
    con.execute(
        "CREATE OR REPLACE TEMP TABLE stage_suspect AS "
        'SELECT h FROM (SELECT hash("_id") AS h FROM stage) GROUP BY h HAVING count(*) > 1'
    )
    con.execute(
        'INSERT INTO stage_duplicate SELECT "$row" FROM stage SEMI JOIN stage_suspect ON hash(stage."_id") = h '
        'QUALIFY row_number() OVER (PARTITION BY "_id" ORDER BY "$row") > 1'
    )
    con.execute(
        'INSERT INTO stage_duplicate SELECT "$row" FROM stage '
        'WHERE "_id" IN (SELECT "_id" FROM live_event WHERE "$dataset" = $1) '
        'AND "$row" NOT IN (SELECT "$row" FROM stage_duplicate)',
        [dataset],
    )
    con.execute("DROP TABLE stage_suspect")
    return int(con.execute("SELECT count(*) FROM stage_duplicate").fetchall()[0][0])
