"""Records: everything the history holds of persons, as the objects that rules are asked of.

The form is that of the case files: attributes nested as they were written, events under ``events`` in order of time,
``identityMap`` from the identity graph, ``segmentMembership`` from the membership ledger.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from coterie.core.clock import format_date, format_instant
from coterie.core.ids import xid_sql
from coterie.core.schema import Field, FieldType, Leaf, Union, leaves
from coterie.identity import graph
from coterie.profile.lookup import ProfileView
from coterie.profile.nest import Shape
from coterie.store.history import by_identity, quote
from coterie.store.history.columns import columns

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

DERIVED = ("identityMap", "segmentMembership")
"""Fields of a record that no batch wrote: the system keeps them itself."""

OWN_NAMESPACE = "ups"
"""The namespace of the platform's own audiences in ``segmentMembership``."""

_CHUNK = 5_000
_WANTED = "coterie_wanted"


def records(
    con: DuckDBPyConnection,
    union: Union,
    view: str,
    people: Iterable[int],
    *,
    events: bool = True,
    until: int | None = None,
    audiences: Iterable[str] | None = None,
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the records of persons, in the order of their numbers.

    Parameters
    ----------
    con : DuckDBPyConnection
        Connection to the history.
    union : Union
        The fields there are.
    view : str
        The view: whose persons, merged how.
    people : iterable of int
        Numbers of persons; those without a profile in the view are passed over.
    events : bool
        Whether events are wanted. There is an ``events`` array in any case.
    until : int, optional
        An instant, ms: events after it are left out, and memberships are those of that instant. Attributes and
        identities are the present ones.
    audiences : iterable of str, optional
        The audiences whose memberships are wanted; default all. Persons are numbered anew in every view, so these
        should be audiences of the view.

    Yields
    ------
    tuple of int and dict
        The person and the record. Numbers with decimals are `decimal.Decimal`, instants ISO 8601 text.
    """
    attributes = _Stored(con, f"profile_{view}", union.profile, DERIVED)
    happened = _Stored(con, "event", union.event)
    wanted = None if audiences is None else sorted(audiences)
    numbers = iter(sorted(set(people)))
    while chunk := list(islice(numbers, _CHUNK)):
        con.register(_WANTED, {"person": np.array(chunk, dtype=np.int32)})
        found = _attributes(con, view, attributes)
        identities = _identities(con, view)
        memberships = _memberships(con, until, wanted)
        timeline = _events(con, view, happened, until, list(found)) if events else {}
        con.unregister(_WANTED)
        for person, record in found.items():
            record |= {"events": timeline.get(person, [])}
            if person in identities:
                record["identityMap"] = identities[person]
            if person in memberships:
                record["segmentMembership"] = memberships[person]
            yield person, record


class _Stored:
    """The leaves of an object that are columns of a table.

    Most leaves are scalars, and most of those are absent from a row: only the values that are there are placed.
    """

    def __init__(self, con: DuckDBPyConnection, table: str, root: Field, without: Sequence[str] = ()) -> None:
        there = columns(con, table)
        properties = {name: field for name, field in root.properties.items() if name not in without}
        self.leaves: list[Leaf] = [
            leaf for leaf in leaves(Field(root.type, properties=properties)) if leaf.path in there
        ]
        self._single = [
            (_steps(leaf.path), _SHOWN.get(leaf.field.type)) if not leaf.depth else None for leaf in self.leaves
        ]
        self._many = Shape(leaf for leaf in self.leaves if leaf.depth)

    def select(self, alias: str) -> str:
        """Return the columns as the tail of a SELECT list."""
        return "".join(f", {alias}.{quote(leaf.path)}" for leaf in self.leaves)

    def nest(self, values: Sequence[Any]) -> dict[str, Any]:
        """Return the object that the columns of a row hold."""
        found: dict[str, Any] = {}
        lists: dict[str, Any] = {}
        for place, value in enumerate(values):
            if value is None:
                continue
            single = self._single[place]
            if single is None:
                lists[self.leaves[place].path] = value
                continue
            (*above, name), shown = single
            level = found
            for step in above:
                level = level.setdefault(step, {})
            level[name] = value if shown is None else shown(value)
        if lists:
            _unite(found, self._many.nest(lists))
        return found


_SHOWN = {FieldType.DATE: format_date, FieldType.DATETIME: format_instant}


def _steps(path: str) -> tuple[str, ...]:
    return tuple(path.split("."))


def _unite(found: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Add to an object what another one has: they meet in objects only, never in values."""
    for name, value in more.items():
        if name in found:
            _unite(found[name], value)
        else:
            found[name] = value


def _attributes(con: DuckDBPyConnection, view: str, stored: _Stored) -> dict[int, dict[str, Any]]:
    rows = con.execute(
        f"SELECT r.person{stored.select('r')} FROM {quote(f'profile_{view}')} r "
        f"SEMI JOIN {_WANTED} w ON w.person = r.person ORDER BY r.person"
    ).fetchall()
    return {person: stored.nest(values) for person, *values in rows}


def _events(
    con: DuckDBPyConnection, view: str, stored: _Stored, until: int | None, people: Sequence[int]
) -> dict[int, list[dict[str, Any]]]:
    identities = by_identity.of_people(con, view, people)
    theirs = (
        by_identity.events_of(view, identities)
        if identities
        else f"""
        SELECT p.person, e.* FROM {quote(f"event_of_{view}")} e
        JOIN {quote(f"person_of_{view}")} p ON p.identity = e."$identity"
        SEMI JOIN {_WANTED} w ON w.person = p.person
        """
    )
    rows = con.execute(
        f"""
        SELECT e.person{stored.select("e")} FROM ({theirs}) e
        WHERE $1::BIGINT IS NULL OR e."timestamp" <= $1
        ORDER BY e.person, e."timestamp", e._id, e."$batch", e."$row"
        """,
        [until],
    ).fetchall()
    found: dict[int, list[dict[str, Any]]] = {}
    for person, *values in rows:
        found.setdefault(person, []).append(stored.nest(values))
    return found


def _identities(con: DuckDBPyConnection, view: str) -> dict[int, dict[str, list[dict[str, Any]]]]:
    rows = con.execute(
        f"""
        SELECT p.person, n.code, i.value FROM {quote(f"person_of_{view}")} p
        SEMI JOIN {_WANTED} w ON w.person = p.person
        JOIN identity i ON i.identity = p.identity JOIN namespace n ON n.namespace = i.namespace
        ORDER BY p.person, n.code, p.identity
        """
    ).fetchall()
    found: dict[int, dict[str, list[dict[str, Any]]]] = {}
    for person, code, value in rows:
        found.setdefault(person, {}).setdefault(code, []).append({"id": value})
    return found


def _memberships(
    con: DuckDBPyConnection, until: int | None, audiences: Sequence[str] | None
) -> dict[int, dict[str, dict[str, dict[str, Any]]]]:
    """Return the last membership of each audience, by namespace, that had begun at `until`."""
    rows = con.execute(
        f"""
        SELECT m.person, m.namespace, m.audience, m.entered_at, m.exited_at, m.valid_until, m.version::VARCHAR
        FROM membership m
        SEMI JOIN {_WANTED} w ON w.person = m.person
        WHERE ($1::BIGINT IS NULL OR m.entered_at <= $1)
          AND (m.namespace != '{OWN_NAMESPACE}' OR $2::VARCHAR[] IS NULL OR list_contains($2, m.audience))
        QUALIFY row_number() OVER (
            PARTITION BY m.person, m.namespace, m.audience ORDER BY m.entered_at DESC, m.exited_at DESC NULLS FIRST
        ) = 1
        ORDER BY m.person, m.namespace, m.audience
        """,
        [until, audiences],
    ).fetchall()
    found: dict[int, dict[str, dict[str, dict[str, Any]]]] = {}
    for person, namespace, audience, entered, exited, valid_until, version in rows:
        inside = exited is None or (until is not None and until < exited)
        entry = {
            "status": "realized" if inside else "exited",
            "lastQualificationTime": format_instant(entered),
            "version": version,
        }
        if valid_until is not None:
            entry["validUntil"] = format_instant(valid_until)
        found.setdefault(person, {}).setdefault(namespace, {})[audience] = entry
    return found


def find_person(con: DuckDBPyConnection, view: str, name: str) -> int | None:
    """Return the number of a person.

    Parameters
    ----------
    con : DuckDBPyConnection
        Connection to the history.
    view : str
        Name of the view.
    name : str
        The public id (``p-…``), or any identity of the person as ``Namespace:value``.

    Returns
    -------
    int or None
        None when nobody of the view is called so.
    """
    namespace, _, value = name.partition(":")
    if value:
        identity = graph.find(con, namespace, value)
        return None if identity is None else graph.person(con, view, identity)
    rows = con.execute(
        f"""
        SELECT p.person FROM {quote(f"profile_{view}")} p JOIN identity i ON i.identity = p.person
        JOIN namespace n ON n.namespace = i.namespace WHERE 'p-' || {xid_sql("n.code", "i.value")} = $1
        """,
        [name],
    ).fetchall()
    return rows[0][0] if rows else None


def record_of(profile: ProfileView) -> dict[str, Any]:
    """Return a profile that was looked up, with all its events in the order of time, as a record."""
    identities: dict[str, list[dict[str, str]]] = {}
    for identity in profile.identities:
        identities.setdefault(identity.namespace, []).append({"id": identity.value})
    happened = [item.event for item in profile.events]
    instants: dict[str, int] = {}
    for event in happened:
        instants.setdefault(event["timestamp"], len(instants))
    record = {
        **profile.attributes,
        "events": sorted(happened, key=lambda event: (instants[event["timestamp"]], event["_id"])),
        "identityMap": identities,
    }
    if profile.memberships:
        entries = {
            item.audience: {
                "status": item.status,
                "lastQualificationTime": format_instant(item.entered_at),
                "version": str(item.version),
            }
            for item in profile.memberships
        }
        record["segmentMembership"] = {OWN_NAMESPACE: entries}
    return record
