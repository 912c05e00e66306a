"""The membership ledger: who was in which audience, from when to when, and what made it so.

Intervals are only ever opened and closed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
from pyroaring import BitMap

from coterie.audience.definition import Evaluated, Withheld
from coterie.engine import people

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


_OWN = "audience = $1 AND namespace = 'ups'"
"""The system's own audience; the ledger holds memberships of other systems too, under their namespaces."""


class Change(msgspec.Struct, frozen=True):
    """Entries and exits of one instant; `cause` is told for entries."""

    at: int
    entered: int
    exited: int
    cause: str | None


def members(con: DuckDBPyConnection, audience: str) -> BitMap:
    """Return the persons whose membership is open."""
    return people.read(con, f"SELECT person FROM membership WHERE {_OWN} AND exited_at IS NULL", [audience])


def members_at(con: DuckDBPyConnection, audience: str, at: int) -> BitMap:
    """Return the persons who were members at an instant, by what the ledger holds now."""
    return people.read(
        con,
        f"SELECT DISTINCT person FROM membership WHERE {_OWN} AND entered_at <= $2 "
        "AND (exited_at IS NULL OR exited_at > $2)",
        [audience, at],
    )


def latest(con: DuckDBPyConnection, audiences: Sequence[str]) -> int | None:
    """Return the instant of the last change of some audiences, or None when there was none."""
    (row,) = con.execute(
        "SELECT max(greatest(entered_at, exited_at)) FROM membership WHERE namespace = 'ups' "
        "AND list_contains($1::VARCHAR[], audience)",
        [list(audiences)],
    ).fetchall()
    return None if row[0] is None else int(row[0])


def settle(
    con: DuckDBPyConnection, audience: str, now: BitMap, *, at: int, version: int, cause: str
) -> tuple[int, int]:
    """Bring the open intervals of an audience to the members of `now`.

    Parameters
    ----------
    con : DuckDBPyConnection
        Connection to the history, inside a transaction.
    audience : str
        Name of the audience.
    now : BitMap
        Its members at `at`.
    at : int
        Instant of the change, ms: the end of what closes, the beginning of what opens.
    version : int
        Version of the definition that gave `now`.
    cause : str
        What made the change (``evaluation``, ``batch b000012``, ``revert b000012``).

    Returns
    -------
    tuple of int
        How many entered and how many left. A second call with the same members changes nothing.
    """
    before = members(con, audience)
    left, entered = before - now, now - before
    if left:
        with people.lent(con, "leaving", left) as leaving:
            con.execute(
                f"UPDATE membership SET exited_at = $2 WHERE {_OWN} AND exited_at IS NULL "
                f"AND person IN (SELECT person FROM {leaving})",
                [audience, at],
            )
    if entered:
        with people.lent(con, "entering", entered) as entering:
            con.execute(
                f"INSERT INTO membership BY NAME SELECT $1 AS audience, person, $2 AS entered_at, NULL AS exited_at, "
                f"$3 AS version, $4 AS cause FROM {entering} ORDER BY person",
                [audience, at, version, cause],
            )
    return len(entered), len(left)


class Outcome(msgspec.Struct, frozen=True):
    """What the last evaluation of an audience gave: members, and those who satisfied its rule and were withheld."""

    at: int
    version: int
    members: int
    withheld: Withheld


def note(con: DuckDBPyConnection, found: Evaluated, at: int) -> None:
    """Keep the outcome of an evaluation as the last one of its audience."""
    forget(con, found.audience)
    con.execute(
        "INSERT INTO evaluated VALUES ($1, $2, $3, $4, $5, $6)",
        [
            found.audience,
            at,
            found.version,
            found.members,
            found.withheld.opted_out,
            found.withheld.no_consent,
        ],
    )


def forget(con: DuckDBPyConnection, audience: str) -> None:
    """Forget the last evaluation of an audience."""
    con.execute("DELETE FROM evaluated WHERE audience = $1", [audience])


def outcomes(con: DuckDBPyConnection) -> dict[str, Outcome]:
    """Return the outcome of the last evaluation of each audience, by its name."""
    rows = con.execute('SELECT audience, "at", version, members, opted_out, no_consent FROM evaluated').fetchall()
    return {
        name: Outcome(at, version, members, Withheld(opted_out + no_consent, opted_out, no_consent))
        for name, at, version, members, opted_out, no_consent in rows
    }


def history(con: DuckDBPyConnection, audience: str, limit: int) -> list[Change]:
    """Return the changes of an audience, newest first, at most `limit` instants."""
    rows = con.execute(
        f"""
        SELECT instant, sum(entered)::BIGINT, sum(exited)::BIGINT, max(cause) FROM (
            SELECT entered_at AS instant, 1 AS entered, 0 AS exited, cause FROM membership WHERE {_OWN}
            UNION ALL
            SELECT exited_at, 0, 1, NULL FROM membership WHERE {_OWN} AND exited_at IS NOT NULL
        ) GROUP BY instant ORDER BY instant DESC LIMIT $2
        """,
        [audience, limit],
    ).fetchall()
    return [Change(*row) for row in rows]
