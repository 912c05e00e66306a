"""The next instant at which the truth of a condition can change with no new data, for all persons at once.

Truth moves with time alone where an instant of the data is compared with a *bound*, an instant that moves with the
evaluation: ``now``, a day ago, the start of ``last month``. A bound passes each instant once, so of every comparison
the passing that is still to come matters, and of all of them the earliest. Windows of fixed length up to now are told
to the millisecond, and so is what happens at the start of a day of UTC. Of the rest, such as steps of months on the
calendar of another zone, the answer is an instant before it, at which to look again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import reduce
from typing import TYPE_CHECKING, assert_never

from sqlglot import exp

from coterie.core.clock import DAY
from coterie.engine.sql.constructs import NULL, Sql, both, build, choose, column, present, subquery, table, whole
from coterie.engine.sql.numbers import instant_of
from coterie.engine.sql.profiles import Profiles
from coterie.engine.sql.trees import function, variable
from coterie.engine.sql.values import Kind, Record, fresh
from coterie.pql.analysis import is_relative
from coterie.pql.ast import Binary, Call, Chain, Expr, Filter, Method, Name, Occurs, RelativeUnit, TimeWord, Unit
from coterie.pql.calendar import LENGTHS, MONTHS, Edge, Interval, edges, interval, place, unit_of
from coterie.pql.chains import quantified
from coterie.pql.conditions import Aggregate, Attribute, Computed, Condition, Membership, Presence, Sequence
from coterie.pql.local import UTC
from coterie.pql.logic import operands_of
from coterie.pql.scopes import children, levels_of, times_of

if TYPE_CHECKING:
    from coterie.engine.sql.statements import Statements
    from coterie.engine.sql.terms import Scopes, Terms

_CURRENT: dict[str, Unit] = {"currentYear": "year", "currentMonth": "month", "currentDayOfMonth": "day"}
_NOW, _TODAY = TimeWord("now"), TimeWord("today")
_MINUTE = 60_000


def next_change(statements: Statements, condition: Condition) -> exp.Query | None:
    """Return the query for the columns ``person`` and ``instant``, or None when time alone changes nothing.

    Persons for whom time alone changes nothing have no row.
    """
    statements = statements.in_zone(condition.zone)
    match condition.shape:
        case Membership() | Presence():
            return None
        case Attribute() | Computed():
            return _of_profiles(statements, condition.expr)
        case Aggregate(_, where, operand, _, _):
            parts = [] if where is None else [where]
            return _of_events(statements, [*parts, *([] if operand is None else [operand])])
        case Sequence(steps):
            wheres = [
                where
                for step in steps
                for where in (step.where, *(found.where for found in (*step.between, *step.around)))
            ]
            queries: list[exp.Query] = [
                query for where in wheres if (query := _of_events(statements, [where])) is not None
            ]
            return _earliest(queries)
        case _:
            assert_never(condition.shape)


def _earliest(queries: list[exp.Query]) -> exp.Query | None:
    if len(queries) < 2:
        return queries[0] if queries else None
    union = reduce(lambda left, right: exp.union(left, right, distinct=False), queries)
    query = exp.select(column("u", "person"), build("min", column("u", "instant")).as_("instant"))
    return query.from_(
        exp.Subquery(this=union, alias=exp.TableAlias(this=exp.to_identifier("u", quoted=True)))
    ).group_by(column("u", "person"))


def _of_profiles(statements: Statements, expr: Expr) -> exp.Select | None:
    if not is_relative(expr):
        return None
    profiles = Profiles(statements)
    found = _first(_Bounds(profiles.terms(), statements).of(expr, (profiles.record(),)))
    if found is None:
        return None
    rows = profiles.query().select(found.as_("instant"))
    return _known(rows)


def _of_events(statements: Statements, parts: list[Expr]) -> exp.Select | None:
    """Return the earliest instant over the events that satisfy the parts which do not move."""
    moving = [part for expr in parts for part in operands_of("and", expr) if is_relative(part)]
    if not moving:
        return None
    still = [part for part in operands_of("and", parts[0]) if part not in moving] if len(parts) == 1 else []
    terms = statements.terms()
    scopes: Scopes = (Record(statements.profile_row(), "", statements.union.profile), statements.event)
    bounds = _Bounds(terms, statements)
    found = _first(instant for part in moving for instant in bounds.of(part, scopes))
    if found is None:
        return None
    identity = column("e", "$identity")
    rows = statements.join_persons(exp.select(column("p", "person"), found.as_("instant")), identity)
    rows = rows.from_(statements.events())
    if any(levels_of(part) - {0} for part in (*moving, *still)):
        rows = rows.join(table(statements.profiles, "r"), on=build("=", column("r", "person"), column("p", "person")))
    for part in still:
        rows = rows.where(terms.truth(part, scopes))
    if statements.restricted:
        rows = rows.where(statements.of_people(identity))
    query = exp.select(column("c", "person"), build("min", column("c", "instant")).as_("instant"))
    return query.from_(subquery(_known(rows), "c")).group_by(column("c", "person"))


def _known(rows: exp.Select) -> exp.Select:
    query = exp.select(column("k", "person"), column("k", "instant")).from_(subquery(rows, "k"))
    return query.where(present(column("k", "instant")))


def _first(instants: Iterable[Sql]) -> Sql | None:
    """Return the earliest of instants, those that are null left out."""
    found = list(instants)
    if len(found) < 2:
        return found[0] if found else None
    return build("min_items", exp.Array(expressions=found))


class _Bounds:
    """Finds in an expression the bounds that are still to pass, as instants after that of the evaluation."""

    def __init__(self, terms: Terms, statements: Statements) -> None:
        self.terms = terms
        self.at, self.zone = statements.at, statements.zone

    def of(self, expr: Expr, scopes: Scopes) -> Iterator[Sql]:
        """Yield the instants at which the value of an expression may change; null where it never does again."""
        if not is_relative(expr):
            return
        match expr:
            case Occurs():
                yield from self._occurs(expr, scopes)
            case Binary("=" | "!=" | "<" | "<=" | ">" | ">=", left, right):
                yield from self._compared(left, right, scopes)
            case Name("now"):
                yield whole(self.at + 1)
            case Name("today"):
                yield self._start_of_next("day")
            case Call(name) if name in _CURRENT:
                yield self._start_of_next(_CURRENT[name])
            case Chain():
                yield from self.of(quantified(expr), scopes)
            case Method(Name("now"), "getYear" | "getMonth" | "getDayOfMonth"):
                yield self._start_of_next("day")
            case _:
                yield from self._below(expr, scopes)

    def _below(self, expr: Expr, scopes: Scopes) -> Iterator[Sql]:
        for child, inner in children(expr):
            if not is_relative(child):
                continue
            if not inner:
                yield from self.of(child, scopes)
                continue
            assert isinstance(expr, Filter | Method)
            many = self.terms.many(expr.array if isinstance(expr, Filter) else expr.receiver, scopes)
            name = fresh()
            found = _first(self.of(child, (*scopes, many.element(variable(name)))))
            if found is not None:
                yield build("min_items", build("each", many.cursors, function(name, found)))

    def _start_of_next(self, unit: Unit) -> Sql:
        end = unit_of(self.at, unit, self.zone).end
        assert end is not None
        return whole(end)

    def _compared(self, left: Expr, right: Expr, scopes: Scopes) -> Iterator[Sql]:
        words = {Name("now"): _NOW, Name("today"): _TODAY}
        for word, other in ((left, right), (right, left)):
            if word in words and not is_relative(other):
                time = words[word]
                yield from (self._passing(self._instant(other, scopes), time, Edge(extra=extra)) for extra in (0, 1))
                return
        yield from self.of(left, scopes)
        yield from self.of(right, scopes)

    def _instant(self, expr: Expr, scopes: Scopes) -> Sql:
        return instant_of(self.terms.scalar(expr, scopes, expr)).sql

    def _occurs(self, expr: Occurs, scopes: Scopes) -> Iterator[Sql]:
        times = times_of(expr.tail)
        forms = [self._form(time, scopes) for time in times]
        found = {edge for pair in edges(expr.tail, *forms, zone=self.zone) for edge in pair if edge is not None}
        for edge in sorted(found, key=repr):
            time = times[-1 if edge.last else 0]
            if isinstance(time, TimeWord | RelativeUnit) and not is_relative(expr.value):
                yield self._passing(self._instant(expr.value, scopes), time, edge)
        if is_relative(expr.value) or any(
            is_relative(time) for time in times if not isinstance(time, TimeWord | RelativeUnit)
        ):
            yield self._start_of_next("day") if expr.value == Name("today") else whole(self.at + 1)

    def _form(self, time: TimeWord | RelativeUnit | Expr, scopes: Scopes) -> Interval:
        """Return an interval of the form that a time has: only instant or day or longer matters to edges."""
        if isinstance(time, TimeWord | RelativeUnit):
            return interval(time, self.at, self.zone)
        scalar = self.terms.scalar(time, scopes, time)
        if isinstance(scalar.constant, Interval):
            return scalar.constant
        return Interval(0, DAY) if scalar.kind is Kind.DAY else Interval(0)

    # -- one bound --------------------------------------------------------------------------------------------------

    def _passing(self, instant: Sql, time: TimeWord | RelativeUnit, edge: Edge) -> Sql:
        """Return when the bound that an edge of a moving time is passes an instant: the first moment it is later."""
        now = place(edge, interval(time, self.at, self.zone), zone=self.zone)
        fixed = edge.unit in LENGTHS and not edge.days
        if time == _NOW and fixed:
            return self._coming(_plus(instant, self.at - now + 1))
        if isinstance(time, RelativeUnit) and time.unit != "day":
            coming = self._start_of_next(time.unit)
            return choose(build("<", instant, whole(now - DAY)), NULL, coming)
        if fixed:
            start = interval(_TODAY, self.at, self.zone).start
            moved = _plus(instant, start - now + 1)
        else:
            months = edge.steps * MONTHS[edge.unit] if edge.unit in MONTHS else 0
            moved = build("add_months", _plus(instant, 1 - edge.extra), whole(-months))
        return choose(build("<", instant, whole(now - DAY)), NULL, self._near(moved, daily=time != _NOW))

    def _coming(self, instant: Sql) -> Sql:
        return choose(build(">", instant, whole(self.at)), instant, NULL)

    def _near(self, instant: Sql, *, daily: bool) -> Sql:
        """Return when to look for a passing that comes at `instant`, or at the start of a day soon after it.

        In UTC steps of months end at the same time of a day, or at the start of one. Elsewhere clocks may have been put
        forward or back between, so from two days before the passing on it is looked for every minute.
        """
        midnight = self._start_of_next("day")
        if self.zone != UTC:
            early = _plus(instant, -2 * DAY)
            soon = midnight if daily else whole(self.at + _MINUTE)
            return build("greatest", early, soon)
        if daily:
            return build("greatest", _start_of_day(_plus(instant, DAY - 1)), midnight)
        today = build(">", instant, whole(self.at)), build("<", instant, midnight)
        return choose(both(today), instant, build("greatest", _start_of_day(instant), midnight))


def _plus(instant: Sql, by: int) -> Sql:
    return build("+", instant, whole(by)) if by else instant


def _start_of_day(instant: Sql) -> Sql:
    """Return the start of the day of UTC that holds an instant, also one before 1970."""
    rest = build("%", build("+", build("%", instant, whole(DAY)), whole(DAY)), whole(DAY))
    return build("-", instant, rest)
