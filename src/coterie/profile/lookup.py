"""Looking up one profile: attributes with the source of each, identities, memberships and the timeline of events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from coterie.core.ids import person_id
from coterie.core.schema import Field, Leaf
from coterie.core.schema import leaves as leaves_of
from coterie.identity.graph import find, links, members, person
from coterie.identity.past import Moment, PastGraph
from coterie.profile.merge import Attribute, merge, settle
from coterie.profile.nest import Shape
from coterie.profile.policy import View
from coterie.profile.timeline import Page, TimelineEvent, timeline
from coterie.profile.writes import rows_of, writes
from coterie.store.history import quote

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class ProfileIdentity(msgspec.Struct, frozen=True):
    """An identity of a profile; `first_at` and `last_at` are the times of its first and last link, if it has any."""

    namespace: str
    value: str
    links: int
    first_at: int | None
    last_at: int | None


class Membership(msgspec.Struct, frozen=True):
    """The last time a profile was in an audience; `status` is ``realized`` or ``exited``."""

    audience: str
    status: str
    entered_at: int
    exited_at: int | None
    version: int
    cause: str


class Contribution(msgspec.Struct, frozen=True):
    """What a dataset holds of a profile, and when the last of it was taken in."""

    dataset: str
    records: int
    events: int
    recorded_at: int


class ProfileView(msgspec.Struct, frozen=True):
    """A profile as one view shows it.

    Attributes are nested as they were written: decimals are exact (`decimal.Decimal`), instants are ISO 8601 text.
    `provenance` has an entry for each attribute by its path. `at` and `known` are the instants it was looked at from,
    None for the present. `matching` is how many events there are on all pages, `next` the cursor to the page after
    this one, None at the end. `computed` are the values of computed attributes, by name, where there are some.
    """

    person: str
    view: str
    at: int | None
    known: int | None
    attributes: dict[str, Any]
    provenance: dict[str, Attribute]
    identities: tuple[ProfileIdentity, ...]
    links: int
    memberships: tuple[Membership, ...]
    sources: tuple[Contribution, ...]
    events: tuple[TimelineEvent, ...]
    matching: int
    next: str | None
    computed: dict[str, Any] = {}


class ProfileSummary(msgspec.Struct, frozen=True):
    """A profile in short: its public id, the identity that founded it, how many it has, and its attributes."""

    person: str
    namespace: str
    value: str
    identities: int
    attributes: dict[str, Any]


def get(
    con: DuckDBPyConnection,
    namespace: str,
    value: str,
    view: View,
    *,
    leaves: Iterable[Leaf],
    event_union: Field,
    page: Page | None = None,
    audiences: Iterable[str] = (),
    moment: Moment | None = None,
    graph: PastGraph | None = None,
) -> ProfileView | None:
    """Return the profile that an identity belongs to.

    Parameters
    ----------
    con : DuckDBPyConnection
        Connection to the history.
    namespace, value : str
        Any identity of the person; in a view without stitching one under which something is kept.
    view : View
        The view: whose persons, merged how.
    leaves : iterable of Leaf
        Attributes of the profile union.
    event_union : Field
        The union of the event schemas.
    page : Page, optional
        Which events; default the newest 100.
    audiences : iterable of str
        The audiences of this view, whose memberships are wanted (persons are numbered anew in every view).
    moment : Moment, optional
        When the profile is looked at; default now.
    graph : PastGraph, optional
        The identity's graph at that moment; default that of now.

    Returns
    -------
    ProfileView or None
        None when no record or event that counts belongs to the person.

    Raises
    ------
    Invalid
        ``profile.cursor`` when `page.before` is not a cursor.
    """
    moment = moment or Moment()
    mine = _members(con, view, find(con, namespace, value)) if graph is None else graph.members
    if not mine:
        return None
    history = writes(con, mine, leaves, moment)
    events = moment.events(mine, view.policy.event_datasets)
    merged = merge(settle(history), view.policy)
    sources = _contributions(con, moment.records(mine), events, view.policy.attribute_datasets)
    if merged is None and not any(source.events for source in sources):
        return None
    happened = timeline(con, events, leaves_of(event_union), page or Page())
    identities, linked = _identities(con, mine, graph)
    return ProfileView(
        person=person_id(identities[0].namespace, identities[0].value),
        view=view.name,
        at=moment.at,
        known=moment.known,
        attributes=merged.attributes if merged else {},
        provenance=merged.provenance if merged else {},
        identities=identities,
        links=linked,
        memberships=_memberships(con, mine[0], sorted(audiences), moment.latest),
        sources=sources,
        events=happened.events,
        matching=happened.total,
        next=happened.next,
    )


def _members(con: DuckDBPyConnection, view: View, identity: int | None) -> tuple[int, ...]:
    """Return the identities of a person, the one that names it first; empty when there is no such person."""
    named = None if identity is None else person(con, view.name, identity)
    if named is None:
        return ()
    return (named, *(member for member in members(con, view.name, named) if member != named))


def sample(
    con: DuckDBPyConnection, view: str, n: int, *, leaves: Iterable[Leaf], among: str | None = None
) -> list[ProfileSummary]:
    """Return up to `n` profiles of a view, those with the most identities first, the older ones first among equals.

    `among` is a table of the only persons asked about.
    """
    asked = f"SEMI JOIN {among} a ON a.person = p.person" if among else ""
    shape = Shape(leaves)
    persons, profiles = quote(f"person_of_{view}"), quote(f"profile_{view}")
    rows = rows_of(
        con,
        f"""
        WITH chosen AS (
            SELECT p.person, count(*) AS size FROM {persons} p SEMI JOIN {profiles} f ON f.person = p.person
            {asked} GROUP BY p.person ORDER BY size DESC, p.person LIMIT $1
        )
        SELECT c.size AS "$size", n.code AS "$namespace", i.value AS "$value", f.*
        FROM chosen c JOIN {profiles} f ON f.person = c.person
        JOIN identity i ON i.identity = c.person JOIN namespace n ON n.namespace = i.namespace
        ORDER BY c.size DESC, c.person
        """,
        [n],
    )
    return [
        ProfileSummary(
            person_id(row["$namespace"], row["$value"]), row["$namespace"], row["$value"], row["$size"], shape.nest(row)
        )
        for row in rows
    ]


def _contributions(
    con: DuckDBPyConnection, records: str, events: str, listed: Sequence[str] | None
) -> tuple[Contribution, ...]:
    """Return what each dataset holds of a person; of attributes only the `listed` datasets count, if any are."""
    rows = con.execute(
        f"""
        SELECT d.id, count(*) FILTER (WHERE o.kind = 'record'), count(*) FILTER (WHERE o.kind = 'event'),
               max(b.recorded_at)
        FROM (
            SELECT "$batch" AS batch, 'event' AS kind FROM ({events})
            UNION ALL SELECT "$batch", 'record' FROM ({records})
        ) o JOIN batch b ON b.batch = o.batch JOIN dataset d ON d.dataset = b.dataset
        WHERE o.kind = 'event' OR $1::VARCHAR[] IS NULL OR list_contains($1, d.id)
        GROUP BY d.id ORDER BY d.id
        """,
        [listed],
    ).fetchall()
    return tuple(Contribution(*row) for row in rows)


def _identities(
    con: DuckDBPyConnection, mine: Sequence[int], past: PastGraph | None
) -> tuple[tuple[ProfileIdentity, ...], int]:
    """Return the identities, that of the person first, and the number of links between them."""
    pairs = (
        [(mine[item.a], mine[item.b], item.first_at, item.last_at) for item in links(con, mine)]
        if past is None
        else past.links
    )
    rows = con.execute(
        """
        WITH member AS (SELECT unnest($1::INTEGER[]) AS identity, generate_subscripts($1::INTEGER[], 1) AS place),
        pair AS (
            SELECT unnest($2::INTEGER[]) AS a, unnest($3::INTEGER[]) AS b, unnest($4::BIGINT[]) AS first_at,
                   unnest($5::BIGINT[]) AS last_at
        ), ending AS (
            SELECT a AS identity, first_at, last_at FROM pair UNION ALL SELECT b, first_at, last_at FROM pair
        )
        SELECT n.code, i.value, count(e.identity), min(e.first_at), max(e.last_at)
        FROM member m JOIN identity i ON i.identity = m.identity JOIN namespace n ON n.namespace = i.namespace
        LEFT JOIN ending e ON e.identity = m.identity
        GROUP BY m.place, n.code, i.value ORDER BY m.place
        """,
        [list(mine), *([pair[place] for pair in pairs] for place in range(4))],
    ).fetchall()
    identities = tuple(ProfileIdentity(*row) for row in rows)
    return identities, len(pairs)


def _memberships(
    con: DuckDBPyConnection, person: int, audiences: Sequence[str], at: int | None
) -> tuple[Membership, ...]:
    rows = con.execute(
        """
        SELECT audience, CASE WHEN exited_at IS NULL THEN 'realized' ELSE 'exited' END, entered_at, exited_at, version,
               coalesce(cause, '')
        FROM (
            SELECT * REPLACE (CASE WHEN $3::BIGINT IS NULL OR exited_at <= $3 THEN exited_at END AS exited_at)
            FROM membership WHERE person = $1 AND namespace = 'ups' AND list_contains($2::VARCHAR[], audience)
            AND ($3::BIGINT IS NULL OR entered_at <= $3)
        )
        QUALIFY row_number() OVER (PARTITION BY audience ORDER BY entered_at DESC, exited_at DESC NULLS FIRST) = 1
        ORDER BY audience
        """,
        [person, audiences, at],
    ).fetchall()
    return tuple(Membership(*row) for row in rows)
