"""Types of expressions, and which of them go together.

A type is a scalar, an array, a map, an object, or one of three that exist only inside a query: the groups made by
``groupBy``, the entry made by ``mapEntry``, and the unknown type of an expression that has a problem of its own, which
goes with everything so that each fault is reported once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal as Choice

from coterie.core.schema import Field, FieldType, Union

ScalarName = Choice["Boolean", "Integer", "Double", "String", "Date", "Timestamp", "Null", "Unknown"]


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value; also null and the unknown type."""

    name: ScalarName

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Array:
    """An array; `projected` if it is a field taken from the items of another, so that predicates look at each value."""

    item: Type
    projected: bool = False

    def __str__(self) -> str:
        return f"Array of {self.item}"


@dataclass(frozen=True, slots=True)
class Map:
    """A map from text to values of one type."""

    value: Type

    def __str__(self) -> str:
        return f"Map to {self.value}"


@dataclass(frozen=True, slots=True)
class Groups:
    """Items of an array by a key."""

    key: Type
    item: Type

    def __str__(self) -> str:
        return f"Groups of {self.item}"


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a map in the making."""

    value: Type

    def __str__(self) -> str:
        return "Map entry"


@dataclass(frozen=True, slots=True, eq=False)
class Object:
    """Something with named properties; two are the same type if they have the very same ones."""

    properties: Mapping[str, Field | Type]
    event: bool = False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Object) and self.properties is other.properties

    def __hash__(self) -> int:
        return id(self.properties)

    def __str__(self) -> str:
        return "Event" if self.event else "Object"


Type = Scalar | Array | Map | Groups | Entry | Object

BOOLEAN = Scalar("Boolean")
INTEGER = Scalar("Integer")
DOUBLE = Scalar("Double")
STRING = Scalar("String")
DATE = Scalar("Date")
TIMESTAMP = Scalar("Timestamp")
NULL = Scalar("Null")
UNKNOWN = Scalar("Unknown")

NUMBERS = frozenset({INTEGER, DOUBLE})
TIMES = frozenset({DATE, TIMESTAMP})
OPEN = frozenset({NULL, UNKNOWN})
"""Types that go with everything."""

_FIELD_TYPES = {
    FieldType.STRING: STRING,
    FieldType.INTEGER: INTEGER,
    FieldType.NUMBER: DOUBLE,
    FieldType.BOOLEAN: BOOLEAN,
    FieldType.DATE: DATE,
    FieldType.DATETIME: TIMESTAMP,
}


def of_field(field: Field) -> Type:
    """Return the type of the values of a field."""
    if field.type is FieldType.OBJECT:
        return Object(field.properties)
    if field.items is not None:
        return Array(of_field(field.items)) if field.type is FieldType.ARRAY else Map(of_field(field.items))
    return _FIELD_TYPES[field.type]


def profile_of(union: Union) -> Object:
    """Return the type of the profile, which holds its events as `xEvent`."""
    events = Array(Object(union.event.properties, event=True))
    return Object({**union.profile.properties, "xEvent": events})


def property_of(type_: Type, name: str) -> Type | None:
    """Return the type of the property `name`, projected if `type_` is an array; None if there is none."""
    if type_ == UNKNOWN:
        return UNKNOWN
    if isinstance(type_, Array):
        below = property_of(type_.item, name)
        if below is None:
            return None
        return Array(below.item if isinstance(below, Array) else below, projected=True)
    if not isinstance(type_, Object):
        return None
    found = type_.properties.get(name)
    return of_field(found) if isinstance(found, Field) else found


def properties_of(type_: Type) -> Mapping[str, Field | Type]:
    """Return the properties that can be read from a value, through arrays."""
    while isinstance(type_, Array):
        type_ = type_.item
    return type_.properties if isinstance(type_, Object) else {}


def each(type_: Type) -> Type:
    """Return the type a predicate looks at: of a projection its values, else the value itself."""
    return type_.item if isinstance(type_, Array) and type_.projected else type_


def unify(left: Type, right: Type) -> Type | None:
    """Return the one type that holds the values of both, or None."""
    if left in OPEN or left == right:
        return right
    if right in OPEN:
        return left
    if left in NUMBERS and right in NUMBERS:
        return DOUBLE
    if left in TIMES and right in TIMES:
        return TIMESTAMP
    if isinstance(left, Array) and isinstance(right, Array):
        item = unify(left.item, right.item)
        return None if item is None else Array(item)
    if isinstance(left, Map) and isinstance(right, Map):
        value = unify(left.value, right.value)
        return None if value is None else Map(value)
    return None


def described(type_: Type) -> str:
    """Return a type with its article, for messages."""
    if isinstance(type_, Array) and type_.projected:
        return f"{described(type_.item)} of each item"
    name = str(type_)
    return "null" if type_ == NULL else f"{'an' if name[0] in 'AEIOU' else 'a'} {name}"
