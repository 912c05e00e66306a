"""What there is to learn from: how many events, since when, how full their fields are, how late they arrive."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from msgspec import Struct
from pyroaring import BitMap

from coterie.core.clock import DAY
from coterie.core.schema import FieldType, Union, leaves
from coterie.engine import people as persons
from coterie.engine.sql import SqlEngine
from coterie.engine.sql.marks import Whose
from coterie.engine.sql.statements import PEOPLE
from coterie.prediction.data.arrival import arrivals
from coterie.prediction.data.cutoffs import YEAR
from coterie.prediction.definition import GoalEvent, Kind, Model
from coterie.prediction.predicates import asked, predicate
from coterie.prediction.trust.checks import Completeness
from coterie.prediction.trust.drift import Pace
from coterie.store.history import quote

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

WEEK = 7 * DAY
WEEKS = 13
"""How many weeks before the last one tell what is usual."""
_AT_ONCE = 60


class Extent(Struct, frozen=True):
    """The events of a model before an instant.

    Parameters
    ----------
    events : int
        All events of persons of the view.
    passed : int
        Of them, those that are excluded.
    own : int
        Those that are neither excluded nor exposures: what people did themselves.
    people : int
        Who did them.
    first, last : int or None
        Instants of the first and the last of what people did.
    hits : tuple of int
        How often each kind of events that the model names occurred, those of the goal first.
    """

    events: int
    passed: int
    own: int
    people: int
    first: int | None
    last: int | None
    hits: tuple[int, ...]


def extent(con: DuckDBPyConnection, union: Union, model: Model, before: int) -> Extent:
    """Return how many events a model has before an instant, by one statement."""
    named, excluded = model.kinds, len(model.kinds) - len(model.exclusions)
    of = ["NOT passed AND " if place < excluded else "" for place in range(len(named))]
    hits = "".join(f", count(*) FILTER (WHERE {which}k{place})" for place, which in enumerate(of))
    row = con.execute(
        f"""
        SELECT count(*), count(*) FILTER (WHERE passed), count(*) FILTER (WHERE mine),
            count(DISTINCT person) FILTER (WHERE mine), min(happened) FILTER (WHERE mine),
            max(happened) FILTER (WHERE mine){hits}
        FROM (SELECT *, own AND NOT passed AS mine FROM ({_marks(con, union, model, named)}))
        WHERE happened < {before}
        """
    ).fetchall()[0]
    first, last = (None if instant is None else int(instant) for instant in row[4:6])
    return Extent(int(row[0]), int(row[1]), int(row[2]), int(row[3]), first, last, tuple(map(int, row[6:])))


def _marks(
    con: DuckDBPyConnection,
    union: Union,
    model: Model,
    kinds: Sequence[Kind | GoalEvent] = (),
    whose: Whose = "everybody",
) -> str:
    conditions = {f"k{place}": predicate(kind) for place, kind in enumerate(kinds)}
    return SqlEngine(con, union).marks(asked(model, union, conditions), {}, model.view, whose)


def silence(
    con: DuckDBPyConnection, union: Union, model: Model, people: BitMap, since: int, end: int, days: int
) -> tuple[int, float]:
    """Return how many events of their own people have in the last days before an instant, and how many usually.

    `since` is the instant of the first event of all.
    """
    start = end - days * DAY
    with persons.lent(con, PEOPLE, people):
        recent, before = con.execute(
            f"""
            SELECT count(*) FILTER (WHERE happened >= {start}), count(*) FILTER (WHERE happened < {start})
            FROM ({_marks(con, union, model, whose="lent")})
            WHERE own AND NOT passed AND happened < {end}
            """
        ).fetchall()[0]
    return int(recent), before * days * DAY / max(start - since, DAY)


def values_of(con: DuckDBPyConnection, union: Union, view: str, path: str, most: int = 1000) -> list[str]:
    """Return the texts that a field of events holds, the most frequent first; none for lists and other types."""
    leaf = next((leaf for leaf in leaves(union.event) if leaf.path == path and not leaf.depth), None)
    if leaf is None or leaf.field.type is not FieldType.STRING:
        return []
    rows = con.execute(
        f"""
        SELECT {quote(path)}, count(*) FROM {quote(f"event_of_{view}")}
        WHERE {quote(path)} IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {most}
        """
    ).fetchall()
    return [value for value, _ in rows]


def usual_lag(con: DuckDBPyConnection, view: str) -> int:
    """Return the median, over the days on which data arrived, of how old the newest event was, ms: a day at least.

    Only datasets that are filled as things happen tell it; where there is none, it is a day.
    """
    known = arrivals(con, view)
    if not known:
        return DAY
    listed = ", ".join(map(str, known))
    newest = dict(
        con.execute(
            f'SELECT "$batch", max("timestamp") FROM {quote(f"event_of_{view}")} '
            f'WHERE "$batch" IN ({listed}) GROUP BY "$batch"'
        ).fetchall()
    )
    order = sorted(newest, key=lambda batch: known[batch])
    recorded = np.array([known[batch] for batch in order])
    upto = np.maximum.accumulate(np.array([newest[batch] for batch in order]))
    ends = np.arange(recorded[0] // DAY + 1, recorded[-1] // DAY + 2) * DAY
    seen = np.searchsorted(recorded, ends, side="right") - 1
    return max(DAY, int(np.median(ends - upto[seen])))


def pace(con: DuckDBPyConnection, view: str, at: int) -> Pace | None:
    """Return events per day in the week before an instant and in those before; None without two whole ones."""
    rows = con.execute(
        f"""
        SELECT ({at} - 1 - "timestamp") // {WEEK} AS week, count(*) FROM {quote(f"event_of_{view}")}
        WHERE "timestamp" < {at} AND "timestamp" >= {at - (WEEKS + 1) * WEEK} GROUP BY week
        """
    ).fetchall()
    counts = {int(week): int(count) for week, count in rows}
    earlier = [counts.get(week, 0) / 7 for week in range(1, max(counts, default=0))]  # the oldest may be part of a week
    if len(earlier) < 2:
        return None
    return Pace(counts.get(0, 0) / 7, float(np.median(earlier)), min(earlier), max(earlier))


def completeness(
    con: DuckDBPyConnection, union: Union, view: str, events: Iterable[str], profiles: Iterable[str], at: int
) -> tuple[Completeness, ...]:
    """Return how full fields are: of the events of a year before an instant, and of profiles as they are now.

    A year is the most that models learn from (Adobe, data requirements: the maximum training window).
    """
    in_events = _stored(events, {leaf.path for leaf in leaves(union.event)})
    in_profiles = _stored(profiles, {leaf.path for leaf in leaves(union.profile)})
    recent = f'"timestamp" >= {at - YEAR} AND "timestamp" < {at}'
    return (
        *_full(con, quote(f"event_of_{view}"), recent, in_events, "events"),
        *_full(con, quote(f"profile_{view}"), "TRUE", in_profiles, "profiles"),
    )


def _stored(paths: Iterable[str], known: set[str]) -> list[str]:
    return sorted(set(paths) & known)


def _full(
    con: DuckDBPyConnection, table: str, where: str, paths: Sequence[str], of: Literal["events", "profiles"]
) -> list[Completeness]:
    found = []
    for start in range(0, len(paths), _AT_ONCE):
        chosen = paths[start : start + _AT_ONCE]
        counted = ", ".join(f"count({quote(path)})" for path in chosen)
        rows, *known = con.execute(f"SELECT count(*), {counted} FROM {table} WHERE {where}").fetchall()[0]
        found += [
            Completeness(path, of, count / rows if rows else 0.0, rows)
            for path, count in zip(chosen, known, strict=True)
        ]
    return found


def usual_gap(con: DuckDBPyConnection, union: Union, model: Model, before: int) -> int | None:
    """Return the 90th percentile of the days between one event of the goal and the next of the same person."""
    hit = " OR ".join(f"k{place}" for place in range(len(model.goal.events)))
    found = con.execute(
        f"""
        SELECT quantile_disc(gap, 0.9) FROM (
            SELECT day - lag(day) OVER (PARTITION BY person ORDER BY day) AS gap FROM (
                SELECT DISTINCT person, happened // {DAY} AS day
                FROM ({_marks(con, union, model, model.goal.events)})
                WHERE NOT passed AND ({hit}) AND happened < {before}
            )
        ) WHERE gap IS NOT NULL
        """
    ).fetchall()[0][0]
    return None if found is None else int(found)


def late_share(con: DuckDBPyConnection, view: str, path: str, people: BitMap, cutoff: int) -> float:
    """Return the share of people with a value of an attribute whose last one was written after a cut-off."""
    with persons.lent(con, PEOPLE, people):
        found = con.execute(
            f"""
            SELECT avg((written >= {cutoff})::INTEGER) FROM (
                SELECT p.person, max(b.recorded_at) AS written FROM live_record r
                JOIN {quote(f"person_of_{view}")} p ON p.identity = r."$identity"
                JOIN batch b ON b.batch = r."$batch"
                WHERE r.{quote(path)} IS NOT NULL GROUP BY p.person
            ) SEMI JOIN {PEOPLE} USING (person)
            """
        ).fetchall()[0][0]
    return 0.0 if found is None else float(found)
