"""Aggregates of a person's events: how they are counted or summed, and how they are compared with a value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal

from sqlglot import exp

from coterie.engine.sql import numbers
from coterie.engine.sql.aggregates import MANY, adds_up, aggregated, summed
from coterie.engine.sql.constructs import Sql, build, column, or_default, whole
from coterie.engine.sql.values import NUMBERS, TIMES, Kind, Scalar, mismatch, settled
from coterie.pql.ast import Expr
from coterie.pql.conditions import Aggregate, Function
from coterie.pql.predicates import INVERSE


@dataclass(frozen=True)
class Part:
    """A column of a grouped query: aggregated from events, and again from the aggregates of identities."""

    name: str
    direct: Sql
    again: Sql


def parts_of(function: Function, sample: Scalar, expr: Expr) -> list[Part]:
    """Return the columns that an aggregate of values like `sample` needs."""
    again = column("a", "value")
    match function:
        case "count":
            return [Part("value", build("count", exp.Star()), build("sum", again))]
        case "distinct":
            return [Part("value", build("count_distinct", settled(sample, expr)), again)]
        case "min" | "max":
            if sample.kind not in (*NUMBERS, *TIMES):
                raise mismatch(expr, "a number or a time")
            return [Part("value", build(function, sample.sql), build(function, again))]
        case _ if not adds_up(sample):
            return [Part("value", build("listed", sample.sql), build("joined_items", build("listed", again)))]
        case _:
            total = summed(sample, sample.sql, expr)
            parts = [Part("value", build("sum", total.sql), build("sum", again))]
            if function == "average":
                parts.append(Part("number", build("count", sample.sql), build("sum", column("a", "number"))))
            return parts


def result(function: Function, sample: Scalar, read: Callable[[str], Sql], expr: Expr) -> Scalar:
    """Return the aggregate as a value; `read` gives its columns by name."""
    value = read("value")
    match function:
        case "count" | "distinct":
            return Scalar(value, Kind.EXACT, whole=MANY)
        case "min" | "max":
            return replace(sample, sql=value, constant=None)
        case _ if not adds_up(sample):
            return aggregated(function, value, sample, expr)
        case "sum":
            return replace(summed(sample, value, expr), sql=or_default(value, whole(0)))
        case _:
            number = Scalar(read("number"), Kind.EXACT, whole=MANY)
            return Scalar(numbers.ratio(summed(sample, value, expr), number), Kind.BINARY)


def compared(shape: Aggregate, value: Scalar, expr: Expr) -> tuple[Sql, bool]:
    """Compare an aggregate with its literal.

    Returns
    -------
    tuple of Sql and bool
        The truth, and whether it is the opposite: where nothing satisfies the comparison too, those are asked for who
        fail it, because persons without such events have no row.
    """
    at_nothing = shape.function in ("count", "distinct", "sum") and isinstance(shape.value.value, int | str)
    opposite = (
        at_nothing
        and shape.value.kind in ("integer", "double")
        and numbers.holds(shape.op, Decimal(0), Decimal(str(shape.value.value)))
    )
    op = INVERSE[shape.op] if opposite else shape.op
    return numbers.compare(op, value, numbers.literal(shape.value), expr), opposite
