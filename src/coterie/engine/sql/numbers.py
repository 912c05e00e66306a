"""Numbers and comparison. Integers and decimals are exact up to 38 digits; beyond them, as quotients, nearest doubles.

A literal is brought to the scale of what it is compared with: a column of two decimals is greater than 1.005 when it is
at least 1.01. No cast ever rounds.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import Any

from coterie.core.clock import DAY, parse_instant
from coterie.core.errors import Invalid
from coterie.engine.sql.constructs import (
    FALSE,
    NULL,
    TRUE,
    Sql,
    binary,
    build,
    cast,
    choose,
    decimal,
    or_default,
    or_null,
    present,
    read,
    text,
    whole,
)
from coterie.engine.sql.values import DIGITS, NUMBERS, TIMES, Kind, Scalar, Value, mismatch, settled
from coterie.pql.ast import Expr, Literal
from coterie.pql.calendar import Interval, local_day
from coterie.pql.local import UTC
from coterie.pql.predicates import MIRRORED

_READ = 18
"""Digits after the point of a number read from text."""
_MOST_SCALE = 28
"""Digits after the point beyond which numbers become doubles, so that ten remain before it."""
_HOLDS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def holds(op: str, left: Decimal, right: Decimal) -> bool:
    """Whether a comparison of two known numbers holds."""
    return _HOLDS[op](left, right)


def literal(node: Literal, zone: str = UTC) -> Scalar:
    """Return a literal as a scalar; a text may name a day of a time zone."""
    match node.kind:
        case "string":
            value = str(node.value)
            return Scalar(text(value), Kind.TEXT, constant=value, named=moment(value, zone))
        case "boolean":
            return Scalar(TRUE if node.value else FALSE, Kind.TRUTH, constant=bool(node.value))
        case "null":
            return Scalar(NULL, Kind.EXACT)
        case _:
            return number(Decimal(str(node.value)))


def number(value: Decimal) -> Scalar:
    """Return a known number as a scalar; one of too many digits as the nearest double, which can still be compared."""
    scale = max(0, -int(value.as_tuple().exponent))
    digits = max(1, value.adjusted() + 1)
    if scale + digits > DIGITS:
        return Scalar(binary(value), Kind.BINARY, constant=value)
    return Scalar(decimal(value, scale), Kind.EXACT, scale, digits, constant=value)


def instant(at: int) -> Scalar:
    """Return a known instant."""
    return Scalar(whole(at), Kind.INSTANT, constant=Interval(at))


def moment(value: str, zone: str) -> Interval | None:
    """Read text as a time: a date is its day; None when it is no time."""
    try:
        start = parse_instant(value)
    except (Invalid, OverflowError):
        return None
    return local_day(start // DAY, zone) if len(value) == 10 else Interval(start)


def compare(op: str, left: Scalar, right: Scalar, expr: Expr) -> Sql:
    """Return the comparison of two single values; null where one of them is.

    The right one is converted to the type of the left one; where it cannot be, the comparison is false.

    Parameters
    ----------
    op : str
        One of ``= != < <= > >=``.
    left, right : Scalar
        What is compared.
    expr : Expr
        The comparison, for the error that refuses it.
    """
    if left.kind in NUMBERS and right.kind in NUMBERS:
        return _numbers(op, left, right)
    if left.kind in NUMBERS and right.kind is Kind.TEXT:
        return _numbers(op, left, _read(right))
    if left.kind in TIMES:
        right = instant_of(right)
        if right.kind in TIMES:
            return build(op, left.sql, right.sql)
    if left.kind is Kind.TRUTH and right.kind is Kind.TEXT:
        right = _read_truth(right)
    if left.kind is right.kind and op in ("=", "!=") and left.kind in (Kind.TEXT, Kind.TRUTH):
        return build(op, left.sql, right.sql)
    if left.kind is Kind.TEXT and right.kind in NUMBERS:
        return FALSE
    raise mismatch(expr, "a comparison of values of one type")


def instant_of(value: Scalar) -> Scalar:
    """Return text as the instant it names, null where it names none; other values as they are."""
    if value.kind is not Kind.TEXT:
        return value
    if not isinstance(value.constant, str):
        return Scalar(build("read_instant", value.sql), Kind.INSTANT)
    found = value.named
    return Scalar(NULL if found is None else whole(found.start), Kind.INSTANT, constant=found)


def _read(value: Scalar) -> Scalar:
    """Return text as the number it reads as; null for other text."""
    plain = build("matches", value.sql, text(r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"))
    return Scalar(choose(plain, read(value.sql, f"DECIMAL({DIGITS}, {_READ})"), NULL), Kind.EXACT, _READ, 20)


def _read_truth(value: Scalar) -> Scalar:
    true, false = (build("=", value.sql, text(word)) for word in ("true", "false"))
    return Scalar(choose(true, TRUE, choose(false, FALSE, NULL)), Kind.TRUTH)


def as_text(value: Scalar, expr: Expr) -> Scalar:
    """Return a value as the text it is written as."""
    return value if value.kind is Kind.TEXT else Scalar(cast(settled(value, expr), "VARCHAR"), Kind.TEXT)


def _numbers(op: str, left: Scalar, right: Scalar) -> Sql:
    if isinstance(left.constant, Decimal) and isinstance(right.constant, Decimal):
        return TRUE if holds(op, left.constant, right.constant) else FALSE
    if isinstance(left.constant, Decimal):
        left, right, op = right, left, MIRRORED[op]
    if left.kind is Kind.EXACT and isinstance(right.constant, Decimal):
        exact = _with_literal(op, left, right.constant)
        if left.rough is None:
            return exact
        return choose(present(left.sql), exact, build(op, left.rough, as_double(right)))
    if Kind.BINARY in (left.kind, right.kind):
        return build(op, as_double(left), as_double(right))
    if left.rough is not None or right.rough is not None:
        exact = build(op, *(cast(side.sql, _decimal(max(left.scale, right.scale))) for side in (left, right)))
        return or_default(build("attempt", exact), build(op, as_double(left), as_double(right)))
    if left.scale == right.scale == 0:
        return build(op, left.sql, right.sql)
    scale, digits = max(left.scale, right.scale), max(left.whole, right.whole)
    exact = build(op, *(cast(side.sql, _decimal(scale)) for side in (left, right)))
    if scale + digits <= DIGITS:
        return exact
    return or_default(build("attempt", exact), build(op, as_double(left), as_double(right)))


def _decimal(scale: int) -> str:
    return f"DECIMAL({DIGITS}, {scale})"


def _with_literal(op: str, left: Scalar, value: Decimal) -> Sql:
    """Compare an exact number with a literal of any number of digits."""
    exact = Context(prec=len(value.as_tuple().digits) + DIGITS)
    scaled = value.scaleb(left.scale, exact)
    if scaled != scaled.to_integral_value():
        if op in ("=", "!="):
            return FALSE if op == "=" else present(left.sql)
        up = op in (">", ">=")
        scaled = scaled.to_integral_value(ROUND_CEILING if up else ROUND_FLOOR)
        op = ">=" if up else "<="
    if abs(scaled) >= 10**DIGITS:
        beyond = op in ("<", "<=", "!=") if scaled > 0 else op in (">", ">=", "!=")
        return present(left.sql) if beyond else FALSE
    return build(op, left.sql, decimal(scaled.scaleb(-left.scale, exact), left.scale))


def as_double(value: Scalar) -> Sql:
    """Return a number as the nearest double."""
    if isinstance(value.constant, Decimal):
        return binary(value.constant)
    if value.kind is Kind.BINARY:
        return value.sql
    exact = cast(value.sql, "DOUBLE")
    return exact if value.rough is None else or_default(exact, value.rough)


def arithmetic(op: str, left: Value, right: Value, expr: Expr) -> Scalar:
    """Return ``left op right``; null when an operand is null or a divisor zero.

    Exact numbers give exact ones. Where the result might have more digits than an exact number can hold, the nearest
    double stands beside it.
    """
    if not (isinstance(left, Scalar) and isinstance(right, Scalar) and left.kind in NUMBERS and right.kind in NUMBERS):
        raise mismatch(expr, "arithmetic on numbers")
    if op == "/":
        return Scalar(ratio(left, right), Kind.BINARY)
    scale = left.scale + right.scale if op == "*" else max(left.scale, right.scale)
    divisor = as_double(right)
    rough = build(op, as_double(left), or_null(divisor, whole(0)) if op == "%" else divisor)
    if Kind.BINARY in (left.kind, right.kind) or scale > _MOST_SCALE:
        return Scalar(rough, Kind.BINARY)
    digits = left.whole + right.whole if op == "*" else max(left.whole, right.whole) + (op in ("+", "-"))
    scales = (left.scale, right.scale) if op == "*" else (scale, scale)
    sides = [cast(side.sql, _decimal(own)) for side, own in zip((left, right), scales, strict=True)]
    result = cast(build(op, sides[0], or_null(sides[1], whole(0)) if op == "%" else sides[1]), _decimal(scale))
    if scale + digits > DIGITS or left.rough is not None or right.rough is not None:
        return Scalar(build("attempt", result), Kind.EXACT, scale, DIGITS - scale, rough=rough)
    return Scalar(result, Kind.EXACT, scale, digits)


def ratio(left: Scalar, right: Scalar) -> Sql:
    """Return the double nearest to a quotient: both sides become integers of one scale before they become doubles."""
    inexact = build("/", as_double(left), or_null(as_double(right), whole(0)))
    if Kind.BINARY in (left.kind, right.kind):
        return inexact
    scale = max(left.scale, right.scale)
    if scale > _MOST_SCALE:
        return inexact
    sides = []
    for side in (left, right):
        units = side.sql
        if scale:
            power = cast(text(str(10**scale)), _decimal(0))
            units = cast(build("*", cast(side.sql, _decimal(side.scale)), power), _decimal(0))
        sides.append(cast(units, "DOUBLE"))
    exact = build("/", sides[0], or_null(sides[1], whole(0)))
    wide = any(side.whole + side.scale + scale > DIGITS or side.rough is not None for side in (left, right))
    return or_default(build("attempt", exact), inexact) if wide else exact


def negative(value: Value, expr: Expr) -> Scalar:
    """Return ``-value``."""
    return arithmetic("-", number(Decimal(0)), value, expr)
