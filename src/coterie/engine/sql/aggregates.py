"""Aggregates of lists of values: exact numbers stay exact, binary doubles have the correctly rounded sum."""

from __future__ import annotations

from dataclasses import replace

from coterie.engine.sql import numbers
from coterie.engine.sql.constructs import NULL, Sql, build, choose, or_default, whole
from coterie.engine.sql.values import NUMBERS, TIMES, Kind, Scalar, mismatch
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
    total = list_total(values, sample, expr)
    return replace(total, sql=or_default(total.sql, whole(0)))


def list_total(values: Sql, sample: Scalar, expr: Expr) -> Scalar:
    """Return the sum of a list of values like `sample`; null for an empty or missing one."""
    if sample.kind is Kind.BINARY:
        some = build(">", build("count_present", values), whole(0))
        return Scalar(choose(some, build("sum_doubles", values), NULL), Kind.BINARY)
    total = summed(sample, build("sum_items", values, whole(sample.scale)), expr)
    return total if adds_up(sample) else replace(total, sql=build("attempt", total.sql))


def adds_up(sample: Scalar) -> bool:
    """Whether the sum of any number of such values surely has no more digits than a number can have."""
    return sample.kind is Kind.EXACT and sample.scale + sample.whole + (0 if sample.total else MANY) <= numbers.DIGITS


def summed(sample: Scalar, sql: Sql, expr: Expr) -> Scalar:
    """Return the sum `sql` of exact values like `sample`."""
    if sample.kind is not Kind.EXACT:
        raise mismatch(expr, "a number")
    digits = sample.whole if sample.total else min(sample.whole + MANY, numbers.DIGITS - sample.scale)
    return Scalar(sql, Kind.EXACT, sample.scale, digits, total=True)
