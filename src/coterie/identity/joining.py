"""Why two identities are one person, or are not: the chain of records between them, and where it is broken."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from heapq import heappop, heappush
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

from coterie.core.ids import Identity, person_id
from coterie.identity import decisions, graph, sightings
from coterie.identity.decisions import Decision, DecisionKind
from coterie.identity.graph import Eviction, PersonChange, RemovedLink
from coterie.identity.sightings import Sighting
from coterie.store.history import quote

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Pair = tuple[int, int]


class Step(msgspec.Struct, frozen=True):
    """A link of the chain.

    `first` and `last` are the first and the last record that shows both identities, `records` how many do, `decisions`
    the merges that join them. Where the link is not in force, `removed` says by what it went; None when it was never
    made: one of the two is never linked, or what shows them together holds two values of a unique namespace.
    """

    a: Identity
    b: Identity
    first_at: int
    last_at: int
    records: int
    datasets: tuple[str, ...]
    first: Sighting | None
    last: Sighting | None
    decisions: tuple[Decision, ...]
    in_force: bool
    removed: RemovedLink | None


class Joining(msgspec.Struct, frozen=True):
    """Why two identities are one person, or are not.

    Parameters
    ----------
    a, b : Identity
        The two.
    view : str
        In which view.
    joined : bool
        Whether they are one person.
    person_a, person_b : str
        The persons they belong to.
    chain : tuple of Step
        The links that lead from one to the other: of those in force the fewest, among as few the newest. When they are
        not one person, the chain with the fewest links that are not in force; empty when no records connect them.
    evicted : tuple of Eviction
        Identities of the chain that left a graph because it was full.
    decisions : tuple of Decision
        Decisions in force about identities of the chain, or about the two.
    blocked : tuple of str
        Namespaces of the two, or of the chain, whose identities are never linked.
    history : tuple of PersonChange
        When identities went from one of the two persons to the other.
    """

    a: Identity
    b: Identity
    view: str
    joined: bool
    person_a: str
    person_b: str
    chain: tuple[Step, ...]
    evicted: tuple[Eviction, ...]
    decisions: tuple[Decision, ...]
    blocked: tuple[str, ...]
    history: tuple[PersonChange, ...]


def explain(con: DuckDBPyConnection, view: str, a: Identity, b: Identity, unlinked: Iterable[str]) -> Joining:
    """Explain why two identities are one person in a view, or are not.

    Parameters
    ----------
    con : DuckDBPyConnection
        Connection to the history.
    view : str
        Name of a view.
    a, b : Identity
        The two identities.
    unlinked : iterable of str
        Codes of the namespaces whose identities are never linked.

    Raises
    ------
    NotFound
        ``identity.not-found`` when no live record holds one of them.
    """
    ends = (_number(con, view, a), _number(con, view, b))
    persons = (_person(con, view, ends[0]), _person(con, view, ends[1]))
    joined = persons[0] == persons[1]
    members = graph.members(con, view, ends[0])
    seen = _links_in_force(con, members) if joined else _evidence(con, ends)
    path = _path(seen, *ends)
    on_path = list(dict.fromkeys([*ends, *(node for pair in path for node in pair)]))
    founders = graph.named(con, persons)
    about = decisions.about(con, on_path)
    whole = frozenset(unlinked)
    return Joining(
        a,
        b,
        view,
        joined,
        person_id(*founders[persons[0]]),
        person_id(*founders[persons[1]]),
        _steps(con, path, seen, about),
        tuple(item for item in graph.evicted(con, on_path) if not joined),
        tuple(about),
        tuple(
            code
            for code in dict.fromkeys(item.namespace for item in graph.named(con, on_path).values())
            if code in whole
        ),
        _between(con, view, persons) if not joined else (),
    )


class _Seen(msgspec.Struct, frozen=True):
    """A pair of identities that were seen together: when last, and whether their link is in force."""

    last_at: int
    in_force: bool


def _number(con: DuckDBPyConnection, view: str, identity: Identity) -> int:
    number = graph.find(con, *identity)
    if number is None or graph.person(con, view, number) is None:
        raise graph.unknown(identity)
    return number


def _person(con: DuckDBPyConnection, view: str, identity: int) -> int:
    found = graph.person(con, view, identity)
    assert found is not None, "an identity that was looked up has a person"
    return found


def _links_in_force(con: DuckDBPyConnection, members: Sequence[int]) -> dict[Pair, _Seen]:
    return {
        (members[link.a], members[link.b]): _Seen(link.last_at, in_force=True) for link in graph.links(con, members)
    }


def _evidence(con: DuckDBPyConnection, ends: Sequence[int]) -> dict[Pair, _Seen]:
    """Return the pairs seen together by which records connect two identities of different persons.

    Only graphs that were replayed lost links. Two identities of others can be connected by nothing but an identity that
    is never linked, or be such a one: they were seen together, or both with it.
    """
    rows = con.execute(
        """
        WITH near AS (
            SELECT b AS identity, a AS "of" FROM live_link WHERE a IN ($1, $2)
            UNION SELECT a, b FROM live_link WHERE b IN ($1, $2)
        ), shared AS (
            SELECT component FROM folded WHERE identity = $1 INTERSECT SELECT component FROM folded WHERE identity = $2
        ), mine AS (
            SELECT identity FROM folded SEMI JOIN shared USING (component)
            UNION SELECT identity FROM near GROUP BY identity HAVING count(*) = 2
            UNION SELECT unnest([$1, $2]::INTEGER[])
        ), pair AS (
            SELECT a, b, last_at FROM live_link
            UNION ALL
            SELECT a, b, recorded_at FROM (
                SELECT unnest(identities) AS a, identities, recorded_at FROM decision
                WHERE kind = 'merge' AND withdrawn_at IS NULL
            ), unnest(identities) AS other(b) WHERE a < b
        )
        SELECT p.a, p.b, max(p.last_at), bool_or(l.a IS NOT NULL OR (f.identity IS NULL AND q.person = r.person))
        FROM pair p
        LEFT JOIN graph_link l ON l.a = p.a AND l.b = p.b LEFT JOIN folded f ON f.identity = p.a
        LEFT JOIN person_of q ON q.identity = p.a LEFT JOIN person_of r ON r.identity = p.b
        WHERE p.a IN (SELECT identity FROM mine) AND p.b IN (SELECT identity FROM mine)
        GROUP BY p.a, p.b
        """,
        list(ends),
    ).fetchall()
    return {(a, b): _Seen(last_at, in_force) for a, b, last_at, in_force in rows}


def _path(seen: Mapping[Pair, _Seen], start: int, goal: int) -> list[Pair]:
    """Return the pairs that lead from one identity to another: fewest out of force, then fewest, then newest."""
    near: dict[int, list[tuple[int, _Seen]]] = {}
    for (a, b), link in seen.items():
        near.setdefault(a, []).append((b, link))
        near.setdefault(b, []).append((a, link))
    came_from: dict[int, int] = {}
    # a chain is as new as its oldest link; the sum is compared first, so what is newest decides among equals
    queue: list[tuple[int, int, int, int, int]] = [(0, 0, 0, start, start)]
    while queue:
        broken, length, age, node, before = heappop(queue)
        if node in came_from:
            continue
        came_from[node] = before
        if node == goal:
            break
        for other, link in near.get(node, ()):
            if other not in came_from:
                older = -link.last_at if length == 0 else max(age, -link.last_at)
                heappush(queue, (broken + (not link.in_force), length + 1, older, other, node))
    if goal not in came_from:
        return []
    walked = [goal]
    while walked[-1] != start:
        walked.append(came_from[walked[-1]])
    walked.reverse()
    return list(pairwise(walked))


def _steps(
    con: DuckDBPyConnection, path: Sequence[Pair], seen: Mapping[Pair, _Seen], about: Iterable[Decision]
) -> tuple[Step, ...]:
    if not path:
        return ()
    names = graph.named(con, (node for pair in path for node in pair))
    merges = [item for item in about if item.kind is DecisionKind.MERGE]
    removals: dict[Pair, RemovedLink] = {}
    numbers = {identity: number for number, identity in names.items()}
    for item in graph.removed(con, list(names)):
        if item.a in numbers and item.b in numbers:
            removals[numbers[item.a], numbers[item.b]] = item  # the last one stays
    steps = []
    for left, right in path:
        pair = (min(left, right), max(left, right))
        (made,) = con.execute(
            """
            SELECT min(l.first_at), max(l.last_at), coalesce(sum(l.records), 0)::BIGINT,
                   list_sort(list(DISTINCT d.id) FILTER (WHERE d.id IS NOT NULL))
            FROM live_link l JOIN dataset d ON d.dataset = l.dataset WHERE l.a = $1 AND l.b = $2
            """,
            list(pair),
        ).fetchall()
        first_at, last_at, records, datasets = made
        found = sightings.first_and_last(con, *pair)
        joining = tuple(item for item in merges if {names[left], names[right]} <= set(item.identities))
        moments = [item.recorded_at for item in joining]
        steps.append(
            Step(
                names[left],
                names[right],
                min([*moments, *([] if first_at is None else [first_at])]),
                max([*moments, *([] if last_at is None else [last_at])]),
                records,
                tuple(datasets or ()),
                found[0] if found else None,
                found[1] if found else None,
                joining,
                seen[pair].in_force,
                None if seen[pair].in_force else removals.get(pair),
            )
        )
    return tuple(steps)


def _between(con: DuckDBPyConnection, view: str, persons: tuple[int, int]) -> tuple[PersonChange, ...]:
    """Return the changes by which identities went from one of two persons to the other."""
    rows = con.execute(
        f"""
        SELECT l.person, l."into", l."at", l.kind, b.id, l.decision
        FROM {quote(f"lineage_{view}")} l LEFT JOIN batch b ON b.batch = l.batch
        WHERE (l.person = $1 AND l."into" = $2) OR (l.person = $2 AND l."into" = $1)
        ORDER BY l."at", l.batch, l.decision, l.kind
        """,
        list(persons),
    ).fetchall()
    names = graph.named(con, persons)
    return tuple(PersonChange(person_id(*names[old]), person_id(*names[new]), *rest) for old, new, *rest in rows)
