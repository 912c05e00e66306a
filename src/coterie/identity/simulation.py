"""What graphs a few records give, without storing anything: the fold that production runs, shown event by event."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import combinations

import msgspec
import numpy as np
import numpy.typing as npt

from coterie.core.errors import Invalid, NotFound
from coterie.core.ids import Identity
from coterie.identity.fold import CUT_UNIQUE, Folded, Records, Rules, fold, prepared, records_of
from coterie.identity.namespaces import MAX_IDENTITIES, Namespace, NamespaceType
from coterie.identity.settings import GRAPH_LIMIT, Algorithm, IdentitySettings, priorities
from coterie.ingest.identities import BLOCKED, LONGEST


class Rule(msgspec.Struct, frozen=True):
    """A namespace as a simulation sees it; `priority` 1 is the highest.

    If one has no priority, all are put in order: persons before devices, those with a priority first.
    """

    code: str
    type: NamespaceType
    unique: bool = False
    priority: int | None = None


class KeptLink(msgspec.Struct, frozen=True):
    """A link in force, and the number of the event that last made it."""

    a: Identity
    b: Identity
    event: int


class RemovedLink(msgspec.Struct, frozen=True):
    """A link that was cut: the event that had made it, the one that removed it, and why.

    `because` is the code of the unique namespace, None when an eviction took the link along. `back` tells whether it
    was made again since.
    """

    a: Identity
    b: Identity
    event: int
    removed_by: int
    because: str | None
    back: bool


class EvictedIdentity(msgspec.Struct, frozen=True):
    """An identity that had to leave a full graph, and the event that filled it."""

    identity: Identity
    event: int


class Simulation(msgspec.Struct, frozen=True):
    """What events give. `graphs` have two or more identities; `ignored` are the events that link nothing."""

    kept: tuple[KeptLink, ...]
    removed: tuple[RemovedLink, ...]
    evicted: tuple[EvictedIdentity, ...]
    graphs: tuple[tuple[Identity, ...], ...]
    ignored: tuple[int, ...]


class Preset(msgspec.Struct, frozen=True):
    """An example to start from: a title, namespaces, and events in the form of `parse_simulation`."""

    title: str
    rules: tuple[Rule, ...]
    text: str


PRESETS: Mapping[str, Preset] = {
    "shared-device": Preset(
        "Two persons log in on one browser",
        (Rule("CRMID", NamespaceType.CROSS_DEVICE, True, 1), Rule("ECID", NamespaceType.COOKIE, False, 2)),
        "CRMID: Tom, ECID: 111\nCRMID: Summer, ECID: 222\nCRMID: Summer, ECID: 111\n",
    ),
    "non-unique-phone": Preset(
        "Two persons give the same phone number",
        (
            Rule("CRMID", NamespaceType.CROSS_DEVICE, True, 1),
            Rule("Phone", NamespaceType.PHONE, False, 2),
            Rule("ECID", NamespaceType.COOKIE, False, 3),
        ),
        "CRMID: Tom, Phone: 123-4567\nCRMID: Tom, ECID: 111\nCRMID: Summer, Phone: 123-4567\n"
        "CRMID: Summer, ECID: 222\n",
    ),
    "bad-values": Preset(
        "A login that says nothing takes browsers from their owners",
        (
            Rule("CRMID", NamespaceType.CROSS_DEVICE, True, 1),
            Rule("Email", NamespaceType.EMAIL, False, 2),
            Rule("ECID", NamespaceType.COOKIE, False, 3),
        ),
        "CRMID: Tom, ECID: 111\nCRMID: user_null, ECID: 111\nCRMID: user_null, ECID: 222\n"
        "CRMID: Summer, ECID: 222\nEmail: anonymous, ECID: 333\n",
    ),
}
"""Examples, by name."""


def simulate(
    rules: Iterable[Rule],
    algorithm: str,
    records: Iterable[Sequence[Identity]],
    *,
    times: Sequence[int] | None = None,
    limit: int = GRAPH_LIMIT,
    blocked: Collection[str] = (),
) -> Simulation:
    """Return the graphs that events give, and how they came about.

    Parameters
    ----------
    rules : iterable of Rule
        The namespaces.
    algorithm : {"none", "optimized"}
        ``none`` joins all that is linked; ``optimized`` keeps unique namespaces unique.
    records : iterable of sequences of Identity
        The identities of each event; events are numbered from 1.
    times : sequence of int, optional
        When each event happened; its number if not given.
    limit : int
        Most identities of a graph, 0 for no limit.
    blocked : collection of str
        Codes of namespaces that are never linked.

    Returns
    -------
    Simulation
        Links kept and removed, identities evicted, graphs; all sorted.

    Raises
    ------
    Invalid
        ``identity.algorithm``.
    NotFound
        ``namespace.not-found``.
    """
    if algorithm not in tuple(Algorithm):
        raise Invalid(
            "identity.algorithm", f"{algorithm!r} is not an algorithm.", hint="Algorithms are none and optimized."
        )
    known = {rule.code: rule for rule in rules}
    given = list(records)
    for record in given:
        for identity in record:
            if identity.namespace not in known:
                raise NotFound.named("namespace", identity.namespace, known)
    identities = sorted({identity for record in given for identity in record})
    number = {identity: place for place, identity in enumerate(identities)}
    codes = {code: place for place, code in enumerate(known)}
    namespace = np.array([codes[identity.namespace] for identity in identities], np.int32)
    raw = records_of(
        (time, [number[identity] for identity in _taken_in(record, known)])
        for time, record in zip(times or range(1, len(given) + 1), given, strict=True)
    )
    linkable = [code not in blocked for code, _ in identities]
    terms = _terms(list(known.values()), limit, optimized=algorithm == Algorithm.OPTIMIZED)
    linked, places = prepared(raw, namespace, terms, np.array(linkable, np.bool_))
    folded = fold(len(identities), namespace, linked, terms)
    return _told(folded, linked, places + 1, identities, list(known), len(given))


def _taken_in(record: Iterable[Identity], known: Mapping[str, Rule]) -> set[Identity]:
    """Return the identities of an event that the intake would keep for linking, whatever the settings are."""
    every = set(record)
    if any(len(value) > LONGEST for _, value in every):
        return set()
    named = {item for item in every if known[item.namespace].type.links and item.value.strip().lower() not in BLOCKED}
    return named if len(named) <= MAX_IDENTITIES else set()


def rules_of(settings: IdentitySettings, namespaces: Mapping[str, Namespace]) -> list[Rule]:
    """Return the namespaces of a sandbox with the priorities that its settings give them."""
    priority = priorities(settings, namespaces)
    return [
        Rule(item.code, item.type, item.code in settings.unique, priority.get(item.code, 1))
        for item in namespaces.values()
    ]


def parse_simulation(text: str, known: Collection[str] | None = None) -> list[list[Identity]]:
    """Return the events that a text describes.

    Each line is an event: identities separated by commas, each a namespace and a value separated by the first colon.
    Blanks around them and empty lines do not count. Letter case does.

    Parameters
    ----------
    text : str
        The events.
    known : collection of str, optional
        Codes of namespaces; others are refused.

    Raises
    ------
    Invalid
        ``simulation.identity``, with line and column.
    NotFound
        ``namespace.not-found``, with line and column.

    Examples
    --------
    >>> parse_simulation("CRMID: Tom, ECID: 111")
    [[Identity(namespace='CRMID', value='Tom'), Identity(namespace='ECID', value='111')]]
    """
    events: list[list[Identity]] = []
    for line, event in enumerate(text.splitlines(), 1):
        column = 1
        record = []
        for part in event.split(",") if event.strip() else ():
            start = column + len(part) - len(part.lstrip())
            record.append(_identity(part.strip(), {"line": line, "column": start}, known))
            column += len(part) + 1
        if record:
            events.append(record)
    return events


def _identity(text: str, where: Mapping[str, int], known: Collection[str] | None) -> Identity:
    code, colon, value = text.partition(":")
    if not colon or not code.strip():
        raise Invalid(
            "simulation.identity",
            f"line {where['line']}, column {where['column']}: {text!r} is not an identity.",
            hint="Write namespace, colon and value, as in ECID: 111; commas separate identities.",
            where=where,
        )
    if known is not None and code.strip() not in known:
        unknown = NotFound.named("namespace", code.strip(), known)
        raise NotFound(
            unknown.code,
            f"line {where['line']}, column {where['column']}: {unknown.message}",
            hint=unknown.hint,
            where={**unknown.where, **where},
        )
    return Identity(code.strip(), value.strip())


def _terms(rules: Sequence[Rule], limit: int, *, optimized: bool) -> Rules:
    priority = [rule.priority for rule in rules]
    if any(given is None for given in priority):
        places = sorted(
            range(len(rules)),
            key=lambda place: (not rules[place].type.person, priority[place] is None, priority[place] or 0),
        )
        priority = [places.index(place) + 1 for place in range(len(rules))]
    return Rules(
        np.array(priority, np.int32),
        np.array([rule.unique for rule in rules], np.bool_),
        np.array([rule.type.rank for rule in rules], np.int8),
        limit,
        optimized,
    )


def _told(
    folded: Folded,
    records: Records,
    events: npt.NDArray[np.intp],
    identities: Sequence[Identity],
    codes: Sequence[str],
    count: int,
) -> Simulation:
    """Name what a fold gave; `events` are the numbers of its records."""
    number: list[int] = events.tolist()
    links, cut, gone = folded.links, folded.removals, folded.evictions
    in_force = set(zip(links.a.tolist(), links.b.tolist(), strict=True))
    cuts: dict[int, list[tuple[int, int, str | None]]] = {}
    for a, b, record, place, kind in zip(
        *(column.tolist() for column in (cut.a, cut.b, cut.record, cut.namespace, cut.kind)), strict=True
    ):
        cuts.setdefault(record, []).append((a, b, codes[place] if kind == CUT_UNIQUE else None))
    made: dict[tuple[int, int], int] = {}
    removed = []
    for record, event in enumerate(number):
        begin, end = records.offsets[record : record + 2].tolist()
        made.update(dict.fromkeys(combinations(records.identities[begin:end].tolist(), 2), event))
        for a, b, because in cuts.get(record, ()):
            link = RemovedLink(identities[a], identities[b], made[a, b], event, because, (a, b) in in_force)
            removed.append(link)
    graphs: dict[int, list[Identity]] = {}
    for identity, founder in zip(identities, folded.graph.tolist(), strict=True):
        graphs.setdefault(founder, []).append(identity)
    return Simulation(
        tuple(KeptLink(identities[a], identities[b], made[a, b]) for a, b in sorted(in_force)),
        tuple(removed),
        tuple(
            EvictedIdentity(identities[identity], number[record])
            for identity, record in zip(gone.identity.tolist(), gone.record.tolist(), strict=True)
        ),
        tuple(tuple(graph) for graph in graphs.values() if len(graph) > 1),
        tuple(sorted(set(range(1, count + 1)) - set(number))),
    )
