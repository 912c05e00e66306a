"""Numbers and comparison. Integers and decimals are exact, with any number of digits; quotients are nearest doubles.

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
    no,
    or_null,
    present,
    read,
    text,
    whole,
)
from coterie.engine.sql.values import NUMBERS, TIMES, Kind, Record, Scalar, Value, comparable, same_place
from coterie.pql.ast import Expr, Literal
from coterie.pql.calendar import Interval
from coterie.pql.predicates import MIRRORED
from coterie.pql.printer import to_text
from coterie.pql.resolve import unsupported

DIGITS = 38
_READ = 18
"""Digits after the point of a number read from text."""
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


def literal(node: Literal) -> Scalar:
    """Return a literal as a scalar."""
    match node.kind:
        case "string":
            return Scalar(text(str(node.value)), Kind.TEXT, constant=str(node.value))
        case "boolean":
            return Scalar(TRUE if node.value else FALSE, Kind.TRUTH, constant=bool(node.value))
        case "null":
            return Scalar(NULL, Kind.EXACT)
        case _:
            return number(Decimal(str(node.value)))


def number(value: Decimal) -> Scalar:
    """Return a known number as a scalar; one of too many digits can still be compared."""
    scale = max(0, -int(value.as_tuple().exponent))
    digits = max(1, value.adjusted() + 1)
    fits = scale + digits <= DIGITS
    return Scalar(decimal(value, scale) if fits else NULL, Kind.EXACT, scale, digits, constant=value)


def instant(at: int) -> Scalar:
    """Return a known instant."""
    return Scalar(whole(at), Kind.INSTANT, constant=Interval(at))


def moment(value: str) -> Interval | None:
    """Read text as a time: a date is its day; None when it is no time."""
    try:
        start = parse_instant(value)
    except Invalid:
        return None
    return Interval(start, start + DAY) if len(value) == 10 else Interval(start)


def compare(op: str, left: Value, right: Value, expr: Expr) -> Sql:
    """Return the comparison of two values; null where one of them is.

    Parameters
    ----------
    op : str
        One of ``= != < <= > >=``.
    left, right : Value
        What is compared.
    expr : Expr
        The comparison, for the error that refuses it.
    """
    if isinstance(left, Record) and isinstance(right, Record) and comparable(left, right) and op in ("=", "!="):
        return same_place(left, right) if op == "=" else no(same_place(left, right))
    if not (isinstance(left, Scalar) and isinstance(right, Scalar)):
        raise unsupported(expr, f"the comparison {to_text(expr)}")
    if left.kind in NUMBERS and right.kind in NUMBERS:
        return _numbers(op, left, right, expr)
    if left.kind in TIMES:
        if isinstance(right.constant, str):
            read = moment(right.constant)
            right = Scalar(NULL if read is None else whole(read.start), Kind.INSTANT)
        if right.kind in TIMES:
            return build(op, left.sql, right.sql)
    if left.kind is right.kind and op in ("=", "!=") and left.kind in (Kind.TEXT, Kind.TRUTH):
        return build(op, left.sql, right.sql)
    if left.kind is Kind.TEXT and right.kind in NUMBERS:
        return FALSE
    if left.kind in NUMBERS and right.kind is Kind.TEXT:
        return _numbers(op, left, _read(right), expr)
    raise unsupported(expr, f"the comparison {to_text(expr)}", "Compare values of one type.")


def _read(value: Scalar) -> Scalar:
    """Return text as the number it reads as; null for other text."""
    plain = build("matches", value.sql, text(r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"))
    return Scalar(choose(plain, read(value.sql, f"DECIMAL({DIGITS}, {_READ})"), NULL), Kind.EXACT, _READ, 20)


def _numbers(op: str, left: Scalar, right: Scalar, expr: Expr) -> Sql:
    if isinstance(left.constant, Decimal) and isinstance(right.constant, Decimal):
        return TRUE if holds(op, left.constant, right.constant) else FALSE
    if isinstance(left.constant, Decimal):
        left, right, op = right, left, MIRRORED[op]
    if left.kind is Kind.EXACT and isinstance(right.constant, Decimal):
        return _with_literal(op, left, right.constant)
    if Kind.BINARY in (left.kind, right.kind):
        return build(op, as_double(left), as_double(right))
    return build(op, *_aligned(left, right, expr))


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


def _aligned(left: Scalar, right: Scalar, expr: Expr) -> tuple[Sql, Sql]:
    """Return two exact numbers as one decimal type."""
    if left.scale == right.scale == 0:
        return left.sql, right.sql
    scale, digits = max(left.scale, right.scale), max(left.whole, right.whole)
    if scale + digits > DIGITS:
        raise too_wide(expr)
    type_ = f"DECIMAL({DIGITS}, {scale})"
    return cast(left.sql, type_), cast(right.sql, type_)


def too_wide(expr: Expr) -> Exception:
    """Return the error for numbers that have more digits than an exact column can hold."""
    return unsupported(expr, f"exact arithmetic on more than {DIGITS} digits in {to_text(expr)}")


def as_double(value: Scalar) -> Sql:
    """Return a number as the nearest double."""
    if isinstance(value.constant, Decimal):
        return binary(value.constant)
    return value.sql if value.kind is Kind.BINARY else cast(value.sql, "DOUBLE")


def arithmetic(op: str, left: Value, right: Value, expr: Expr) -> Scalar:
    """Return ``left op right``; null when an operand is null or a divisor zero."""
    if not (isinstance(left, Scalar) and isinstance(right, Scalar) and left.kind in NUMBERS and right.kind in NUMBERS):
        raise unsupported(expr, f"the arithmetic {to_text(expr)}", "Calculate with numbers.")
    if op == "/":
        return Scalar(ratio(left, right, expr), Kind.BINARY)
    if Kind.BINARY in (left.kind, right.kind):
        divisor = as_double(right)
        return Scalar(build(op, as_double(left), or_null(divisor, whole(0)) if op == "%" else divisor), Kind.BINARY)
    scale = left.scale + right.scale if op == "*" else max(left.scale, right.scale)
    digits = left.whole + right.whole if op == "*" else max(left.whole, right.whole) + (op in ("+", "-"))
    if scale + digits > DIGITS:
        raise too_wide(expr)
    if op == "*":
        sides = cast(left.sql, f"DECIMAL({DIGITS}, {left.scale})"), cast(right.sql, f"DECIMAL({DIGITS}, {right.scale})")
    else:
        sides = cast(left.sql, f"DECIMAL({DIGITS}, {scale})"), cast(right.sql, f"DECIMAL({DIGITS}, {scale})")
    divisor = or_null(sides[1], whole(0)) if op == "%" else sides[1]
    return Scalar(cast(build(op, sides[0], divisor), f"DECIMAL({DIGITS}, {scale})"), Kind.EXACT, scale, digits)


def ratio(left: Scalar, right: Scalar, expr: Expr) -> Sql:
    """Return the double nearest to a quotient: both sides become integers of one scale before they become doubles."""
    if Kind.BINARY in (left.kind, right.kind):
        return build("/", as_double(left), or_null(as_double(right), whole(0)))
    scale = max(left.scale, right.scale)
    sides = []
    for side in (left, right):
        if side.whole + side.scale + scale > DIGITS:
            raise too_wide(expr)
        units = side.sql
        if scale:
            power = cast(text(str(10**scale)), f"DECIMAL({DIGITS}, 0)")
            units = cast(build("*", cast(side.sql, f"DECIMAL({DIGITS}, {side.scale})"), power), f"DECIMAL({DIGITS}, 0)")
        sides.append(cast(units, "DOUBLE"))
    return build("/", sides[0], or_null(sides[1], whole(0)))


def negative(value: Value, expr: Expr) -> Scalar:
    """Return ``-value``."""
    return arithmetic("-", number(Decimal(0)), value, expr)
