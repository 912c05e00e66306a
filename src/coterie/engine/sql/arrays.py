"""Arrays in a row: membership, sets, aggregates of items."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlglot import exp

from coterie.engine.sql import numbers
from coterie.engine.sql.constructs import (
    NULL,
    Sql,
    among,
    both,
    build,
    cast,
    choose,
    either,
    function,
    no,
    or_default,
    pairs,
    part,
    present,
    text,
    variable,
    whole,
)
from coterie.engine.sql.values import NUMBERS, TIMES, Kind, Many, Scalar, Value, fresh
from coterie.pql.ast import ArrayLiteral, Binary, Expr, Filter, Literal, Name
from coterie.pql.conditions import Function
from coterie.pql.logic import operands_of
from coterie.pql.printer import to_text
from coterie.pql.resolve import unsupported

if TYPE_CHECKING:
    from coterie.engine.sql.terms import Scopes, Terms

MOST = 18
"""Digits that every integer of 64 bits can have."""
MANY = 10
"""Digits that a sum may have more than its items: no array and no person has ten thousand million of them."""


def literal(items: list[Value], expr: Expr) -> Many:
    """Return an array of literals, all texts or all numbers."""
    scalars = [item for item in items if isinstance(item, Scalar) and item.constant is not None]
    kinds = {item.kind for item in scalars}
    scale, digits = (max((getattr(item, name) for item in scalars), default=0) for name in ("scale", "whole"))
    if len(scalars) != len(items) or len(kinds) > 1 or not kinds <= {Kind.TEXT, Kind.EXACT}:
        raise unsupported(expr, f"the array {to_text(expr)}")
    if scale + digits > numbers.DIGITS:
        raise numbers.too_wide(expr)
    numeric = kinds == {Kind.EXACT}
    plain = "BIGINT[]" if not scale and digits <= MOST else f"DECIMAL({numbers.DIGITS}, {scale})[]"
    sql = cast(exp.Array(expressions=[item.sql for item in scalars]), plain if numeric else "VARCHAR[]")
    sample = Scalar(sql, Kind.EXACT, scale, digits) if numeric else Scalar(sql, Kind.TEXT)
    return Many(sql, lambda cursor: replace(sample, sql=cursor), plain=True)


def membership(terms: Terms, op: str, item: Expr, array: Expr, scopes: Scopes, expr: Expr) -> Sql:
    """Return that a value is, or is present and is not, among the items of an array."""
    value = terms.scalar(item, scopes, expr)
    if isinstance(array, ArrayLiteral):
        found = _among(value, [terms.scalar(part, scopes, expr) for part in array.items], array.items, expr)
        return found if op == "in" else both([present(value.sql), no(found)])
    many = terms.many(array, scopes)
    _, sample = many.scalars(expr)
    same = many.kept(lambda other: numbers.compare("=", value, other, expr))
    found = build(">", same.size(), whole(0))
    if many.plain and sample.kind is value.kind is Kind.TEXT:
        found = build("has_item", many.cursors, value.sql)
    if op == "in":
        return both([present(value.sql), found])
    return both([present(value.sql), present(many.cursors), no(found)])


def narrowing(many: Many, expr: Expr) -> Iterator[Sql]:
    """Yield cheap conditions without which no item satisfies a filter: the texts it asks for are there at all."""
    if not isinstance(expr, Filter):
        return
    for condition in operands_of("and", expr.condition):
        match condition:
            case Binary("=", Name(name), Literal(str(value), "string")):
                column = many.stored(name)
                if column is not None:
                    yield build("has_item", column, text(value))
            case _:
                continue


def _among(value: Scalar, parts: list[Scalar], written: tuple[Expr, ...], expr: Expr) -> Sql:
    if value.kind is Kind.TEXT and all(part.kind is Kind.TEXT for part in parts):
        return among(value.sql, [part.sql for part in parts])
    if value.kind is Kind.EXACT and value.scale == 0 and all(_is_integer(part) for part in written):
        return among(value.sql, [part.sql for part in parts])
    return either(numbers.compare("=", value, part, expr) for part in parts)


def _is_integer(expr: Expr) -> bool:
    return isinstance(expr, Literal) and isinstance(expr.value, int) and abs(expr.value) < 1 << 63


def compare(op: str, left: Many, right: Many, expr: Expr) -> Sql:
    """Return that two arrays are equal, item by item in order, or are not; null when one is missing."""
    if not (left.ordered and right.ordered):
        raise unsupported(expr, f"the comparison {to_text(expr)}")
    return build(op, *_comparable(left, right, expr))


def set_predicate(name: str, left: Many, right: Many, expr: Expr) -> Sql:
    """Return `intersects`, `subsetOf` or `supersetOf`; null when an array is missing."""
    a, b = _comparable(left, right, expr)
    match name:
        case "intersects":
            return build("has_any", a, b)
        case "subsetOf":
            return build("has_all", b, a)
        case _:
            return build("has_all", a, b)


def _comparable(left: Many, right: Many, expr: Expr) -> tuple[Sql, Sql]:
    (a, of_a), (b, of_b) = left.scalars(expr), right.scalars(expr)
    if of_a.kind is not of_b.kind:
        raise unsupported(expr, f"arrays of two types in {to_text(expr)}")
    if of_a.scale == of_b.scale:
        return a, b
    scale, digits = max(of_a.scale, of_b.scale), max(of_a.whole, of_b.whole)
    if scale + digits > numbers.DIGITS:
        raise numbers.too_wide(expr)
    type_ = f"DECIMAL({numbers.DIGITS}, {scale})[]"
    return cast(a, type_), cast(b, type_)


def method(terms: Terms, expr: Expr, many: Many, name: str, args: tuple[Expr, ...], scopes: Scopes) -> Value:
    """Return what a method of an array gives."""
    match name, args:
        case "count", ():
            return Scalar(_count(many, expr), Kind.EXACT, whole=MANY, total=True)
        case "distinct", ():
            values, sample = many.scalars(expr)
            distinct = build("distinct_items", values)
            return Many(distinct, lambda cursor: replace(sample, sql=cursor), plain=True, ordered=False)
        case "map", (operand,):
            return many.mapped(lambda item: terms.value(operand, (*scopes, item)))
        case ("sum" | "average" | "min" | "max") as aggregate, (operand,):
            mapped = many.mapped(lambda item: terms.value(operand, (*scopes, item)))
            values, sample = mapped.scalars(expr)
            return aggregated(aggregate, values, sample, expr)
        case "head", () if many.ordered:
            return many.element(build("element", many.cursors, whole(1)))
        case "topN" | "bottomN", (operand, count):
            return _best(terms, expr, many, operand, terms.scalar(count, scopes, expr), scopes, top=name == "topN")
        case "intersection", (other,):
            a, b = _comparable(many, terms.many(other, scopes), expr)
            common = build("common_items", a, b)
            _, sample = many.scalars(expr)
            shared = choose(build(">", build("size", common), whole(0)), common, NULL)
            return Many(shared, lambda cursor: replace(sample, sql=cursor), plain=True, ordered=False)
        case _:
            raise unsupported(expr, f"{name}() in {to_text(expr)}")


def _count(many: Many, expr: Expr) -> Sql:
    """Return the number of items; of values, of those that are present."""
    if many.plain or not isinstance(many.element(variable(fresh())), Scalar):
        return many.size()
    return or_default(build("count_present", many.scalars(expr)[0]), whole(0))


def aggregated(name: Function, values: Sql, sample: Scalar, expr: Expr) -> Scalar:
    """Return an aggregate of a list: the sum of nothing is 0, the other aggregates of nothing are null."""
    if name in ("min", "max"):
        if sample.kind not in (*NUMBERS, *TIMES):
            raise unsupported(expr, f"{name} of this type in {to_text(expr)}")
        return replace(sample, sql=build(f"{name}_items", values), constant=None)
    total = summed(sample, build("sum_items", values, whole(sample.scale)), expr)
    if name == "average":
        count = Scalar(build("count_present", values), Kind.EXACT, whole=MANY)
        return Scalar(numbers.ratio(total, count, expr), Kind.BINARY)
    return replace(total, sql=or_default(total.sql, whole(0)))


def summed(sample: Scalar, sql: Sql, expr: Expr) -> Scalar:
    """Return a sum of values like `sample`; refuses binary doubles, whose sum depends on the order."""
    if sample.kind is not Kind.EXACT:
        raise unsupported(
            expr,
            f"a sum or average of binary doubles in {to_text(expr)}",
            "Declare the number of decimals of the field; then sums are exact.",
        )
    digits = sample.whole if sample.total else min(sample.whole + MANY, numbers.DIGITS - sample.scale)
    return Scalar(sql, Kind.EXACT, sample.scale, digits, total=True)


def _best(terms: Terms, expr: Expr, many: Many, operand: Expr, count: Scalar, scopes: Scopes, *, top: bool) -> Many:
    """Return the items with the greatest or smallest values, ties in stored order, those without a value left out."""
    name = fresh()
    cursor = variable(name)
    key = terms.scalar(operand, (*scopes, many.element(cursor)), expr)
    if not many.positions or key.kind not in (*NUMBERS, *TIMES) or not isinstance(count.constant, Decimal):
        raise unsupported(expr, f"the order in {to_text(expr)}")
    sort = build("-", whole(0), key.sql) if top else key.sql
    pair = pairs(k=sort, p=cursor)
    valued = many.kept(lambda item: present(terms.scalar(operand, (*scopes, item), expr).sql))
    ranked = build("sorted_items", build("each", valued.cursors, function(name, pair)))
    chosen, taken = build("first_items", ranked, whole(int(count.constant))), fresh()
    positions = build("each", chosen, function(taken, part(variable(taken), "p")))
    return replace(many, cursors=positions)
