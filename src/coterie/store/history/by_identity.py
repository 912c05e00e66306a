"""Events by identity: a copy of `event` in the order of identities, from which those of one person are read at once.

`event` lies in the order of types and times, as questions about everybody read it: the events of one identity are
scattered over as many row groups as there are events. In the copy they lie side by side, so that zone maps leave out
all others. It holds the batches up to a number; events of later ones are read from `event`, whose zone maps leave out
the batches that the copy has.

The copy may be absent at any time: the views that read it give the same rows without it. It is made whole, in a tenth
of the time of a load or more, so it is made where work of minutes ends (`due`), and never while somebody waits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from coterie.store.history.columns import columns, quote

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

TABLE = "event_by_identity"
"""Name of the copy, and in `meta` the key of the last batch that it holds."""
LEAST = 1_000_000
"""Events up to which no copy is made: to scan the identities of so many takes less than to plan the statement."""
SHARE = 0.1
"""Share of the events in the copy that may come after it before it is made anew.

The copy grows by a tenth each time, so that in the end each event was copied eleven times at most, however small the
loads. The events that came after it are scanned, which takes a tenth of what it took without a copy.
"""


def upto(con: DuckDBPyConnection) -> int | None:
    """Return the number of the last batch that the copy holds; None when there is no copy."""
    rows = con.execute("SELECT value FROM meta WHERE key = $1", [TABLE]).fetchall()
    return int(rows[0][0]) if rows else None


def due(con: DuckDBPyConnection, least: int = LEAST) -> bool:
    """Whether it is worth while to make the copy, or to make it anew."""
    events = _count(con, "event")
    if events <= least:
        return False
    if upto(con) is None:
        return True
    copied = _count(con, TABLE)
    return events - copied > SHARE * copied


def make(con: DuckDBPyConnection) -> None:
    """Make the copy, of all events there are."""
    drop(con)
    con.execute(f'CREATE TABLE {TABLE} AS SELECT * FROM event ORDER BY "$identity", "timestamp"')
    con.execute(f"INSERT INTO meta SELECT '{TABLE}', coalesce(max(batch), 0) FROM batch")


def drop(con: DuckDBPyConnection) -> None:
    """Let the copy go, if there is one; what reads it has to be made anew (`source`)."""
    con.execute(f"DROP TABLE IF EXISTS {TABLE}")
    con.execute("DELETE FROM meta WHERE key = $1", [TABLE])


def source(con: DuckDBPyConnection, last: int | None) -> str:
    """Return the SQL of what holds all events, best read by identity, given the last batch that the copy holds."""
    if last is None:
        return "event"
    listed = ", ".join(map(quote, columns(con, "event")))
    return f'(SELECT {listed} FROM {TABLE} UNION ALL SELECT {listed} FROM event WHERE "$batch" > {last:d})'


FEW = 8
"""Identities up to which the events of each are looked for by themselves; the keys of a join serve more of them."""


def of_people(con: DuckDBPyConnection, view: str, people: Iterable[int]) -> list[tuple[int, int]]:
    """Return each identity of people after its person; nothing where they have more than `FEW`."""
    asked = list(people)
    if not 0 < len(asked) <= FEW:
        return []
    found = con.execute(
        f"SELECT person, identity FROM {quote(f'person_of_{view}')} WHERE person IN ({', '.join(map(str, asked))}) "
        f"ORDER BY ALL LIMIT {FEW + 1}"
    ).fetchall()
    return found if len(found) <= FEW else []


def events_of(view: str, identities: Sequence[tuple[int, int]], columns_: Sequence[str] = ("*",)) -> str:
    """Return the query for the events that a view sees of identities, each given after its person; at least one.

    Each identity is looked for as a constant, which is found within compressed columns, as the keys of a join are not:
    that takes an eighth of the time. The column `person` comes first, then the others, given as SQL.
    """
    listed, events = ", ".join(columns_), quote(f"event_by_identity_of_{view}")
    return " UNION ALL ".join(
        f'SELECT {person:d}::INTEGER AS person, {listed} FROM {events} WHERE "$identity" = {identity:d}'
        for person, identity in identities
    )


def _count(con: DuckDBPyConnection, table: str) -> int:
    return int(con.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0])
