"""Arrays, maps and groups (5.4, 12.3-12.5): what their methods give, the items being at hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cmp_to_key

from coterie.pql.interpreter.numbers import compare, is_number, mean, total
from coterie.pql.interpreter.predicates import among
from coterie.pql.interpreter.times import Clock
from coterie.pql.interpreter.values import (
    Array,
    Entry,
    Groups,
    Map,
    Number,
    Time,
    Value,
    absent,
    is_null,
    key,
)

Of = Callable[[Value], Value]


def count(value: Value) -> int:
    """Return the number of items that are present; 0 of a missing array (5.4)."""
    match value:
        case Array():
            return len(value.present())
        case Groups():
            return len(value.groups)
        case _:
            return 0


def head(array: Array) -> Value:
    """Return the first item."""
    return array.items[0] if array.items else absent(array.blank())


def distinct(array: Array, clock: Clock) -> Array:
    """Return the first of each equal item, without nulls."""
    first: dict[object, Value] = {}
    for item in array.present():
        first.setdefault(_key(item, clock), item)
    return array.of(list(first.values()))


def _key(value: Value, clock: Clock) -> object:
    if isinstance(value, Time):
        clock.settle(value)
    return key(value)


def intersection(left: Array, right: Array, clock: Clock) -> Array:
    """Return the common items in the order of the left, without repetition; null when there are none."""
    common = [item for item in distinct(left, clock).items if among(item, right.items, clock)]
    return left.of(common) if common else replace(left.of(()), missing=True, spread=False)


def subset(left: Array, right: Array, clock: Clock) -> bool:
    """Return whether every item of the left is an item of the right; a null is no item."""
    return all(among(item, right.items, clock) for item in left.present())


def aggregate(name: str, values: Iterable[Value], clock: Clock) -> Value:
    """Return a sum, average, min or max of the values that are not null (5.4, 12.4)."""
    flat = [one for value in values for one in (value.items if isinstance(value, Array) else (value,))]
    numbers = [value for value in flat if is_number(value)]
    match name:
        case "sum":
            return total(numbers)
        case "average":
            return mean(numbers)
        case _:
            ordered = [*numbers, *(value for value in flat if isinstance(value, Time))]
            return extreme(ordered, clock, greatest=name == "max")


def extreme(values: list[Number | Time], clock: Clock, *, greatest: bool) -> Value:
    """Return the greatest or the smallest value, the first of equal ones; null of none."""
    best: Number | Time | None = None
    for value in values:
        if best is None or order(value, best, clock) == (1 if greatest else -1):
            best = value
    return best


def order(left: Value, right: Value, clock: Clock) -> int:
    """Return -1, 0 or 1 as the left is less than, equal to or greater than the right."""
    if isinstance(left, Time) and isinstance(right, Time):
        clock.met(left, right)
        return (left.start > right.start) - (left.start < right.start)
    if is_number(left) and is_number(right):
        return compare(">", left, right) - compare("<", left, right)
    return 0


def ranked(array: Array, of: Of, most: Value, clock: Clock, *, top: bool) -> Array:
    """Return the items with the greatest or smallest values, in that order, ties in the order of the array (12.3)."""
    if not isinstance(most, int):
        return replace(array.of(()), missing=True)
    valued: list[tuple[Value, Value]] = []
    for item in array.items:
        value = of(item)
        if isinstance(value, Time) or is_number(value):
            valued.append((value, item))

    def rank(one: tuple[Value, Value], other: tuple[Value, Value]) -> int:
        return order(other[0], one[0], clock) if top else order(one[0], other[0], clock)

    valued.sort(key=cmp_to_key(rank))
    return array.of([item for _, item in valued[: max(most, 0)]])


def grouped(array: Array, of: Of, clock: Clock) -> Groups:
    """Return the items by equal keys; items without a key are left out (19)."""
    found: dict[object, tuple[Value, list[Value]]] = {}
    for item in array.items:
        value = of(item)
        if not is_null(value):
            _, items = found.setdefault(_key(value, clock), (value, []))
            items.append(item)
    return Groups([(value, array.of(items)) for value, items in found.values()], array)


def mapped(array: Array, items: list[Value], blank: Callable[[], Value]) -> Array | Map:
    """Return an array of results, or the map that they are entries of; `blank` gives the result of a missing item."""
    sample = items[0] if items else blank()
    if not isinstance(sample, Entry):
        return Array(items, array.missing, spread=array.spread, blank=lambda: absent(blank()))
    entries = {entry.key: entry.value for entry in items if isinstance(entry, Entry) and not is_null(entry.key)}
    return Map(entries, array.missing, lambda: absent(sample.value))


def get(value: Value, name: Value) -> Value:
    """Return the value of a key; null when it is absent (12.5)."""
    match value:
        case Map():
            found = value.entries.get(name)
            return value.blank() if is_null(found) else found
        case Groups():
            return next((group for known, group in value.groups if key(known) == key(name)), absent(value.array))
        case _:
            return None


def keys(value: Value) -> Value:
    """Return the keys of a map, or of groups."""
    match value:
        case Map():
            return Array(list(value.entries), value.missing)
        case Groups():
            return Array([known for known, _ in value.groups], value.array.missing)
        case _:
            return None


def values(value: Value) -> Value:
    """Return the values of a map, or the groups, in the order of the keys."""
    match value:
        case Map():
            return Array(list(value.entries.values()), value.missing, blank=value.blank)
        case Groups():
            return Array([group for _, group in value.groups], value.array.missing, blank=lambda: absent(value.array))
        case _:
            return None
