"""Decisions about identities: checked against graphs, settings and other decisions, then logged and applied."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from coterie.core.clock import format_instant
from coterie.core.errors import Conflict, CoterieError, Invalid, NotFound
from coterie.core.ids import Identity
from coterie.core.progress import Progress
from coterie.identity import decisions, graph
from coterie.identity.decisions import Decision, DecisionKind
from coterie.identity.graph import Members
from coterie.identity.namespaces import MAX_IDENTITIES
from coterie.ingest.identities import BLOCKED, LONGEST
from coterie.pipeline.apply import commit
from coterie.pipeline.definitions import Definitions
from coterie.pipeline.effects.decisions import Regrouped
from coterie.pipeline.merging import Merging
from coterie.store.sandbox import Sandbox

USER = "user"
"""Source of a decision that a person made without a proposal."""


class Proposed(msgspec.Struct, frozen=True):
    """A merge that is proposed: of whom, why, by what, and how sure that is."""

    identities: tuple[Identity, ...]
    reason: str
    source: str
    weight: float | None


class DecidedTogether(msgspec.Struct, frozen=True):
    """What several decisions, or their withdrawal, changed at once: how many people were merged, and divided."""

    decisions: tuple[Decision, ...]
    merged: int
    split: int


class Decided(msgspec.Struct, frozen=True):
    """What a decision, or its withdrawal, changed: the people it concerns with their identities, before and after.

    `merged` and `split` count the people who became part of another one, and those who were divided.
    """

    decision: Decision
    before: tuple[Members, ...]
    after: tuple[Members, ...]
    merged: int
    split: int


def merge(
    sandbox: Sandbox,
    identities: Iterable[Identity],
    progress: Progress,
    *,
    reason: str = "",
    source: str = USER,
    weight: float | None = None,
) -> Decided:
    """Decide that identities belong to one person.

    Raises
    ------
    NotFound
        ``identity.not-found``.
    Conflict
        ``identity.merge-refused`` when the settings or another decision forbid it, or nothing would change.
    """
    chosen = _distinct(identities, "a merge joins")
    if len(chosen) > MAX_IDENTITIES:
        raise Invalid(
            "identity.decision",
            f"a merge joins at most {MAX_IDENTITIES} identities, as a record does, not {len(chosen)}.",
            hint="Make several merges that have an identity in common.",
        )
    Merging(sandbox, chosen).choose(chosen)
    return _decide(sandbox, DecisionKind.MERGE, chosen, progress, reason=reason, source=source, weight=weight)


def split(sandbox: Sandbox, a: Identity, b: Identity, progress: Progress, *, reason: str = "") -> Decided:
    """Decide that two identities are never in one graph; raises ``identity.not-found``, ``identity.decided``."""
    chosen = _distinct((a, b), "a split keeps apart")
    numbers = [_known(sandbox, identity) for identity in chosen]
    for other in decisions.about(sandbox.history.con, numbers):
        if other.kind is DecisionKind.SPLIT and set(other.identities) == set(chosen):
            raise _decided(other, f"{a} and {b} are kept apart")
    return _decide(sandbox, DecisionKind.SPLIT, chosen, progress, reason=reason)


def never_link(sandbox: Sandbox, identity: Identity, progress: Progress, *, reason: str = "") -> Decided:
    """Decide that an identity takes no part in linking, though it was perhaps never seen yet."""
    namespaces = Definitions(sandbox.catalog).namespaces()
    if identity.namespace not in namespaces:
        raise NotFound.named("namespace", identity.namespace, namespaces)
    if len(identity.value) > LONGEST or identity.value.strip().lower() in BLOCKED:
        raise Invalid(
            "identity.decision",
            f"no record is taken in with such a value of {identity.namespace}, so it never links anybody.",
            hint="Nothing needs to be decided.",
            where={"namespace": identity.namespace},
        )
    number = graph.find(sandbox.history.con, *identity)
    for other in decisions.about(sandbox.history.con, [] if number is None else [number]):
        if other.kind is DecisionKind.NEVER:
            raise _decided(other, f"{identity} is never linked")
    return _decide(sandbox, DecisionKind.NEVER, [identity], progress, reason=reason)


def undo(sandbox: Sandbox, number: int, progress: Progress) -> Decided:
    """Withdraw a decision: graphs become as if it had never been made.

    Raises
    ------
    NotFound
        ``decision.not-found``.
    Conflict
        ``identity.undone`` when it was withdrawn before.
    """
    _require_standing(number, {item.decision: item for item in decisions.every(sandbox.history.con)})
    changed = commit(sandbox, "identity.undone", {"decision": number}, progress)
    return _told(sandbox, number, changed)


def _require_standing(number: int, known: Mapping[int, Decision]) -> None:
    """Raise unless there is a decision that was not withdrawn."""
    if number not in known:
        raise NotFound.named("decision", str(number), map(str, known))
    withdrawn_at = known[number].withdrawn_at
    if withdrawn_at is not None:
        raise Conflict(
            "identity.undone",
            f"decision {number} was undone at {format_instant(withdrawn_at)} already.",
            where={"decision": number},
        )


def merge_all(sandbox: Sandbox, merges: Sequence[Proposed], progress: Progress) -> DecidedTogether:
    """Decide merges that `Merging` has taken for chosen, by one entry of the log; each can be undone by itself."""
    first = decisions.next_number(sandbox.history.con)
    told = [
        _body(first + place, DecisionKind.MERGE, item.identities, item.reason, item.source, item.weight)
        for place, item in enumerate(merges)
    ]
    changed = commit(sandbox, "identities.decided", {"decisions": told}, progress)
    assert isinstance(changed, Regrouped)
    return _together(sandbox, range(first, first + len(told)), changed)


def undo_all(sandbox: Sandbox, numbers: Iterable[int], progress: Progress) -> DecidedTogether:
    """Withdraw several decisions at once; see `undo` for what it raises. Nothing is withdrawn when one cannot be."""
    chosen = sorted(set(numbers))
    if not chosen:
        raise Invalid("identity.decision", "no decision was named.", hint="coterie identity decisions lists them.")
    known = {item.decision: item for item in decisions.every(sandbox.history.con)}
    for number in chosen:
        _require_standing(number, known)
    changed = commit(sandbox, "identities.undone", {"decisions": chosen}, progress)
    assert isinstance(changed, Regrouped)
    return _together(sandbox, set(chosen), changed)


def _together(sandbox: Sandbox, numbers: Collection[int], changed: Regrouped) -> DecidedTogether:
    found = tuple(item for item in decisions.every(sandbox.history.con) if item.decision in numbers)
    return DecidedTogether(found, changed.merged, changed.split)


def _decide(
    sandbox: Sandbox,
    kind: DecisionKind,
    identities: Sequence[Identity],
    progress: Progress,
    *,
    reason: str,
    source: str = USER,
    weight: float | None = None,
) -> Decided:
    number = decisions.next_number(sandbox.history.con)
    body = _body(number, kind, identities, reason, source, weight)
    return _told(sandbox, number, commit(sandbox, "identity.decided", body, progress))


def _body(
    number: int, kind: DecisionKind, identities: Sequence[Identity], reason: str, source: str, weight: float | None
) -> dict[str, Any]:
    """Return a decision as the log keeps it."""
    return {
        "decision": number,
        "kind": str(kind),
        "identities": [list(identity) for identity in identities],
        "reason": reason,
        "source": source,
        "weight": weight,
    }


def _told(sandbox: Sandbox, number: int, changed: object) -> Decided:
    assert isinstance(changed, Regrouped)
    decision = decisions.find(sandbox.history.con, number)
    assert decision is not None
    return Decided(decision, changed.before, changed.after, changed.merged, changed.split)


def _distinct(identities: Iterable[Identity], what: str) -> list[Identity]:
    chosen = list(dict.fromkeys(identities))
    if len(chosen) < 2:
        raise Invalid(
            "identity.decision",
            f"{what} at least 2 identities, not {', '.join(map(str, chosen)) or 'none'} alone.",
            hint="Name identities that differ in namespace or value.",
        )
    return chosen


def _known(sandbox: Sandbox, identity: Identity) -> int:
    """Return the number of an identity that some live record holds."""
    number = graph.find(sandbox.history.con, *identity)
    if number is None or graph.person(sandbox.history.con, "default", number) is None:
        raise graph.unknown(identity)
    return number


def _decided(other: Decision, what: str) -> CoterieError:
    return Conflict(
        "identity.decided",
        f"decision {other.decision} says already that {what}.",
        where={"decision": other.decision},
    )
