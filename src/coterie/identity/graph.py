"""The identity graph of one person, whole: identities, links and their evidence, what was removed, and its history."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from coterie.core.errors import NotFound
from coterie.core.ids import Identity, person_id
from coterie.identity import decisions, sightings
from coterie.identity.decisions import Decision, DecisionKind
from coterie.identity.sightings import Sighting
from coterie.store.history import quote

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class GraphIdentity(msgspec.Struct, frozen=True):
    """An identity of a graph, with the first and last instants at which it was seen."""

    namespace: str
    value: str
    first_at: int | None
    last_at: int | None


class GraphLink(msgspec.Struct, frozen=True):
    """A link in force: its ends as places in `Graph.identities`, and what made it: records and decisions."""

    a: int
    b: int
    first_at: int
    last_at: int
    records: int
    datasets: tuple[str, ...]
    batches: tuple[str, ...]
    decisions: tuple[int, ...] = ()


class RemovedLink(msgspec.Struct, frozen=True):
    """A link that was removed.

    Parameters
    ----------
    a, b : Identity
        Its ends; one of them may be in another graph.
    at : int
        When it was removed.
    kind : str
        ``rule`` when a namespace would have had two values, ``evicted`` when the graph was full, ``split`` when a
        decision keeps identities apart.
    namespace : str, optional
        Code of the unique namespace.
    cause : Sighting, optional
        The record that made it go.
    decision : int, optional
        The decision that did.
    back : bool
        Whether it was seen again and is in force.
    """

    a: Identity
    b: Identity
    at: int
    kind: str
    namespace: str | None
    cause: Sighting | None
    decision: int | None
    back: bool


class Eviction(msgspec.Struct, frozen=True):
    """An identity that left a graph because that was full, with the record or decision that needed the room."""

    identity: Identity
    at: int
    cause: Sighting | None
    decision: int | None


class PersonChange(msgspec.Struct, frozen=True):
    """Identities went from one person to another.

    `kind` is ``merged`` when all joined others, ``split`` when some left, ``renamed`` when the person is the same one
    and another of its identities gives the name.
    """

    person: str
    into: str
    at: int
    kind: str
    batch: str | None
    decision: int | None


class Graph(msgspec.Struct, frozen=True):
    """All that is known of which identities are one person.

    `removed` and `evicted` are about links and identities that have something to do with the graph, `decisions` those
    in force that name one of its identities, `history` the changes of persons that these identities were.
    """

    person: str
    view: str
    identities: tuple[GraphIdentity, ...]
    links: tuple[GraphLink, ...]
    removed: tuple[RemovedLink, ...] = ()
    evicted: tuple[Eviction, ...] = ()
    decisions: tuple[Decision, ...] = ()
    history: tuple[PersonChange, ...] = ()


class Members(msgspec.Struct, frozen=True):
    """A person and its identities."""

    person: str
    identities: tuple[Identity, ...]


def find(con: DuckDBPyConnection, namespace: str, value: str) -> int | None:
    """Return the number of an identity, or None when it was never seen."""
    rows = con.execute(
        "SELECT i.identity FROM identity i WHERE i.value = $value "
        "AND i.namespace = (SELECT n.namespace FROM namespace n WHERE n.code = $namespace)",
        {"namespace": namespace, "value": value},
    ).fetchall()
    return rows[0][0] if rows else None


def find_all(con: DuckDBPyConnection, identities: Iterable[Identity]) -> dict[Identity, int]:
    """Return the numbers of identities; those that were never seen are left out."""
    listed = list(identities)
    rows = con.execute(
        """
        SELECT w.code, w.value, i.identity
        FROM (SELECT unnest($1::VARCHAR[]) AS code, unnest($2::VARCHAR[]) AS value) w
        JOIN namespace n ON n.code = w.code JOIN identity i ON i.namespace = n.namespace AND i.value = w.value
        """,
        [[item.namespace for item in listed], [item.value for item in listed]],
    ).fetchall()
    return {Identity(code, value): number for code, value, number in rows}


def unknown(identity: Identity) -> NotFound:
    """Return the error that nobody has an identity."""
    return NotFound(
        "identity.not-found",
        f"no profile has the identity {identity}.",
        hint="Namespace codes are case-sensitive; `coterie identity stats` lists those in use.",
        where={"namespace": identity.namespace, "value": identity.value},
    )


def person(con: DuckDBPyConnection, view: str, identity: int) -> int | None:
    """Return the person that an identity belongs to; None when no live record holds it."""
    rows = con.execute(f"SELECT person FROM {_persons(view)} WHERE identity = $1", [identity]).fetchall()
    return rows[0][0] if rows else None


def members(con: DuckDBPyConnection, view: str, identity: int) -> tuple[int, ...]:
    """Return the identities of the person that an identity belongs to, the oldest first; empty when none."""
    table = _persons(view)
    rows = con.execute(
        f"SELECT identity FROM {table} WHERE person = (SELECT person FROM {table} WHERE identity = $1) ORDER BY ALL",
        [identity],
    ).fetchall()
    return tuple(row[0] for row in rows)


def named(con: DuckDBPyConnection, identities: Iterable[int]) -> dict[int, Identity]:
    """Return identities by their numbers."""
    rows = con.execute(
        "SELECT i.identity, n.code, i.value FROM identity i JOIN namespace n ON n.namespace = i.namespace "
        "WHERE i.identity IN (SELECT unnest($1::INTEGER[]))",
        [list(identities)],
    ).fetchall()
    return {number: Identity(code, value) for number, code, value in rows}


def graphs_of(con: DuckDBPyConnection, identities: Iterable[Identity]) -> dict[Identity, frozenset[Identity]]:
    """Return the graphs that identities belong to, by each of their members; those that are nobody's are left out."""
    rows = con.execute(
        """
        SELECT p.person, n.code, i.value FROM person_of p
        JOIN identity i ON i.identity = p.identity JOIN namespace n ON n.namespace = i.namespace
        WHERE p.person IN (SELECT person FROM person_of WHERE identity IN (SELECT unnest($1::INTEGER[])))
        """,
        [list(find_all(con, identities).values())],
    ).fetchall()
    persons: dict[int, set[Identity]] = {}
    for number, code, value in rows:
        persons.setdefault(number, set()).add(Identity(code, value))
    return {member: whole for whole in map(frozenset, persons.values()) for member in whole}


