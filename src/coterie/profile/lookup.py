"""Looking up one profile: attributes with the source of each, identities, memberships and the timeline of events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from coterie.core.errors import Invalid
from coterie.core.ids import person_id
from coterie.core.schema import Field, Leaf
from coterie.core.schema import leaves as leaves_of
from coterie.identity.graph import find, members
from coterie.profile.merge import Attribute, Fragment, Source, merge
from coterie.profile.nest import Shape
from coterie.profile.policy import MergePolicy
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


class TimelineEvent(msgspec.Struct, frozen=True):
    """An event, as it was written, with the identity it is kept under."""

    dataset: str
    batch: str
    namespace: str
    value: str
    event: dict[str, Any]


class Contribution(msgspec.Struct, frozen=True):
    """What a dataset holds of a profile, and when the last of it was taken in."""

    dataset: str
    records: int
    events: int
    recorded_at: int


class ProfileView(msgspec.Struct, frozen=True):
    """A profile as one view shows it.

    Attributes are nested as they were written: decimals are exact (`decimal.Decimal`), instants are ISO 8601 text.
    `provenance` has an entry for each attribute by its path. `next` is the cursor to older events, None at the end.
    """

    person: str
    view: str
    attributes: dict[str, Any]
    provenance: dict[str, Attribute]
    identities: tuple[ProfileIdentity, ...]
    links: int
    memberships: tuple[Membership, ...]
    sources: tuple[Contribution, ...]
    events: tuple[TimelineEvent, ...]
    next: str | None


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
    view: str,
    *,
    leaves: Iterable[Leaf],
    event_union: Field,
    events: int = 100,
    before: str | None = None,
    audiences: Iterable[str] = (),
) -> ProfileView | None:
    """Return the profile that an identity belongs to.

    Parameters
    ----------
    con : DuckDBPyConnection
        Connection to the history.
    namespace, value : str
        Any identity of the person; in a view without stitching one under which something is kept.
    view : str
        Name of the view.
    leaves : iterable of Leaf
        Attributes of the profile union.
    event_union : Field
        The union of the event schemas.
    events : int
        How many events, newest first.
    before : str, optional
        `next` of an earlier answer: events older than those.
    audiences : iterable of str
        The audiences of this view, whose memberships are wanted (persons are numbered anew in every view).

    Returns
    -------
    ProfileView or None
        None when no live record or event belongs to the person.

    Raises
    ------
    Invalid
        ``profile.cursor`` when `before` is not a cursor.
    """
    older_than = _read_cursor(before)
    identity = find(con, namespace, value)
    mine = members(con, view, identity) if identity is not None else ()
    sources = _contributions(con, mine) if mine else ()
    if not sources:
        return None
    merged = merge(_fragments(con, mine, Shape(leaves)), MergePolicy())
    timeline, following = _timeline(con, mine, Shape(leaves_of(event_union)), events, older_than)
    identities, links = _identities(con, mine)
    return ProfileView(
        person=person_id(identities[0].namespace, identities[0].value),
        view=view,
        attributes=merged.attributes if merged else {},
        provenance=merged.provenance if merged else {},
        identities=identities,
        links=links,
        memberships=_memberships(con, mine[0], sorted(audiences)),
        sources=sources,
        events=timeline,
        next=following,
    )


def sample(con: DuckDBPyConnection, view: str, n: int, *, leaves: Iterable[Leaf]) -> list[ProfileSummary]:
    """Return up to `n` profiles of a view, those with the most identities first, the older ones first among equals."""
    shape = Shape(leaves)
    persons, profiles = quote(f"person_of_{view}"), quote(f"profile_{view}")
    rows = _rows(
        con,
        f"""
        WITH chosen AS (
            SELECT p.person, count(*) AS size FROM {persons} p SEMI JOIN {profiles} f ON f.person = p.person
            GROUP BY p.person ORDER BY size DESC, p.person LIMIT $1
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


def _rows(con: DuckDBPyConnection, statement: str, parameters: object) -> list[dict[str, Any]]:
    cursor = con.execute(statement, parameters)
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


_MINE = '"$identity" IN (SELECT unnest($1::INTEGER[]))'


def _contributions(con: DuckDBPyConnection, mine: Sequence[int]) -> tuple[Contribution, ...]:
    rows = con.execute(
        f"""
        SELECT d.id, count(*) FILTER (WHERE o.kind = 'record'), count(*) FILTER (WHERE o.kind = 'event'),
               max(b.recorded_at)
        FROM (
            SELECT "$batch" AS batch, 'event' AS kind FROM live_event WHERE {_MINE}
            UNION ALL SELECT "$batch", 'record' FROM live_record WHERE {_MINE}
        ) o JOIN batch b ON b.batch = o.batch JOIN dataset d ON d.dataset = b.dataset
        GROUP BY d.id ORDER BY d.id
        """,
        [mine],
    ).fetchall()
    return tuple(Contribution(*row) for row in rows)


def _fragments(con: DuckDBPyConnection, mine: Sequence[int], shape: Shape) -> list[Fragment]:
    columns = "".join(f", r.{quote(leaf.path)}" for leaf in shape.leaves)
    rows = _rows(
        con,
        f"""
        SELECT d.id AS "$dataset", n.code AS "$namespace", i.value AS "$value", b.recorded_at AS "$recorded_at",
               b.id AS "$batch_id", r."$batch", r."$row"{columns}
        FROM (
            SELECT * FROM live_record WHERE {_MINE}
            QUALIFY row_number() OVER (PARTITION BY "$dataset", "$identity" ORDER BY "$batch" DESC, "$row" DESC) = 1
        ) r
        JOIN batch b ON b.batch = r."$batch" JOIN dataset d ON d.dataset = r."$dataset"
        JOIN identity i ON i.identity = r."$identity" JOIN namespace n ON n.namespace = i.namespace
        """,
        [mine],
    )
    return [
        Fragment(
            Source(row["$dataset"], row["$namespace"], row["$value"], row["$recorded_at"], row["$batch_id"]),
            shape.nest(row),
            (row["$batch"], row["$row"]),
        )
        for row in rows
    ]


def _timeline(
    con: DuckDBPyConnection, mine: Sequence[int], shape: Shape, count: int, older_than: tuple[int, int, int] | None
) -> tuple[tuple[TimelineEvent, ...], str | None]:
    """Return the newest events, and the cursor to those that follow."""
    if count < 1:
        return (), None
    columns = "".join(f", e.{quote(leaf.path)}" for leaf in shape.leaves)
    earlier, parameters = "", {"mine": list(mine), "count": count + 1}
    if older_than is not None:
        earlier = 'AND "timestamp" <= $at AND ("timestamp", "$batch", "$row") < ($at, $batch, $row)'
        parameters |= dict(zip(("at", "batch", "row"), older_than, strict=True))
    # the places of the newest are found on narrow columns; only those few rows are read whole
    rows = _rows(
        con,
        f"""
        WITH place AS (
            SELECT "timestamp", "$batch", "$row" FROM live_event
            WHERE "$identity" IN (SELECT unnest($mine::INTEGER[])) {earlier}
            ORDER BY "timestamp" DESC, "$batch" DESC, "$row" DESC LIMIT $count
        )
        SELECT d.id AS "$dataset", b.id AS "$batch_id", n.code AS "$namespace", i.value AS "$value",
               e."$batch", e."$row"{columns}
        FROM live_event e
        SEMI JOIN place p ON p."timestamp" = e."timestamp" AND p."$batch" = e."$batch" AND p."$row" = e."$row"
        JOIN batch b ON b.batch = e."$batch" JOIN dataset d ON d.dataset = e."$dataset"
        JOIN identity i ON i.identity = e."$identity" JOIN namespace n ON n.namespace = i.namespace
        ORDER BY e."timestamp" DESC, e."$batch" DESC, e."$row" DESC
        """,
        parameters,
    )
    shown = tuple(
        TimelineEvent(row["$dataset"], row["$batch_id"], row["$namespace"], row["$value"], shape.nest(row))
        for row in rows[:count]
    )
    if len(rows) <= count:
        return shown, None
    last = rows[count - 1]
    return shown, f"{last['timestamp']}:{last['$batch']}:{last['$row']}"


def _read_cursor(text: str | None) -> tuple[int, int, int] | None:
    if text is None:
        return None
    try:
        at, batch, row = map(int, text.split(":"))
    except ValueError as error:
        raise Invalid(
            "profile.cursor",
            f"{text!r} is not a cursor.",
            hint="Pass on the `next` of an earlier answer, or nothing.",
            where={"before": text},
        ) from error
    return at, batch, row


def _identities(con: DuckDBPyConnection, mine: Sequence[int]) -> tuple[tuple[ProfileIdentity, ...], int]:
    """Return the identities, the founding one first, and the number of links between them."""
    rows = con.execute(
        """
        WITH member AS (SELECT unnest($1::INTEGER[]) AS identity),
        pair AS (
            SELECT l.a, l.b, min(l.first_at) AS first_at, max(l.last_at) AS last_at FROM live_link l
            SEMI JOIN member x ON x.identity = l.a SEMI JOIN member y ON y.identity = l.b GROUP BY l.a, l.b
        ), ending AS (
            SELECT a AS identity, first_at, last_at FROM pair UNION ALL SELECT b, first_at, last_at FROM pair
        )
        SELECT n.code, i.value, count(e.identity), min(e.first_at), max(e.last_at)
        FROM member m JOIN identity i ON i.identity = m.identity JOIN namespace n ON n.namespace = i.namespace
        LEFT JOIN ending e ON e.identity = m.identity
        GROUP BY m.identity, n.code, i.value ORDER BY m.identity
        """,
        [mine],
    ).fetchall()
    identities = tuple(ProfileIdentity(*row) for row in rows)
    return identities, sum(identity.links for identity in identities) // 2


def _memberships(con: DuckDBPyConnection, person: int, audiences: Sequence[str]) -> tuple[Membership, ...]:
    rows = con.execute(
        """
        SELECT audience, CASE WHEN exited_at IS NULL THEN 'realized' ELSE 'exited' END, entered_at, exited_at, version,
               coalesce(cause, '')
        FROM membership WHERE person = $1 AND namespace = 'ups' AND list_contains($2::VARCHAR[], audience)
        QUALIFY row_number() OVER (PARTITION BY audience ORDER BY entered_at DESC, exited_at DESC NULLS FIRST) = 1
        ORDER BY audience
        """,
        [person, audiences],
    ).fetchall()
    return tuple(Membership(*row) for row in rows)
