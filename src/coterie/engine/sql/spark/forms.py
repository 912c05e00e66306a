"""The Spark forms of constructs whose form differs from DuckDB's. Spark runs in ANSI mode, its session in UTC."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from sqlglot import exp

from coterie.core.clock import DAY
from coterie.core.errors import Unsupported
from coterie.engine.sql.spark import patterns
from coterie.engine.sql.trees import (
    FALSE,
    NULL,
    Builder,
    Sql,
    calls,
    cast,
    choose,
    either,
    or_default,
    or_null,
    present,
    read,
    text,
    variable,
    whole,
    wrapped,
)

_MOST_DIGITS = 38
_LONGEST = (1 << 31) - 1
_DATE = r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = r"[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]{1,9})?)?"
_OFFSET = r"(Z|[+-][0-9]{2}(:?[0-9]{2})?)?"
_TRIED: dict[type[exp.Expr], str] = {
    exp.Add: "try_add",
    exp.Sub: "try_subtract",
    exp.Mul: "try_multiply",
    exp.Div: "try_divide",
    exp.Mod: "try_mod",
}
_numbers = count()


def _of_each(body: Callable[..., Sql], variables: int = 1) -> Sql:
    """Return an anonymous function whose variables no other has."""
    names = [f"s{next(_numbers)}" for _ in range(variables)]
    return exp.Lambda(this=body(*map(variable, names)), expressions=[exp.to_identifier(name) for name in names])


def _index(position: Sql) -> Sql:
    return exp.Sub(this=cast(position, "INT"), expression=whole(1))


def once(value: Sql, body: Callable[[Sql], Sql]) -> Sql:
    """Return what is said of a value that is written once, however often it is read."""
    if isinstance(value, exp.Column | exp.Literal):
        return body(value)
    return calls("get")(calls("transform")(calls("array")(value), _of_each(body)), whole(0))


# -- text -------------------------------------------------------------------------------------------------------------


def lower(value: Sql) -> Sql:
    """Return the simple lower-case form: Spark's own gives two characters for one and looks at what stands around."""
    return calls("lower")(
        calls("translate")(value, text("İ\N{GREEK CAPITAL LETTER SIGMA}"), text("i\N{GREEK SMALL LETTER SIGMA}"))
    )


def matches(value: Sql, expression: Sql) -> Sql:
    """Return that a part of a text matches an expression."""
    return exp.RegexpLike(this=wrapped(value), expression=text(patterns.search(_written(expression))))


def regex_group(value: Sql, expression: Sql, group: Sql) -> Sql:
    """Return a group of the first match, null when there is none or the group took no part in it."""
    pattern = text(patterns.capture(_written(expression), int(group.name)))

    def extracted(subject: Sql) -> Sql:
        found = exp.RegexpLike(this=subject.copy(), expression=pattern.copy())
        return choose(found, calls("regexp_extract")(subject, pattern, whole(1)), NULL)

    return once(value, extracted)


def _written(expression: Sql) -> str:
    if not (isinstance(expression, exp.Literal) and expression.is_string):
        raise Unsupported("engine.unsupported", "a regular expression that is no literal is not supported on Spark.")
    return expression.name


def escaped_pattern(pattern: Sql) -> Sql:
    """Return a pattern of ``like`` in which the escape stands before `%`, `_` and itself only."""
    replaced = calls("regexp_replace")
    closed = replaced(pattern, text(r"(?s)\A((?:[^\\]|\\.)*+)\\\z"), text(r"$1\\\\"))
    return replaced(closed, text(r"(?s)(\\[%_\\])|\\(.)"), text("$1$2"))


# -- what no data may make fail ---------------------------------------------------------------------------------------


def attempt(tree: Sql) -> Sql:
    """Return the value, null where calculating it fails: Spark can try single operations, not any expression."""
    root = exp.Paren(this=tree)
    for node in reversed(list(root.walk(bfs=False))):
        tried = _TRIED.get(type(node))
        if tried is not None:
            node.replace(calls(tried)(_unwrapped(node.this), _unwrapped(node.expression)))
        elif type(node) is exp.Cast:
            node.replace(exp.TryCast(this=node.this, to=node.args["to"], safe=True))
    found: Sql = root.this
    return found


