"""The Spark forms of constructs whose form differs from DuckDB's. Spark runs in ANSI mode, its session in UTC."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from sqlglot import exp

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
_numbers = count()


def _of_each(body: Callable[..., Sql], variables: int = 1) -> Sql:
    """Return an anonymous function whose variables no other has."""
    names = [f"s{next(_numbers)}" for _ in range(variables)]
    return exp.Lambda(this=body(*map(variable, names)), expressions=[exp.to_identifier(name) for name in names])


def _index(position: Sql) -> Sql:
    return exp.Sub(this=cast(position, "INT"), expression=whole(1))


def _unless_null(values: list[Sql], sql: Sql) -> Sql:
    """Return a value that is null where one of the others is."""
    missing = either(exp.Is(this=wrapped(value.copy()), expression=NULL) for value in values)
    return choose(missing, NULL, sql)


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
    found = exp.RegexpLike(this=wrapped(value.copy()), expression=pattern)
    return choose(found, calls("regexp_extract")(value, pattern.copy(), whole(1)), NULL)


def _written(expression: Sql) -> str:
    if not (isinstance(expression, exp.Literal) and expression.is_string):
        raise Unsupported("engine.unsupported", "a regular expression that is no literal is not supported on Spark.")
    return expression.name


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
        more = exp.Add(this=or_default(total.copy(), whole(0)), expression=item.copy())
        return choose(exp.Is(this=item, expression=NULL), total, cast(more, type_))

    return calls("aggregate")(items, cast(NULL.copy(), type_), _of_each(added, 2))


def has_item(items: Sql, value: Sql) -> Sql:
    """Return that a value is among the items; nulls are none."""
    found = or_default(calls("array_contains")(items.copy(), value.copy()), FALSE)
    return _unless_null([items, value], found)


def has_any(left: Sql, right: Sql) -> Sql:
    """Return that two lists have an item in common."""
    found = or_default(calls("arrays_overlap")(left.copy(), right.copy()), FALSE)
    return _unless_null([left, right], found)


def has_all(left: Sql, right: Sql) -> Sql:
    """Return that every item of the second list is in the first."""
    missing = calls("array_except")(_without_nulls(right.copy()), left.copy())
    return _unless_null([left, right], exp.EQ(this=calls("array_size")(missing), expression=whole(0)))


def common_items(left: Sql, right: Sql) -> Sql:
    """Return the items that two lists have in common, once each."""
    return _without_nulls(calls("array_intersect")(left, right))


def position(items: Sql, value: Sql) -> Sql:
    """Return the place of the first item that is equal, from 1; null when there is none."""
    return or_null(calls("array_position")(items, value), whole(0))


def first_items(items: Sql, number: Sql) -> Sql:
    """Return the first items."""
    return calls("slice")(items, whole(1), cast(number, "INT"))


# -- aggregates -------------------------------------------------------------------------------------------------------


def total(value: Sql) -> Sql:
    """Return the exact sum; adding a decimal zero makes integers decimals, which do not overflow."""
    return calls("sum")(exp.Add(this=wrapped(value), expression=cast(whole(0), "DECIMAL(1, 0)")))


def smallest(value: Sql, number: Sql) -> Sql:
    """Return the smallest values in order, null when there is none."""
    values = calls("array_sort")(calls("collect_list")(value))
    return or_null(calls("slice")(values, whole(1), cast(number, "INT")), calls("array")())
