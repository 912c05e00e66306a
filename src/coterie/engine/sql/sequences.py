"""Sequences of events as statements over all persons at once.

A step is *reached* at an event that can be its place: with it the step and all before it are satisfied. Of each step
the statement knows the person and time of every place that is reached, or of the earliest when no more is asked. Any
choice of events may succeed, so each step keeps of the places before it the one that serves best:

- without an upper limit and with nothing excluded before the step, the earliest place: what follows it follows a later
  one too, and counted events are the more, the earlier their count begins;
- with an upper limit, or something excluded in between, the latest place far enough before: it is the nearest, and the
  less lies between. It is found in one pass over the person's rows in order of time, a place standing at the time from
  which it may be used;
- with an exclusion that has an upper limit of its own, or counted events that are limited, no single place is best.
  Each has its own limit (up to the first excluded event) or its own beginning of the count, and windows over ranges of
  time find whether one serves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from sqlglot import exp

from coterie.engine.sql.constructs import (
    Sql,
    both,
    build,
    column,
    either,
    or_default,
    present,
    subquery,
    table,
    whole,
)
from coterie.engine.sql.values import Record
from coterie.engine.sql.windows import Limit, over, when
from coterie.pql.ast import Expr
from coterie.pql.chains import Gap
from coterie.pql.conditions import Exclusion, Sequence, Step
from coterie.pql.resolve import unsupported
from coterie.pql.scopes import levels_of

if TYPE_CHECKING:
    from coterie.engine.sql.statements import Statements

MOST = 200
"""Steps and exclusions of a sequence. Each is a query of its own: DuckDB takes seconds to plan so many at once."""

_EVER = 1 << 55
"""Longer than any distance between events, and small enough to be added and quadrupled."""

_KEPT = 1_000_000
"""As many values as DuckDB refuses to keep while it looks for the smallest."""

_PERSON, _TIME, _ROLE, _KEY = column("s", "person"), column("s", "t"), column("s", "role"), column("s", "key")


def sequence(statements: Statements, shape: Sequence) -> exp.Select:
    """Return the query for the persons who have the events of a sequence."""
    elements = sum(1 + len(step.between) + len(step.around) for step in shape.steps)
    if elements > MOST:
        hint = f"Divide it into sequences of at most {MOST} elements."
        raise unsupported(shape.steps[0].where, f"a sequence of {elements} elements", hint)
    plan = _Plan(statements)
    rows: exp.Select | None = None
    for place, step in enumerate(shape.steps):
        after = shape.steps[place + 1] if place + 1 < len(shape.steps) else None
        all_places = bool(step.around) or (after is not None and not _by_earliest(after))
        rows = plan.named(plan.first(step, all_places) if rows is None else plan.next(rows, step, all_places))
        for exclusion in step.around:
            rows = plan.named(plan.clear(rows, exclusion))
    assert rows is not None
    return plan.given(_of(rows, _PERSON).distinct(copy=False))


def _by_earliest(step: Step) -> bool:
    return step.gap.most is None and not step.between


class _Plan:
    """Writes queries for `person` and `t`, the time of an event.

    The places of each step have a name, so that the statement grows longer with the steps, not deeper.
    """

    def __init__(self, statements: Statements) -> None:
        self.statements = statements
        self.queries: list[exp.Select] = []

    def named(self, query: exp.Select) -> exp.Select:
        """Give a query a name; return the query for its rows by that name."""
        self.queries.append(query)
        return exp.select(_PERSON, _TIME).from_(table(_name(len(self.queries)), "s"), copy=False)

    def given(self, query: exp.Select) -> exp.Select:
        """Return a query in which all the names are known."""
        for number, known in enumerate(self.queries, 1):
            query.with_(exp.to_identifier(_name(number), quoted=True), as_=known, copy=False)
        return query

    def events(self, where: Expr) -> exp.Select:
        """Return the query for the events that satisfy a condition."""
        statements = self.statements
        identity, person = column("e", "$identity"), column("p", "person")
        query = exp.select(person, column("e", "timestamp").as_("t")).from_(statements.events())
        query = statements.join_persons(query, identity)
        if levels_of(where) - {0}:
            query = query.join(table(statements.profiles, "r"), on=build("=", column("r", "person"), person))
        profile = Record(statements.profile_row(), "", statements.union.profile)
        query = query.where(statements.terms().truth(where, (profile, statements.event)), copy=False)
        return query.where(statements.of_people(identity), copy=False) if statements.restricted else query

    # -- steps ------------------------------------------------------------------------------------------------------

    def first(self, step: Step, all_places: bool) -> exp.Select:
        """Return where the first step is reached; nothing of `between` may precede its first event."""
        events = self.events(step.where)
        excluded = [self.events(exclusion.where) for exclusion in step.between]
        if step.count == 1:
            return self.related(events, exp.Min, excluded, lambda x: build(">=", x, _TIME)) if excluded else events
        counted = self.counted(events, step.count)
        if excluded:
            earliest = grouped(_union(excluded), exp.Min)
            first = _unless_there(column("x", "t"), build(">=", column("x", "t"), column("s", "begin")))
            counted = (
                _joined(counted, earliest, "left")
                .select(_TIME.as_("t"), column("s", "begin"), copy=False)
                .where(first, copy=False)
            )
        return self.from_then_on(step.where, counted) if all_places else counted

    def next(self, before: exp.Select, step: Step, all_places: bool) -> exp.Select:
        """Return where a step is reached, `before` being where the one before it is."""
        if _by_earliest(step):
            return self.after_earliest(before, step, all_places)
        if step.count == 1 and all(exclusion.gap.most is None for exclusion in step.between):
            return self.after_latest(before, step)
        return self.after_any(before, step)

    def after_earliest(self, before: exp.Select, step: Step, all_places: bool) -> exp.Select:
        """Return the events far enough after the earliest place."""
        earliest = grouped(before, exp.Min)
        query = _joined(self.events(step.where), earliest, "inner").select(_TIME.as_("t"), copy=False)
        if step.gap.least is not None:
            query = query.where(build(">=", _TIME, _plus(column("x", "t"), step.gap.least)), copy=False)
        if step.count == 1:
            return query
        counted = self.counted(query, step.count)
        return self.from_then_on(step.where, counted) if all_places else counted

    def after_latest(self, before: exp.Select, step: Step) -> exp.Select:
        """Return the events for which the latest place far enough before is near enough, with nothing in between."""
        events, places, excluded = self.candidates(before, step)
        shift = -_EVER if step.gap.least is None else step.gap.least
        parts = [_role(places, 0, shift, 0), _role(events, 1, 0, 2)]
        for number, exclusion in enumerate(step.between, 2):
            parts.append(_role(excluded[number - 2], number, 0, 1 if exclusion.closed else 3))
        latest = [_so_far(role) for role in (0, *range(2, len(parts)))]
        named = [value.as_(f"m{number}") for number, value in enumerate(latest)]
        rows = _of(_union(parts), _PERSON, _TIME, _ROLE, *named)
        place = column("s", "m0")
        limit = present(place) if step.gap.most is None else build(">=", place, _plus(_TIME, -step.gap.most))
        conditions = [build("=", _ROLE, whole(1)), limit]
        for number, exclusion in enumerate(step.between, 1):
            found, least = column("s", f"m{number}"), exclusion.gap.least
            conditions.append(_unless_there(found, None if least is None else build("<", found, _plus(place, least))))
        return _places(rows).where(both(conditions), copy=False)

    def after_any(self, before: exp.Select, step: Step) -> exp.Select:
        """Return the events for which some place serves, each with its own limit or beginning of the count."""
        events, places, excluded = self.candidates(before, step)
        parts = [_role(rows, number, 0, 0) for number, rows in enumerate((places, events, *excluded))]
        gap, is_place, is_event = step.gap, build("=", _ROLE, whole(0)), build("=", _ROLE, whole(1))
        limit: Sql = whole(_EVER)
        for number, exclusion in enumerate(step.between, 2):
            found = _within(exp.Min, when(build("=", _ROLE, whole(number)), _TIME), exclusion.gap)
            found = or_default(_plus(found, -1) if exclusion.closed else found, whole(_EVER))
            limit = exp.Least(this=limit, expressions=[found], ignore_nulls=True)
        begun = limit
        if step.count > 1:
            begin = _within(exp.Min, when(is_event, _TIME), Gap(gap.least, None))
            earlier = _within(exp.Count, when(is_event, _TIME), Gap(None, (gap.least or 0) - 1))
            begun = when(build("<=", begin, limit), earlier)
        rows = _of(_union(parts), _PERSON, _TIME, _ROLE, begun.as_("begun"))
        opposite = Gap(None if gap.most is None else -gap.most, None if gap.least is None else -gap.least)
        of_places = when(is_place, column("s", "begun"))
        if step.count == 1:
            serves = build(">=", _within(exp.Max, of_places, opposite), _TIME)
        else:
            so_far = _within(exp.Count, when(is_event, _TIME), Gap(None, 0))
            serves = build(">=", build("-", so_far, _within(exp.Min, of_places, opposite)), whole(step.count))
        marked = _of(rows, _PERSON, _TIME, _ROLE, serves.as_("serves"))
        return _places(marked).where(both([is_event, column("s", "serves")]), copy=False)

    def candidates(self, before: exp.Select, step: Step) -> tuple[exp.Select, exp.Select, list[exp.Select]]:
        """Return the events of a step, the places and the excluded events: of those, only what lies before the last."""
        events = self.named(self.events(step.where))
        last = grouped(events, exp.Max)
        places = _joined(before, last, "inner").select(_TIME.as_("t"), copy=False)
        if step.gap.least is not None:
            places = places.where(build("<=", _plus(_TIME, step.gap.least), column("x", "t")), copy=False)
        excluded = [
            _joined(self.events(exclusion.where), last, "inner")
            .select(_TIME.as_("t"), copy=False)
            .where(build("<=", _TIME, column("x", "t")), copy=False)
            for exclusion in step.between
        ]
        return events, places, excluded

    def counted(self, events: exp.Select, count: int) -> exp.Select:
        """Return the time of the n-th event of each person that has so many, and that of the first as `begin`."""
        times = build("smallest", _TIME, whole(count)) if count < _KEPT else build("listed", _TIME, _TIME)
        nth = build("element", times, whole(count))
        query = _of(events, _PERSON, nth.as_("t"), exp.Min(this=_TIME).as_("begin"))
        query = query.group_by(_PERSON, copy=False)
        return _of(query, _PERSON, _TIME, column("s", "begin")).where(present(_TIME), copy=False)

    def from_then_on(self, where: Expr, counted: exp.Select) -> exp.Select:
        """Return the events from the n-th on."""
        query = _joined(self.events(where), counted, "inner").select(_TIME.as_("t"), copy=False)
        return query.where(build(">=", _TIME, column("x", "t")), copy=False)

    # -- exclusions -------------------------------------------------------------------------------------------------

    def clear(self, places: exp.Select, exclusion: Exclusion) -> exp.Select:
        """Return the places that have nothing excluded at its distance around them."""
        least, most = exclusion.gap.least, exclusion.gap.most
        events = self.events(exclusion.where)
        if least is None and most is None:
            return self.related(places, exp.Min, [events], None)
        if most is None:
            assert least is not None
            return self.related(places, exp.Max, [events], lambda x: build("<", x, _plus(_TIME, least)))
        if least is None:
            return self.related(places, exp.Min, [events], lambda x: build(">", x, _plus(_TIME, most)))
        parts = [_role(places, 0, least, 0), _role(events, 1, 0, 1)]
        excluded = when(build("=", _ROLE, whole(1)), _TIME)
        following = over(exp.Min, excluded, _PERSON, _KEY, 0, "last", "ROWS").as_("x")
        rows = _of(_union(parts), _PERSON, _TIME, _ROLE, following)
        found = column("s", "x")
        return _places(rows).where(
            both([build("=", _ROLE, whole(0)), _unless_there(found, build(">", found, _plus(_TIME, most)))]), copy=False
        )

    def related(
        self,
        places: exp.Select,
        aggregate: type[exp.AggFunc],
        excluded: list[exp.Select],
        harmless: Callable[[Sql], Sql] | None,
    ) -> exp.Select:
        """Return the places of which the first or last excluded event is harmless, or is not there."""
        extreme = grouped(_union(excluded), aggregate)
        found = column("x", "t")
        rows = _joined(places, extreme, "left").select(_TIME.as_("t"), copy=False)
        return rows.where(_unless_there(found, None if harmless is None else harmless(found)), copy=False)


def _name(number: int) -> str:
    return f"rows_{number}"


def grouped(events: exp.Select, aggregate: type[exp.AggFunc]) -> exp.Select:
    """Return the first or last event of each person."""
    query = _of(events, _PERSON, aggregate(this=_TIME).as_("t"))
    return query.group_by(_PERSON, copy=False)


def _joined(events: exp.Select, other: exp.Select, kind: Literal["inner", "left"]) -> exp.Select:
    """Return the persons of `events` (under ``s``) with what `other` (under ``x``) has for each."""
    same = build("=", column("x", "person"), _PERSON)
    sides = {"kind": "INNER"} if kind == "inner" else {"side": "LEFT"}
    return _of(events, _PERSON).join(exp.Join(this=subquery(other, "x"), on=same, **sides), copy=False)


def _of(rows: exp.Select, *columns: Sql) -> exp.Select:
    """Return columns of rows, under ``s``."""
    return exp.Select(expressions=list(columns)).from_(subquery(rows, "s"), copy=False)


def _places(rows: exp.Select) -> exp.Select:
    return _of(rows, _PERSON, _TIME)


def _unless_there(found: Sql, harmless: Sql | None) -> Sql:
    """Return that something is not there, or is harmless."""
    absent = exp.Is(this=found, expression=exp.null())
    return absent if harmless is None else either([absent, harmless])


def _role(events: exp.Select, role: int, shift: int, rank: int) -> exp.Select:
    """Return events in a role, with a key that orders them by a time, and by rank where those are equal."""
    key = build("+", build("*", _plus(_TIME, shift), whole(4)), whole(rank))
    columns = (_PERSON, _TIME, whole(role).as_("role"), key.as_("key"))
    return _of(events, *columns)


def _union(parts: list[exp.Select]) -> exp.Select:
    """Return the rows of all the queries."""
    first, *others = parts
    if not others:
        return first
    found: exp.Query = first
    for other in others:
        found = exp.Union(this=found, expression=other, distinct=False)
    return exp.select("*").from_(exp.Subquery(this=found, alias=exp.TableAlias(this=exp.to_identifier("u"))))


def _so_far(role: int) -> Sql:
    """Return the time of the latest event in a role up to the row."""
    value = when(build("=", _ROLE, whole(role)), _TIME)
    return over(exp.Max, value, _PERSON, _KEY, "first", 0, "ROWS")


def _within(aggregate: type[exp.AggFunc], value: Sql, gap: Gap) -> Sql:
    """Return an aggregate over the rows at a distance from the row."""
    first: Limit = "first" if gap.least is None else gap.least
    last: Limit = "last" if gap.most is None else gap.most
    return over(aggregate, value, _PERSON, _TIME, first, last, "RANGE")


def _plus(time: Sql, distance: int) -> Sql:
    return build("+", time, whole(distance)) if distance else time