def _unwrapped(sql: Sql) -> Sql:
    return sql.this if isinstance(sql, exp.Paren) else sql


# -- time -------------------------------------------------------------------------------------------------------------


def calendar(name: str) -> Builder:
    """Return the form of a part of a date."""
    return lambda at: calls(name)(calls("timestamp_millis")(at))


def add_months(at: Sql, months: Sql) -> Sql:
    """Return an instant some months later, clamped to the last day of the month."""
    step = calls("make_ym_interval")(whole(0), cast(months, "INT"))
    return calls("unix_millis")(exp.Add(this=calls("timestamp_millis")(at), expression=step))


def date(year: Sql, month: Sql, of_month: Sql) -> Sql:
    """Return the start of a day, null when there is no such day."""
    parts = [read(value, "INT") for value in (year.copy(), month, of_month)]
    start = calls("unix_millis")(calls("try_make_timestamp")(*parts, whole(0), whole(0), whole(0)))
    return choose(exp.Between(this=wrapped(year), low=whole(1), high=whole(9999)), start, NULL)


def local_time(at: Sql, zone: Sql) -> Sql:
    """Return what clocks of a time zone show at an instant, as ms."""
    return calls("unix_millis")(calls("from_utc_timestamp")(calls("timestamp_millis")(at), zone))


def instant_of_local(shown: Sql, zone: Sql) -> Sql:
    """Return the first instant at which clocks show a local time; in a gap, by the clock before it."""

    def found(wanted: Sql) -> Sql:
        def by_clock_of(other: Sql) -> Sql:
            ahead = exp.Paren(this=exp.Sub(this=local_time(other.copy(), zone.copy()), expression=other))
            return exp.Paren(this=exp.Sub(this=wanted.copy(), expression=ahead))

        before = by_clock_of(exp.Paren(this=exp.Sub(this=wanted.copy(), expression=whole(DAY))))
        after = by_clock_of(exp.Paren(this=exp.Add(this=wanted.copy(), expression=whole(DAY))))

        def shows(at: Sql) -> Sql:
            return exp.EQ(this=local_time(at.copy(), zone.copy()), expression=wanted.copy())

        return choose(shows(before), before.copy(), choose(shows(after), after, before))

    return once(shown, found)


def read_instant(value: Sql) -> Sql:
    """Return the instant that ISO 8601 text names, rounded down to the millisecond; null for other text."""

    def at(written: Sql) -> Sql:
        well = exp.RegexpLike(this=written.copy(), expression=text(f"{_DATE}({_CLOCK}{_OFFSET})?\\z"))
        full = calls("regexp_replace")(written, text(r"\A(.{16})([Z+-])"), text("$1:00$2"))
        instant = read(calls("replace")(full, text(","), text(".")), "TIMESTAMPTZ")
        return choose(well, calls("unix_millis")(instant), NULL)

    return once(value, at)


# -- lists ------------------------------------------------------------------------------------------------------------


def element(items: Sql, position: Sql) -> Sql:
    """Return the item at a position from 1, null beyond the end."""
    return calls("get")(items, _index(position))


def count_present(items: Sql) -> Sql:
    """Return the number of items that are not null."""
    return calls("array_size")(_without_nulls(items))


def _without_nulls(items: Sql) -> Sql:
    return calls("filter")(items, _of_each(present))


def up_to(size: Sql) -> Sql:
    """Return the numbers from 1: a sequence from 1 to 0 would count down."""
    return calls("filter")(
        calls("sequence")(whole(0), cast(size, "INT")),
        _of_each(lambda number: exp.GT(this=number, expression=whole(0))),
    )


def joined_items(lists: Sql) -> Sql:
    """Return the items of lists one after another; a missing list adds none."""
    return calls("flatten")(_without_nulls(lists))


