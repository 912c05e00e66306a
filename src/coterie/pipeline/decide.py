"""Decisions about identities: checked against graphs, settings and other decisions, then logged and applied."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from coterie.core.clock import format_instant
from coterie.core.errors import Conflict, CoterieError, Invalid, NotFound
from coterie.core.ids import Identity
from coterie.core.progress import Progress
from coterie.identity import decisions, graph
from coterie.identity.decisions import Decision, DecisionKind
from coterie.identity.graph import Members
from coterie.identity.namespaces import MAX_IDENTITIES
from coterie.identity.settings import unlinked
from coterie.ingest.identities import BLOCKED, LONGEST
from coterie.pipeline.apply import commit
from coterie.pipeline.definitions import Definitions
from coterie.pipeline.effects.decisions import Regrouped
from coterie.store.sandbox import Sandbox

USER = "user"
"""Source of a decision that a person made without a proposal."""


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
    numbers = {identity: _known(sandbox, identity) for identity in chosen}
    _check_merge(sandbox, numbers)
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
    con = sandbox.history.con
    found = decisions.find(con, number) if type(number) is int and 0 < number < 2**31 else None
    if found is None:
        raise NotFound.named("decision", str(number), (str(item.decision) for item in decisions.every(con)))
    if found.withdrawn_at is not None:
        raise Conflict(
            "identity.undone",
            f"decision {number} was undone at {format_instant(found.withdrawn_at)} already.",
            where={"decision": number},
        )
    changed = commit(sandbox, "identity.undone", {"decision": number}, progress)
    return _told(sandbox, number, changed)


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
    body = {
        "decision": number,
        "kind": str(kind),
        "identities": [list(identity) for identity in identities],
        "reason": reason,
        "source": source,
        "weight": weight,
    }
    return _told(sandbox, number, commit(sandbox, "identity.decided", body, progress))


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


def _check_merge(sandbox: Sandbox, numbers: dict[Identity, int]) -> None:
    """Refuse a merge that would not give one graph: what keeps its identities apart is said."""
    con, definitions = sandbox.history.con, Definitions(sandbox.catalog)
    settings = definitions.identity_settings()
    named = " and ".join(map(str, numbers))
    _check_linkable(definitions, numbers)
    graphs = {graph.members(con, "default", number) for number in numbers.values()}
    if len(graphs) == 1:
        raise _refused(named, "they are one person already", "Nothing needs to be decided.")
    together = sorted(set().union(*graphs))
    names = graph.named(con, together)
    # without rules a graph may hold several, but a record or a merge that names two of them links nobody
    held = [names[number] for number in together] if settings.optimized else list(numbers)
    where = "in a graph, and theirs would hold" if settings.optimized else "in a record, and they are"
    for code in settings.unique:
        values = [str(identity) for identity in held if identity.namespace == code]
        if len(values) > 1:
            raise _refused(
                named,
                f"{code} is unique {where} {', '.join(values[:5])}",
                "Merge identities of one person, or change the identity settings.",
                namespace=code,
            )
    for other in decisions.about(con, together):
        apart = other.kind is DecisionKind.SPLIT and set(other.identities) <= set(names.values())
        if apart or (other.kind is DecisionKind.NEVER and other.identities[0] in numbers):
            what = "is never linked" if other.kind is DecisionKind.NEVER else "are kept apart"
            raise _refused(
                named,
                f"decision {other.decision} says that {' and '.join(map(str, other.identities))} {what}",
                f"Undo it first: coterie identity undo {other.decision}",
                decision=other.decision,
            )
    if 0 < settings.graph_limit < len(together):
        raise _refused(
            named,
            f"their graph would have {len(together)} identities, and {settings.graph_limit} is the most",
            "Raise the limit in the identity settings.",
        )


def _check_linkable(definitions: Definitions, identities: Iterable[Identity]) -> None:
    never = unlinked(definitions.identity_settings(), definitions.namespaces())
    for identity in identities:
        if identity.namespace in never:
            raise _refused(
                str(identity),
                f"identities of {identity.namespace} are never linked, because of its type or the identity settings",
                "Merge other identities of the person.",
                namespace=identity.namespace,
            )


def _refused(named: str, why: str, hint: str, **where: object) -> Conflict:
    return Conflict("identity.merge-refused", f"{named} cannot be merged: {why}.", hint=hint, where=where)
