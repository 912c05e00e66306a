"""The limit within a batch: an identity seen with so many others is left out of the further records of the batch.

The verdict is worked out once, on arrival, and kept with the records: such an identity is no more among those that
they link. Only records of identities over the limit are looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from coterie.identity import links
from coterie.identity.evidence import ints, lent, longs
from coterie.identity.fold import Bools, Ints, Longs
from coterie.identity.namespaces import MAX_IDENTITIES

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LIMIT = 50
"""Most other identities that one is linked with in a batch, before it is left out of what follows."""

FEW = 20_000
"""Up to so many records the compiler is left alone: loading it takes longer than the work."""


def hold(con: DuckDBPyConnection, batch: int, dataset: int, table: Literal["event", "record"]) -> int:
    """Leave identities over the limit out of the records of a batch, and make its links anew if there are any.

    Parameters
    ----------
    con : DuckDBPyConnection
        Connection to the history, with the rows of the batch and its links written.
    batch, dataset : int
        Numbers of the batch and its dataset.
    table : {"event", "record"}
        Where the rows were written.

    Returns
    -------
    int
        How many records an identity was left out of.
    """
    found = con.execute(
        "SELECT identity FROM (SELECT a AS identity FROM link WHERE batch = $1 "
        "UNION ALL SELECT b FROM link WHERE batch = $1) GROUP BY identity HAVING count(*) > $2 ORDER BY identity",
        [batch, LIMIT],
    ).fetchnumpy()
    busy = ints(found["identity"])
    if not busy.size:
        return 0
    row, offsets, identities = _records(con, batch, table, busy)
    place = np.minimum(np.searchsorted(busy, identities), len(busy) - 1)
    slot = np.where(busy[place] == identities, place, -1).astype(np.int32)
    dropped = np.zeros(len(identities), np.bool_)
    partners = np.empty((len(busy), LIMIT + MAX_IDENTITIES), np.int32)
    run = _judge if len(row) <= FEW else _compiled()
    run(offsets, identities, slot, np.zeros(len(busy), np.int32), partners, dropped)
    if not dropped.any():
        return 0
    owner = np.repeat(np.arange(len(row)), np.diff(offsets))
    concerned = np.unique(owner[dropped])
    with lent(con, "dropped", row=row[owner[dropped]], identity=identities[dropped]):
        con.execute(
            f"""
            UPDATE "{table}" SET "$identities" = CASE WHEN len(kept) > 1 THEN kept END
            FROM (
                SELECT t."$row" AS "row", list_filter(t."$identities", lambda x: NOT list_contains(d.mine, x)) AS kept
                FROM "{table}" t JOIN (SELECT "row", list(identity) AS mine FROM dropped GROUP BY "row") d
                    ON d."row" = t."$row"
                WHERE t."$batch" = {batch:d}
            ) held
            WHERE "$batch" = {batch:d} AND "$row" = held."row"
            """
        )
    con.execute("DELETE FROM link WHERE batch = $1", [batch])
    links.add(con, batch, dataset, table)
    return len(concerned)


def _records(con: DuckDBPyConnection, batch: int, table: str, busy: Ints) -> tuple[Longs, Longs, Ints]:
    """Return the rows in which some identities occur, in order, and the identities of each."""
    with lent(con, "busy", identity=busy):
        found = con.execute(
            f"""
            WITH mine AS (
                SELECT "$row" AS "row", unnest("$identities") AS identity FROM "{table}"
                WHERE "$batch" = {batch:d} AND "$identities" IS NOT NULL
            )
            SELECT "row", identity FROM mine
            WHERE "row" IN (SELECT "row" FROM mine WHERE identity IN (SELECT identity FROM busy))
            ORDER BY "row", identity
            """
        ).fetchnumpy()
    rows = longs(found["row"])
    first = np.flatnonzero(np.concatenate([[True], rows[1:] != rows[:-1]]))
    return rows[first], np.append(first, len(rows)).astype(np.int64), ints(found["identity"])


def _judge(offsets: Longs, identities: Ints, slot: Ints, count: Ints, partners: Ints, dropped: Bools) -> None:
    """Take records in order; mark the identities that have met too many others before."""
    for record in range(len(offsets) - 1):
        begin, end = offsets[record], offsets[record + 1]
        for entry in range(begin, end):
            dropped[entry] = slot[entry] >= 0 and count[slot[entry]] >= LIMIT
        for entry in range(begin, end):
            own = slot[entry]
            if own < 0 or dropped[entry]:
                continue
            for other in range(begin, end):
                if other == entry or dropped[other]:
                    continue
                known = False
                for met in range(count[own]):
                    if partners[own, met] == identities[other]:
                        known = True
                        break
                if not known:
                    partners[own, count[own]] = identities[other]
                    count[own] += 1


@cache
def _compiled() -> Callable[..., Any]:
    from numba import njit

    compiled: Callable[..., Any] = njit(cache=True, nogil=True)(_judge)
    return compiled
