"""What a new rule changes, before it is saved: who would enter, who would leave, and which conditions make it so."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Literal

import msgspec
from pyroaring import BitMap

from coterie.core.ids import person_id
from coterie.engine import people
from coterie.pql.conditions import Condition

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

IDENTITIES = 20
"""How many identities of a person are shown at most."""


class Person(msgspec.Struct, frozen=True):
    """A person: public id, and the oldest identity values by namespace."""

    person: str
    identities: dict[str, list[str]]


class Changed(msgspec.Struct, frozen=True):
    """A condition of either rule: kept, removed from the old one or added by the new one; `people` satisfy it alone."""

    change: Literal["kept", "removed", "added"]
    text: str
    zone: str
    people: int


class Side(msgspec.Struct, frozen=True):
    """One of the two rules: the time zone of its calendar, its members, and who satisfies it and is withheld."""

    pql: str
    zone: str
    members: int
    withheld: int


class Difference(msgspec.Struct, frozen=True):
    """Two rules at one instant, with some of those who would enter and leave.

    For a saved audience `audience` names it, `stored` is the number of its present members and `dependents` are the
    audiences that read it and may change too.
    """

    audience: str | None
    view: str
    at: int
    people: int
    old: Side
    new: Side
    entering: int
    leaving: int
    staying: int
    entrants: tuple[Person, ...]
    leavers: tuple[Person, ...]
    conditions: tuple[Changed, ...]
    stored: int | None
    dependents: tuple[str, ...]
    seconds: float


def changes(old: Iterable[Condition], new: Iterable[Condition], sizes: dict[str, int]) -> tuple[Changed, ...]:
    """Return the conditions of both rules: first those kept, then the removed, then the added ones.

    Parameters
    ----------
    old, new : iterable of Condition
        Distinct conditions of each rule.
    sizes : dict of str to int
        How many people satisfy each, by its key.
    """
    before = {condition.key: condition for condition in old}
    after = {condition.key: condition for condition in new}
    groups: list[tuple[Literal["kept", "removed", "added"], list[Condition]]] = [
        ("kept", [condition for key, condition in before.items() if key in after]),
        ("removed", [condition for key, condition in before.items() if key not in after]),
        ("added", [condition for key, condition in after.items() if key not in before]),
    ]
    return tuple(
        Changed(change, condition.text, condition.zone, sizes[condition.key])
        for change, conditions in groups
        for condition in conditions
    )


def some(con: DuckDBPyConnection, view: str, chosen: BitMap, limit: int) -> tuple[Person, ...]:
    """Return up to `limit` of the persons, those known longest first, with their identities."""
    first = BitMap(chosen[:limit])
    if not first:
        return ()
    with people.lent(con, "coterie_shown", first) as shown:
        rows = con.execute(
            f"""
            SELECT p.person, n.code, i.value FROM {shown} s
            JOIN "person_of_{view}" p ON p.person = s.person
            JOIN identity i ON i.identity = p.identity
            JOIN namespace n ON n.namespace = i.namespace
            QUALIFY row_number() OVER (PARTITION BY p.person ORDER BY i.identity) <= {IDENTITIES}
            ORDER BY p.person, i.identity
            """
        ).fetchall()
    found = []
    for _, mine in groupby(rows, itemgetter(0)):
        pairs = [(code, value) for _, code, value in mine]
        identities: dict[str, list[str]] = {}
        for code, value in pairs:
            identities.setdefault(code, []).append(value)
        found.append(Person(person_id(*pairs[0]), identities))
    return tuple(found)
