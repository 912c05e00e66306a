"""Decisions of people about identities: these are one person, those two never are, this one tells nothing.

A decision counts as long as it is not withdrawn, and in every replay of the records from the start.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from coterie.core.ids import Identity

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class DecisionKind(StrEnum):
    """What is decided.

    ``merge``
        The identities were seen together, as if by a record of the instant of the decision.
    ``split``
        The two identities are never in one graph.
    ``never``
        The identity takes no part in linking.
    """

    MERGE = "merge"
    SPLIT = "split"
    NEVER = "never"


class Decision(msgspec.Struct, frozen=True):
    """A decision, with who or what proposed it, how sure that was, and when it was made and withdrawn."""

    decision: int
    kind: DecisionKind
    identities: tuple[Identity, ...]
    reason: str
    source: str
    weight: float | None
    recorded_at: int
    withdrawn_at: int | None


def add(con: DuckDBPyConnection, noted: Iterable[tuple[Decision, Sequence[int]]]) -> None:
    """Note decisions, each with the numbers of its identities."""
    rows = [
        (item.decision, str(item.kind), list(numbers), item.reason, item.source, item.weight, item.recorded_at)
        for item, numbers in noted
    ]
    con.execute(
        "INSERT INTO decision (decision, kind, identities, reason, source, weight, recorded_at) "
        "SELECT unnest($1::INTEGER[]), unnest($2::VARCHAR[]), unnest($3::INTEGER[][]), unnest($4::VARCHAR[]), "
        "unnest($5::VARCHAR[]), unnest($6::DOUBLE[]), unnest($7::BIGINT[])",
        [list(column) for column in zip(*rows, strict=True)],
    )


def withdraw(con: DuckDBPyConnection, numbers: Sequence[int], at: int) -> dict[int, list[int]]:
    """Withdraw decisions and return the numbers of the identities of each."""
    con.execute(
        "UPDATE decision SET withdrawn_at = $2 "
        "WHERE decision IN (SELECT unnest($1::INTEGER[])) AND withdrawn_at IS NULL",
        [list(numbers), at],
    )
    rows = con.execute(
        "SELECT decision, identities FROM decision WHERE decision IN (SELECT unnest($1::INTEGER[])) ORDER BY decision",
        [list(numbers)],
    ).fetchall()
    return dict(rows)


def find(con: DuckDBPyConnection, number: int) -> Decision | None:
    """Return a decision by its number, or None."""
    return next(iter(_read(con, "decision = $1", [number])), None)


def every(con: DuckDBPyConnection) -> list[Decision]:
    """Return all decisions, the withdrawn ones too, in the order in which they were made."""
    return _read(con, "true", [])


def about(con: DuckDBPyConnection, identities: Iterable[int]) -> list[Decision]:
    """Return the decisions in force that name any of some identities."""
    return _read(con, "withdrawn_at IS NULL AND list_has_any(identities, $1::INTEGER[])", [list(identities)])


def next_number(con: DuckDBPyConnection) -> int:
    """Return the number of the next decision; they count from 1."""
    return int(con.execute("SELECT coalesce(max(decision), 0) + 1 FROM decision").fetchall()[0][0])


def _read(con: DuckDBPyConnection, condition: str, parameters: list[object]) -> list[Decision]:
    rows = con.execute(
        f"""
        SELECT d.decision, d.kind, list([n.code, i.value] ORDER BY d.place), coalesce(d.reason, ''), d.source, d.weight,
               d.recorded_at, d.withdrawn_at
        FROM (
            SELECT *, unnest(identities) AS identity, generate_subscripts(identities, 1) AS place
            FROM decision WHERE {condition}
        ) d
        JOIN identity i ON i.identity = d.identity JOIN namespace n ON n.namespace = i.namespace
        GROUP BY ALL ORDER BY d.decision
        """,
        parameters,
    ).fetchall()
    return [
        Decision(number, DecisionKind(kind), tuple(Identity(*pair) for pair in identities), *rest)
        for number, kind, identities, *rest in rows
    ]
