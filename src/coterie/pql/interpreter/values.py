"""What expressions have as values while a query runs (4, 5.1).

Text is `str`, a truth `bool`, a number `int`, `Decimal` (as written: exact) or `float` (a binary double), and null
`None`. Arrays, maps and objects that are missing keep their kind, so that what is read below them is known (7.6, 19).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from typing import Any, assert_never
from typing import Literal as Choice

from coterie.core.clock import format_date, format_instant
from coterie.core.errors import Invalid
from coterie.core.schema import Field, FieldType
from coterie.pql.calendar import Interval
from coterie.pql.interpreter.reading import scalar
from coterie.pql.local import to_local

Number = int | Decimal | float


@dataclass(frozen=True, slots=True)
class Time(Interval):
    """A Timestamp, or a Date, which has an `end` (10.1); `moving` names a time that passes: `now` or `today`."""

    moving: Choice["now", "today"] | None = None


class Object:
    """Something with named properties: an object of the data, or one made in a query. Two are equal if they are one."""

    __slots__ = ("_read", "field", "raw", "zone")

    def __init__(self, raw: Mapping[str, Any] | None, field: Field | None, zone: str) -> None:
        self.raw, self.field, self.zone = raw, field, zone
        self._read: dict[str, Value] = {}

    @classmethod
    def of(cls, properties: Mapping[str, Value]) -> Object:
        """Return an object that has these properties: a tuple of a select, or an object literal."""
        made = cls({}, None, "UTC")
        made._read.update(properties)
        return made

    def get(self, name: str) -> Value:
        """Return a property; the same object each time."""
        if name in self._read:
            return self._read[name]
        field = self.field.properties.get(name) if self.field is not None else None
        value = read(None if self.raw is None else self.raw.get(name), field, self.zone)
        self._read[name] = value
        return value

    def put(self, name: str, value: Value) -> None:
        """Give it a property that its data do not hold."""
        self._read[name] = value

    def arrays(self) -> Iterator[Array]:
        """Yield the arrays below it, through objects."""
        for name in self.field.properties if self.field is not None else ():
            value = self.get(name)
            if isinstance(value, Array):
                yield value
            elif isinstance(value, Object) and value.raw is not None:
                yield from value.arrays()

    @property
    def empty(self) -> bool:
        """Whether it has no property, or does not exist."""
        known = self._read if self.field is None else self.raw or {}
        return all(value is None for value in known.values())

    def plain(self) -> Any:
        """Return it as plain data."""
        if self.raw is None or self.field is not None:
            return self.raw
        return {name: plain(value, self.zone) for name, value in self._read.items()}


def _nothing() -> Value:
    return None


@dataclass(frozen=True, slots=True, eq=False)
class Array:
    """An array.

    A `projected` one is a field taken from the items of another. Of a missing array that is empty, and so is what is
    made of it (19): it is `spread`. `blank` gives what a missing item is.
    """

    items: Sequence[Value]
    missing: bool = False
    projected: bool = False
    spread: bool = False
    blank: Callable[[], Value] = _nothing

    def of(self, items: Sequence[Value]) -> Array:
        """Return an array of some of the items."""
        return replace(self, items=items, projected=False)

    @property
    def unknown(self) -> bool:
        """Whether it is null to a predicate."""
        return self.missing and not self.spread

    def present(self) -> list[Value]:
        """Return the items that are not null."""
        return [item for item in self.items if not is_null(item)]


@dataclass(frozen=True, slots=True, eq=False)
class Map:
    """A map from text (from any key, when made of groups) to values."""

    entries: Mapping[Any, Value]
    missing: bool = False
    blank: Callable[[], Value] = _nothing


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """The groups of `groupBy`, in the order of their first items: a map from key to array (12.3)."""

    groups: Sequence[tuple[Value, Array]]
    array: Array


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """An entry of a map in the making."""

    key: Value
    value: Value


Value = str | bool | Number | Time | Object | Array | Map | Groups | Entry | None


def read(raw: Any, field: Field | None, zone: str) -> Value:
    """Return plain data as the value of a field."""
    if field is None:
        return None
    plain_value: Value = raw
    match field.type:
        case FieldType.STRING | FieldType.INTEGER | FieldType.NUMBER | FieldType.BOOLEAN:
            return plain_value
        case FieldType.OBJECT:
            return Object(raw, field, zone)
        case FieldType.ARRAY:
            items = [read(item, field.items, zone) for item in raw] if raw is not None else ()
            return Array(items, raw is None, blank=partial(read, None, field.items, zone))
        case FieldType.MAP:
            entries = {key: read(item, field.items, zone) for key, item in (raw or {}).items() if item is not None}
            return Map(entries, raw is None, partial(read, None, field.items, zone))
        case FieldType.DATE | FieldType.DATETIME:
            found = scalar(raw, field.type, zone)
            return None if found is None else Time(found.start, found.end, found.local)
        case _:
            assert_never(field.type)


def is_null(value: Value) -> bool:
    """Whether a value does not exist (12.6)."""
    match value:
        case None:
            return True
        case Array() | Map():
            return value.missing
        case Groups():
            return value.array.missing
        case Object():
            return value.raw is None
        case _:
            return False


def absent(value: Value) -> Value:
    """Return the null of the kind of a value."""
    match value:
        case Array():
            return replace(value, items=(), missing=True)
        case Map():
            return replace(value, entries={}, missing=True)
        case Groups():
            return Groups((), replace(value.array, items=(), missing=True))
        case Object():
            return Object(None, value.field, value.zone)
        case _:
            return None


def is_true(value: Value) -> bool:
    """Return a value in Boolean position (5.3)."""
    match value:
        case bool():
            return value
        case Array():
            return any(not is_null(item) for item in value.items)
        case Object():
            return not value.empty
        case _:
            return not is_null(value)


def projection(value: Value, name: str) -> Value:
    """Return a property of a value; of an array, the array of that property, flattened one level (7.6)."""
    match value:
        case Object():
            return value.get(name)
        case Array():
            return projected(value, lambda item: projection(item, name))
        case _:
            return None


def projected(array: Array, of: Callable[[Value], Value]) -> Array:
    """Return what `of` gives of each item, nulls left out and arrays flattened."""
    found: list[Value] = []
    for item in array.items:
        value = of(item)
        if isinstance(value, Array):
            found += value.items
        elif not is_null(value):
            found.append(value)

    def blank() -> Value:
        one = of(array.blank())
        return one.blank() if isinstance(one, Array) else absent(one)

    return Array(found, array.missing, projected=True, spread=True, blank=blank)


def each(value: Value) -> Iterable[Value]:
    """Return what a predicate of single values looks at: of a projection its values, else the value itself (7.6).

    In a core tree the values that a projection has inside an item are an array of the item.
    """
    return value.items if isinstance(value, Array) else (value,)


def key(value: Value) -> object:
    """Return what equal values have in common."""
    match value:
        case bool() | str():
            return type(value), value
        case Time():
            return Time, value.start
        case Array():
            return Array, tuple(key(item) for item in value.items)
        case int() | Decimal() | float():
            return Number, value
        case _:
            return id(value)


def plain(value: Value, zone: str) -> Any:
    """Return a value as plain data, in the form of the profiles: instants and days as text, null as None."""
    match value:
        case Time():
            return _written(value, zone)
        case Object():
            return value.plain()
        case _ if is_null(value):
            return None
        case Array():
            return [plain(item, zone) for item in value.items]
        case Map():
            return {key: plain(item, zone) for key, item in value.entries.items()}
        case Groups():
            return {plain(key, zone): plain(group, zone) for key, group in value.groups}
        case Entry():
            return {plain(value.key, zone): plain(value.value, zone)}
        case _:
            return value


def _written(time: Time, zone: str) -> str | int:
    try:
        return format_instant(time.start) if time.end is None else format_date(to_local(time.start, zone))
    except (OverflowError, ValueError, Invalid):  # a year that has no text
        return time.start
