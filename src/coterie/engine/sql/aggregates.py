"""Aggregates of lists of values: exact numbers stay exact, binary doubles have the correctly rounded sum."""

from __future__ import annotations

from dataclasses import replace

from coterie.engine.sql import numbers
from coterie.engine.sql.constructs import NULL, Sql, build, cast, choose, function, or_default, variable, whole
from coterie.engine.sql.values import DIGITS, NUMBERS, TIMES, Kind, Many, Scalar, Value, exists, fresh, mismatch
from coterie.pql.ast import Expr
from coterie.pql.conditions import Function

MANY = 10
"""Digits that a sum may have more than its items: no array and no person has ten thousand million of them."""


def aggregated(name: Function, values: Sql, sample: Scalar, expr: Expr) -> Scalar:
    """Return an aggregate of a list: the sum of nothing is 0, the other aggregates of nothing are null."""
    if name in ("min", "max"):
        if sample.kind not in (*NUMBERS, *TIMES):
            raise mismatch(expr, "a number or a time")
        return replace(sample, sql=build(f"{name}_items", values), constant=None)
    if name == "average":
        total = list_total(values, sample, expr)
        count = Scalar(build("count_present", values), Kind.EXACT, whole=MANY)
        return Scalar(numbers.ratio(total, count), Kind.BINARY)
    return or_zero(list_total(values, sample, expr))


def of_items(name: Function, many: Many, expr: Expr) -> Scalar:
    """Return an aggregate of an array of values; where some have too many digits, the one of the nearest doubles."""
    sample = many.element(variable(fresh()))
    if not isinstance(sample, Scalar) or sample.rough is None:
        return aggregated(name, *many.scalars(expr), expr)
    exact, doubles = many.mapped(_exact).scalars(expr), many.mapped(_double).scalars(expr)
    found, rough = aggregated(name, *exact, expr), aggregated(name, *doubles, expr)
    counts = [or_default(build("count_present", values), whole(0)) for values, _ in (exact, doubles)]
    known = build("=", *counts)
    if found.kind is Kind.BINARY:
        return replace(found, sql=choose(known, found.sql, rough.sql))
    return replace(found, sql=choose(known, found.sql, NULL), rough=rough.sql)


def _exact(value: Value) -> Value:
    assert isinstance(value, Scalar)
    return replace(value, rough=None)


def _double(value: Value) -> Value:
    assert isinstance(value, Scalar)
    return Scalar(numbers.as_double(value), Kind.BINARY)


def or_zero(total: Scalar) -> Scalar:
    """Return a sum that is 0 where there was nothing to add."""
    if total.rough is None:
        return replace(total, sql=or_default(total.sql, whole(0)))
    return replace(total, sql=choose(exists(total), total.sql, whole(0)))


def list_total(values: Sql, sample: Scalar, expr: Expr) -> Scalar:
    """Return the sum of a list of values like `sample`; null for an empty or missing one."""
    if sample.kind is Kind.BINARY:
        some = build(">", build("count_present", values), whole(0))
        return Scalar(choose(some, build("sum_doubles", values), NULL), Kind.BINARY)
    total = summed(sample, build("sum_items", values, whole(sample.scale)), expr)
    if adds_up(sample):
        return total
    item = fresh()
    doubles = build("each", values, function(item, cast(variable(item), "DOUBLE")))
    some = build(">", build("count_present", values), whole(0))
    rough = choose(some, build("sum_doubles", doubles), NULL)
    return replace(total, sql=build("attempt", total.sql), rough=rough)


def adds_up(sample: Scalar) -> bool:
    """Whether the sum of any number of such values surely has no more digits than a number can have."""
    return sample.kind is Kind.EXACT and sample.scale + sample.whole + (0 if sample.total else MANY) <= DIGITS


def summed(sample: Scalar, sql: Sql, expr: Expr) -> Scalar:
    """Return the sum `sql` of exact values like `sample`."""
    if sample.kind is not Kind.EXACT:
        raise mismatch(expr, "a number")
    digits = sample.whole if sample.total else min(sample.whole + MANY, DIGITS - sample.scale)
    return Scalar(sql, Kind.EXACT, sample.scale, digits, total=True)
