"""The effect of decisions about identities, and of their withdrawal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import numpy as np

from coterie.core.ids import Identity
from coterie.core.progress import Progress
from coterie.identity import decisions, graph
from coterie.identity.decisions import Decision, DecisionKind
from coterie.identity.graph import Members
from coterie.identity.persons import Cause
from coterie.identity.stitch import Scope
from coterie.pipeline.effects import graphs
from coterie.store.history import History
from coterie.store.log import Entry
from coterie.store.sandbox import Sandbox

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class Regrouped(msgspec.Struct, frozen=True):
    """The people that a decision concerned, before and after, and how many of them were merged and split."""

    before: tuple[Members, ...]
    after: tuple[Members, ...]
    merged: int
    split: int


def decided(sandbox: Sandbox, entry: Entry, progress: Progress) -> Regrouped:
    """Note a decision, or several, and bring the graphs that they concern up to date."""
    con, at = sandbox.history.con, entry.accepted_at
    concerned = _noted(sandbox, entry.body.get("decisions", [entry.body]), at)
    causing = _first_of(con, concerned)
    changed = _regroup(sandbox, Cause(at, decision=min(concerned)), _all(concerned), progress)
    _attribute(con, at, min(concerned), "person", causing)
    return changed


def undone(sandbox: Sandbox, entry: Entry, progress: Progress) -> Regrouped:
    """Withdraw a decision, or several, and bring the graphs that they concerned up to date."""
    con, at = sandbox.history.con, entry.accepted_at
    concerned = decisions.withdraw(con, entry.body.get("decisions") or [entry.body["decision"]], at)
    changed = _regroup(sandbox, Cause(at, decision=min(concerned)), _all(concerned), progress)
    _attribute(con, at, min(concerned), "into", _first_of(con, concerned))
    return changed


def _noted(sandbox: Sandbox, bodies: Sequence[Mapping[str, Any]], at: int) -> dict[int, list[int]]:
    """Note decisions and return the numbers of the identities of each."""
    told = [
        Decision(
            body["decision"],
            DecisionKind(body["kind"]),
            tuple(Identity(code, value) for code, value in body["identities"]),
            body["reason"],
            body["source"],
            body["weight"],
            at,
            None,
        )
        for body in bodies
    ]
    named = dict.fromkeys(identity for item in told for identity in item.identities)
    known = graph.find_all(sandbox.history.con, named)
    number = {identity: known[identity] if identity in known else _new(sandbox.history, identity) for identity in named}
    concerned = {item.decision: [number[identity] for identity in item.identities] for item in told}
    decisions.add(sandbox.history.con, [(item, concerned[item.decision]) for item in told])
    return concerned


def _all(concerned: Mapping[int, Sequence[int]]) -> list[int]:
    return sorted({number for numbers in concerned.values() for number in numbers})


def _first_of(con: DuckDBPyConnection, concerned: Mapping[int, Sequence[int]]) -> dict[int, int]:
    """Return the first of some decisions that concerns a person, by the number of the person as it is now."""
    rows = con.execute(
        "SELECT identity, person FROM person_of WHERE identity IN (SELECT unnest($1::INTEGER[]))", [_all(concerned)]
    ).fetchall()
    person = dict(rows)
    found: dict[int, int] = {}
    for decision, numbers in sorted(concerned.items()):
        for number in numbers:
            if number in person:
                found.setdefault(person[number], decision)
    return found


def _attribute(
    con: DuckDBPyConnection, at: int, first: int, whose: Literal["person", "into"], causing: Mapping[int, int]
) -> None:
    """Let the lineage of an instant name the decision that concerned each person, in place of the first of all."""
    con.execute(
        f"""
        UPDATE lineage SET decision = c.decision
        FROM (SELECT unnest($1::INTEGER[]) AS person, unnest($2::INTEGER[]) AS decision) c
        WHERE lineage."{whose}" = c.person AND lineage.at = $3 AND lineage.decision = $4
        """,
        [list(causing), list(causing.values()), at, first],
    )


def _regroup(sandbox: Sandbox, cause: Cause, numbers: Sequence[int], progress: Progress) -> Regrouped:
    """Bring graphs up to date after a decision about some identities, and tell whom it changed."""
    history = sandbox.history
    changes = graphs.refresh(sandbox, Scope(identities=np.array(numbers, np.int32)), cause, progress)
    touched = changes.touched.tolist()
    with history.cursor() as committed:  # it does not see what the transaction under way has changed
        before = graph.of_persons(committed, touched)
    return Regrouped(before, graph.of_persons(history.con, touched), changes.merged, changes.split)


def _new(history: History, identity: Identity) -> int:
    """Give a number to an identity that was never seen."""
    namespace = history.number("namespace", identity.namespace)
    ((number,),) = history.con.execute(
        "INSERT INTO identity SELECT coalesce(max(identity), -1) + 1, $1, $2, 0 FROM identity RETURNING identity",
        [namespace, identity.value],
    ).fetchall()
    return int(number)
