"""Arithmetic (12.8): exact on integers and written decimals; division gives the nearest double (19)."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from fractions import Fraction
from typing import Any, TypeGuard, TypeVar

from coterie.pql.interpreter.values import Number, Value

N = TypeVar("N", Decimal, float)

DIGITS = 2_000
"""Digits that exact numbers keep: no rule of a sensible length reaches them, and none can grow beyond."""
_EXACT = Context(prec=DIGITS, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[])
_LARGE = 1 << 6_000
_FRACTIONS = 1_500
"""Powers of ten up to which a quotient is taken of fractions."""

COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def is_number(value: Value) -> TypeGuard[Number]:
    """Whether a value is a number; a truth is none."""
    return isinstance(value, int | Decimal | float) and not isinstance(value, bool)


def double(value: Number) -> float:
    """Return the double nearest to a number."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def compare(op: str, left: Number, right: Number) -> bool:
    """Compare by value: exactly, or as doubles when one of them is a double."""
    if isinstance(left, float) or isinstance(right, float):
        left, right = double(left), double(right)
    return COMPARISONS[op](left, right)


def arithmetic(op: str, left: Value, right: Value) -> Number | None:
    """Return ``left op right``; null when an operand is null or a divisor zero (5.1)."""
    if not (is_number(left) and is_number(right)):
        return None
    if op in ("/", "%") and right == 0:
        return None
    if op == "/":
        return _quotient(left, right)
    if isinstance(left, float) or isinstance(right, float):
        return _finite(_DOUBLES[op](double(left), double(right)))
    if isinstance(left, int) and isinstance(right, int):
        whole = _INTEGERS[op](left, right)
        return whole if -_LARGE < whole < _LARGE else _finite(_EXACT.plus(Decimal(whole)))
    return _finite(_DECIMALS[op](Decimal(left), Decimal(right)))


def _remainder(left: int, right: int) -> int:
    """Return the remainder with the sign of the dividend (12.8)."""
    rest = abs(left) % abs(right)
    return rest if left >= 0 else -rest


_DOUBLES: Mapping[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "%": math.fmod,
}
_INTEGERS: Mapping[str, Callable[[int, int], int]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "%": _remainder,
}
_DECIMALS: Mapping[str, Callable[[Decimal, Decimal], Decimal]] = {
    "+": _EXACT.add,
    "-": _EXACT.subtract,
    "*": _EXACT.multiply,
    "%": _EXACT.remainder,
}


def _finite(value: N) -> N | None:
    return value if math.isfinite(value) else None


def _quotient(left: Number, right: Number) -> float | None:
    try:
        if isinstance(left, float) or isinstance(right, float):
            return _finite(double(left) / double(right))
        if any(isinstance(side, Decimal) and abs(side.adjusted()) > _FRACTIONS for side in (left, right)):
            return _finite(double(_EXACT.divide(Decimal(left), Decimal(right))))
        return float(Fraction(left) / Fraction(right))
    except (OverflowError, ZeroDivisionError):
        return None


def total(values: Iterable[Number]) -> Number:
    """Return the sum: exact, of doubles the correctly rounded one (19); 0 of nothing (5.4)."""
    listed = list(values)
    if any(isinstance(value, float) for value in listed):
        return math.fsum(map(double, listed))
    if any(isinstance(value, Decimal) for value in listed):
        exact = Decimal(0)
        for value in listed:
            exact = _EXACT.add(exact, Decimal(value))
        return exact
    return sum(listed)


def mean(values: Sequence[Number]) -> float | None:
    """Return the double nearest to the arithmetic mean; null of nothing (5.4)."""
    return _quotient(total(values), len(values)) if values else None
