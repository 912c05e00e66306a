"""The effect of a decision about identities, and of its withdrawal."""

from __future__ import annotations

from collections.abc import Sequence

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


class Regrouped(msgspec.Struct, frozen=True):
    """The people that a decision concerned, before and after, and how many of them were merged and split."""

    before: tuple[Members, ...]
    after: tuple[Members, ...]
    merged: int
    split: int


def decided(sandbox: Sandbox, entry: Entry, progress: Progress) -> Regrouped:
    """Note a decision and bring the graphs that it concerns up to date."""
    body = entry.body
    identities = tuple(Identity(code, value) for code, value in body["identities"])
    number, kind = body["decision"], DecisionKind(body["kind"])
    decision = Decision(
        number, kind, identities, body["reason"], body["source"], body["weight"], entry.accepted_at, None
    )
    numbers = [_number(sandbox.history, identity) for identity in identities]
    decisions.add(sandbox.history.con, decision, numbers)
    return _regroup(sandbox, Cause(entry.accepted_at, decision=number), numbers, progress)


def undone(sandbox: Sandbox, entry: Entry, progress: Progress) -> Regrouped:
    """Withdraw a decision and bring the graphs that it concerned up to date."""
    number = entry.body["decision"]
    numbers = decisions.withdraw(sandbox.history.con, number, entry.accepted_at)
    return _regroup(sandbox, Cause(entry.accepted_at, decision=number), numbers, progress)


def _regroup(sandbox: Sandbox, cause: Cause, numbers: Sequence[int], progress: Progress) -> Regrouped:
    """Bring graphs up to date after a decision about some identities, and tell whom it changed."""
    history = sandbox.history
    changes = graphs.refresh(sandbox, Scope(identities=np.array(numbers, np.int32)), cause, progress)
    touched = changes.touched.tolist()
    with history.cursor() as committed:  # it does not see what the transaction under way has changed
        before = graph.of_persons(committed, touched)
    return Regrouped(before, graph.of_persons(history.con, touched), changes.merged, changes.split)


def _number(history: History, identity: Identity) -> int:
    """Return the number of an identity, giving it one if it was never seen."""
    found = graph.find(history.con, *identity)
    if found is not None:
        return found
    namespace = history.number("namespace", identity.namespace)
    ((number,),) = history.con.execute(
        "INSERT INTO identity SELECT coalesce(max(identity), -1) + 1, $1, $2, 0 FROM identity RETURNING identity",
        [namespace, identity.value],
    ).fetchall()
    return int(number)
