"""Predicates: true or false of any values, false when one is null (5.2).

Of a projection, on either side, a predicate holds if it holds for at least one value (7.6, 19).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from coterie.pql.interpreter import texts
from coterie.pql.interpreter.numbers import COMPARISONS, compare, is_number
from coterie.pql.interpreter.reading import moment, number
from coterie.pql.interpreter.times import Clock
from coterie.pql.interpreter.values import Array, Object, Time, Value, each, is_null
from coterie.pql.scopes import NEGATIVE

Test = Callable[[Value, Value], bool]


def some(test: Test, left: Value, right: Value) -> bool:
    """Return whether a test holds for some value of each side."""
    if not (isinstance(left, Array) or isinstance(right, Array)) or _whole(left, right):
        return test(left, right)
    return any(test(one, other) for one in each(left) for other in each(right))


def _whole(left: Value, right: Value) -> bool:
    """Whether two arrays are compared as such, none of them being a projection."""
    return isinstance(left, Array) and isinstance(right, Array) and not (left.projected or right.projected)


def compared(op: str, left: Value, right: Value, clock: Clock) -> bool:
    """Return ``left op right`` of single values: the right one is converted to the kind of the left (4, 12.2)."""
    if type(left) is str and type(right) is str:
        return op in ("=", "!=") and COMPARISONS[op](left, right)
    if left is None or right is None or is_null(left) or is_null(right):
        return False
    match left:
        case bool():
            if isinstance(right, str):
                right = {"true": True, "false": False}.get(right)
            return isinstance(right, bool) and op in ("=", "!=") and COMPARISONS[op](left, right)
        case str():
            return False
        case Time():
            if isinstance(right, str):
                right = _time(right, clock)
            if not isinstance(right, Time):
                return False
            clock.met(left, right)
            return COMPARISONS[op](left.start, right.start)
        case Array():
            return isinstance(right, Array) and op in ("=", "!=") and _same(left, right, clock) == (op == "=")
        case Object():
            return isinstance(right, Object) and op in ("=", "!=") and (left is right) == (op == "=")
        case _:
            if isinstance(right, str):
                right = number(right)
            return is_number(left) and is_number(right) and compare(op, left, right)


def _time(text: str, clock: Clock) -> Time | None:
    found = moment(text, clock.zone)
    return None if found is None else Time(found.start, found.end, found.local)


def _same(left: Array, right: Array, clock: Clock) -> bool:
    """Return whether two arrays are equal item by item, in order (12.2); nulls at one place are."""
    return len(left.items) == len(right.items) and all(
        (is_null(one) and is_null(other)) or compared("=", one, other, clock)
        for one, other in zip(left.items, right.items, strict=True)
    )


def among(value: Value, items: Iterable[Value], clock: Clock) -> bool:
    """Return whether some item equals a value."""
    return any(compared("=", value, item, clock) for item in items)


def member(op: str, value: Value, array: Value, clock: Clock) -> bool:
    """Return ``value in array``, or ``value notIn array``, of some value of a projection (12.3).

    A missing array is null; a projection of one is empty (19).
    """
    if not isinstance(array, Array) or array.unknown:
        return False
    return any(not is_null(one) and among(one, array.items, clock) == (op == "in") for one in each(value))


def like(text: Value, pattern: Value) -> bool:
    """Return ``text like pattern``."""
    return isinstance(text, str) and isinstance(pattern, str) and texts.like(text, pattern)


def matches(text: Value, pattern: Value) -> bool:
    """Return ``text matches pattern``."""
    return isinstance(text, str) and isinstance(pattern, str) and texts.matches(text, pattern)


def text_test(name: str, subject: Value, arguments: list[Value], *, listed: bool = False) -> bool:
    """Return a text method (12.7), the last argument of which may say whether case counts.

    Positive tests need one of the values, negative ones all of them. A projection given alone needs one value that
    passes (19), unless it is the list of values of `stringCompare`: then it is `listed`.
    """
    exact = True
    if len(arguments) > 1 and isinstance(arguments[-1], bool):
        exact, arguments = arguments[-1], arguments[:-1]
    alone = arguments[0]
    if len(arguments) == 1 and isinstance(alone, Array) and alone.projected and not listed:
        choices = [[value] for value in alone.items]
    else:
        choices = [[item for value in arguments for item in _spread(value)]]
    return any(_passes(name, one, values, exact=exact) for one in each(subject) for values in choices)


def _spread(value: Value) -> Iterable[Value]:
    """Return the items of an array, of which a null is none; a missing one is null."""
    return value.present() if isinstance(value, Array) and not value.unknown else (value,)


def _passes(name: str, subject: Value, values: list[Value], *, exact: bool) -> bool:
    if not isinstance(subject, str):
        return False
    positive = NEGATIVE.get(name, name)
    test, fold = texts.TESTS[positive], (str if exact else texts.lower)
    results = (test(fold(subject), fold(value)) if isinstance(value, str) else None for value in values)
    if name == positive:
        return any(results)
    return all(result is False for result in results)