def of_persons(con: DuckDBPyConnection, persons: Iterable[int]) -> tuple[Members, ...]:
    """Return persons of the identity graph with their identities; those that are nobody are left out."""
    rows = con.execute(
        """
        SELECT person, list(identity ORDER BY identity) FROM person_of
        WHERE person IN (SELECT unnest($1::INTEGER[])) GROUP BY person ORDER BY person
        """,
        [list(persons)],
    ).fetchall()
    names = named(con, (identity for _, listed in rows for identity in listed))
    return tuple(
        Members(person_id(*names[number]), tuple(names[identity] for identity in listed)) for number, listed in rows
    )


def graph(con: DuckDBPyConnection, view: str, namespace: str, value: str) -> Graph | None:
    """Return the graph that holds an identity.

    Parameters
    ----------
    con : DuckDBPyConnection
        Connection to the history.
    view : str
        Name of the view; in one without stitching every graph is a single identity.
    namespace, value : str
        Any identity of the graph.

    Returns
    -------
    Graph or None
        None when no live record holds the identity.
    """
    identity = find(con, namespace, value)
    mine = members(con, view, identity) if identity is not None else ()
    if identity is None or not mine:
        return None
    founder = person(con, view, identity)
    assert founder is not None
    return Graph(
        person_id(*named(con, [founder])[founder]),
        view,
        _identities(con, mine),
        links(con, mine),
        removed(con, mine),
        evicted(con, mine),
        tuple(decisions.about(con, mine)),
        _history(con, view, mine),
    )


def _identities(con: DuckDBPyConnection, mine: Sequence[int]) -> tuple[GraphIdentity, ...]:
    rows = con.execute(
        """
        WITH sighting AS (
            SELECT a AS identity, first_at, last_at FROM live_link WHERE a IN (SELECT unnest($1::INTEGER[]))
            UNION ALL SELECT b, first_at, last_at FROM live_link WHERE b IN (SELECT unnest($1::INTEGER[]))
            UNION ALL SELECT "$identity", "timestamp", "timestamp" FROM live_event
                WHERE "$identity" IN (SELECT unnest($1::INTEGER[]))
            UNION ALL SELECT r."$identity", b.recorded_at, b.recorded_at
                FROM live_record r JOIN batch b ON b.batch = r."$batch"
                WHERE r."$identity" IN (SELECT unnest($1::INTEGER[]))
        )
        SELECT n.code, i.value, min(s.first_at), max(s.last_at)
        FROM identity i JOIN namespace n ON n.namespace = i.namespace LEFT JOIN sighting s ON s.identity = i.identity
        WHERE i.identity IN (SELECT unnest($1::INTEGER[]))
        GROUP BY i.identity, n.code, i.value ORDER BY i.identity
        """,
        [mine],
    ).fetchall()
    return tuple(GraphIdentity(*row) for row in rows)