def distinct_items(items: Sql) -> Sql:
    """Return each item once, nulls left out."""
    return _without_nulls(calls("array_distinct")(items))


def sum_items(items: Sql, scale: Sql) -> Sql:
    """Return the exact sum of items with some digits after the point, null when there is none."""
    type_ = f"DECIMAL({_MOST_DIGITS}, {scale.name})"

    def added(total: Sql, item: Sql) -> Sql:
        return cast(exp.Add(this=total, expression=item), type_)

    def summed(listed: Sql) -> Sql:
        total = calls("aggregate")(listed.copy(), cast(whole(0), type_), _of_each(added, 2))
        return choose(exp.GT(this=calls("array_size")(listed), expression=whole(0)), total, NULL)

    return once(_without_nulls(items), summed)


def has_item(items: Sql, value: Sql) -> Sql:
    """Return that a value is among the items; nulls are none."""
    return _of_both(items, value, lambda a, b: or_default(calls("array_contains")(a, b), FALSE))


def has_any(left: Sql, right: Sql) -> Sql:
    """Return that two lists have an item in common."""
    return _of_both(left, right, lambda a, b: or_default(calls("arrays_overlap")(a, b), FALSE))


def has_all(left: Sql, right: Sql) -> Sql:
    """Return that every item of the second list is in the first."""

    def holds(a: Sql, b: Sql) -> Sql:
        return exp.EQ(this=calls("array_size")(calls("array_except")(_without_nulls(b), a)), expression=whole(0))

    return _of_both(left, right, holds)


def _of_both(left: Sql, right: Sql, body: Callable[[Sql, Sql], Sql]) -> Sql:
    """Return what is said of two values, null where one of them is; each is written once."""

    def guarded(a: Sql, b: Sql) -> Sql:
        missing = either(exp.Is(this=value.copy(), expression=NULL.copy()) for value in (a, b))
        return choose(missing, NULL, body(a, b))

    return once(left, lambda a: once(right, lambda b: guarded(a, b)))


def common_items(left: Sql, right: Sql) -> Sql:
    """Return the items that two lists have in common, once each."""
    return _without_nulls(calls("array_intersect")(left, right))


def position(items: Sql, value: Sql) -> Sql:
    """Return the place of the first item that is equal, from 1; null when there is none."""
    return or_null(calls("array_position")(items, value), whole(0))


def first_items(items: Sql, number: Sql) -> Sql:
    """Return the first items."""
    longest = whole(_LONGEST)
    some = choose(exp.GT(this=wrapped(number.copy()), expression=longest), longest.copy(), cast(number, "INT"))
    return calls("slice")(items, whole(1), some)


def sorted_down(items: Sql) -> Sql:
    """Return the items from the greatest to the smallest."""
    return calls("sort_array")(items, FALSE.copy())


# -- aggregates -------------------------------------------------------------------------------------------------------


def total(value: Sql) -> Sql:
    """Return the exact sum; adding a decimal zero makes integers decimals, which do not overflow."""
    return calls("sum")(exp.Add(this=wrapped(value), expression=cast(whole(0), "DECIMAL(1, 0)")))


def smallest(value: Sql, number: Sql) -> Sql:
    """Return the smallest values in order, null when there is none."""
    values = calls("array_sort")(calls("collect_list")(value))
    return or_null(calls("slice")(values, whole(1), cast(number, "INT")), calls("array")())


def listed(value: Sql, *order: Sql) -> Sql:
    """Return the values, nulls among them, in an order in which nulls come last."""
    keys = [item for key in order for item in (exp.Is(this=wrapped(key.copy()), expression=NULL.copy()), key)]
    whole_item = calls("struct")(
        *(exp.alias_(key, f"k{place}") for place, key in enumerate(keys)), exp.alias_(value, "v")
    )
    items = calls("collect_list")(whole_item)
    return calls("transform")(
        calls("array_sort")(items) if order else items,
        _of_each(lambda item: exp.Dot(this=item, expression=exp.to_identifier("v"))),
    )