def links(con: DuckDBPyConnection, mine: Sequence[int]) -> tuple[GraphLink, ...]:
    """Return the links in force between the identities of one graph, given by number in the order of the graph.

    A graph that was replayed has its own links; in any other all pairs that were seen are in force.
    """
    made: dict[tuple[int, int], tuple[Any, ...]] = {}
    for a, b, *evidence in con.execute(
        """
        SELECT l.a, l.b, min(l.first_at), max(l.last_at), sum(l.records)::BIGINT,
               list_sort(list(DISTINCT d.id)), list(DISTINCT b.id ORDER BY b.id)
        FROM live_link l JOIN dataset d ON d.dataset = l.dataset JOIN batch b ON b.batch = l.batch
        WHERE l.a IN (SELECT unnest($1::INTEGER[])) AND l.b IN (SELECT unnest($1::INTEGER[]))
        GROUP BY l.a, l.b
        """,
        [mine],
    ).fetchall():
        made[a, b] = tuple(evidence)
    decided: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for a, b, at, number in con.execute(
        """
        SELECT a, b, recorded_at, decision FROM (
            SELECT decision, recorded_at, unnest(identities) AS a, identities FROM decision
            WHERE kind = $kind AND withdrawn_at IS NULL AND list_has_any(identities, $mine::INTEGER[])
        ), unnest(identities) AS other(b)
        WHERE a < b AND list_contains($mine::INTEGER[], a) AND list_contains($mine::INTEGER[], b)
        ORDER BY decision
        """,
        {"kind": str(DecisionKind.MERGE), "mine": mine},
    ).fetchall():
        decided.setdefault((a, b), []).append((at, number))
    dates = _in_force(con, mine)
    place = {member: position for position, member in enumerate(mine)}
    found = []
    for a, b in sorted(made.keys() | decided.keys()) if dates is None else sorted(dates):
        first, last, records, datasets, batches = made.get((a, b), (None, None, 0, (), ()))
        moments = [moment for moment in (first, last, *(at for at, _ in decided.get((a, b), ()))) if moment is not None]
        first, last = (min(moments), max(moments)) if dates is None else dates[a, b]
        numbers = tuple(number for _, number in decided.get((a, b), ()))
        found.append(GraphLink(place[a], place[b], first, last, records, tuple(datasets), tuple(batches), numbers))
    return tuple(found)


def _in_force(con: DuckDBPyConnection, mine: Sequence[int]) -> dict[tuple[int, int], tuple[int, int]] | None:
    """Return the dates of the links of a graph that was replayed; None for any other graph."""
    inside = "IN (SELECT unnest($1::INTEGER[]))"
    if not con.execute(f"SELECT 1 FROM folded WHERE identity {inside} LIMIT 1", [mine]).fetchall():
        return None
    rows = con.execute(
        f"SELECT a, b, first_at, last_at FROM graph_link WHERE a {inside} AND b {inside}", [mine]
    ).fetchall()
    return {(a, b): (first, last) for a, b, first, last in rows}


def removed(con: DuckDBPyConnection, mine: Sequence[int]) -> tuple[RemovedLink, ...]:
    """Return the removals of links that have an end among some identities, in the order of time."""
    rows = con.execute(
        """
        SELECT r.a, r.b, r."at", r.kind, n.code, r.batch, r."row", r.decision,
               EXISTS (FROM graph_link l WHERE l.a = r.a AND l.b = r.b)
        FROM removed_link r LEFT JOIN namespace n ON n.namespace = r.namespace
        WHERE r.a IN (SELECT unnest($1::INTEGER[])) OR r.b IN (SELECT unnest($1::INTEGER[]))
        ORDER BY r."at", r.a, r.b
        """,
        [mine],
    ).fetchall()
    names = named(con, {end for row in rows for end in row[:2]})
    causes = sightings.find(con, ((batch, at) for *_, batch, at, _, _ in rows if batch is not None))
    return tuple(
        RemovedLink(names[a], names[b], moment, kind, code, causes.get((batch, row)), decision, back)
        for a, b, moment, kind, code, batch, row, decision, back in rows
    )


def evicted(con: DuckDBPyConnection, mine: Sequence[int]) -> tuple[Eviction, ...]:
    """Return the evictions of some identities and of those that were linked with them, in the order of time."""
    rows = con.execute(
        """
        SELECT e.identity, e."at", e.batch, e."row", e.decision FROM evicted e
        WHERE e.identity IN (SELECT unnest($1::INTEGER[])) OR EXISTS (
            FROM removed_link r WHERE r.kind = 'evicted' AND r."at" = e."at"
            AND (r.a = e.identity AND r.b IN (SELECT unnest($1::INTEGER[]))
                 OR r.b = e.identity AND r.a IN (SELECT unnest($1::INTEGER[])))
        )
        ORDER BY e."at", e.identity
        """,
        [mine],
    ).fetchall()
    names = named(con, (row[0] for row in rows))
    causes = sightings.find(con, ((batch, row) for _, _, batch, row, _ in rows if batch is not None))
    return tuple(
        Eviction(names[identity], moment, causes.get((batch, row)), decision)
        for identity, moment, batch, row, decision in rows
    )


def _history(con: DuckDBPyConnection, view: str, mine: Sequence[int]) -> tuple[PersonChange, ...]:
    rows = con.execute(
        f"""
        SELECT l.person, l."into", l."at", l.kind, b.id, l.decision
        FROM {quote(f"lineage_{view}")} l LEFT JOIN batch b ON b.batch = l.batch
        WHERE l.person IN (SELECT unnest($1::INTEGER[])) OR l."into" IN (SELECT unnest($1::INTEGER[]))
        ORDER BY l."at", l.batch, l.decision, l.kind, l.person, l."into"
        """,
        [mine],
    ).fetchall()
    names = named(con, {end for row in rows for end in row[:2]})
    return tuple(PersonChange(person_id(*names[old]), person_id(*names[new]), *rest) for old, new, *rest in rows)


def _persons(view: str) -> str:
    return quote(f"person_of_{view}")
