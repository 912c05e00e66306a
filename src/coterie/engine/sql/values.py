"""What a core expression becomes in a row: a scalar, a record, an array or a map, each knowing its SQL.

An array is a list of *cursors* and what lies at each: of scalars the cursor is the value, of objects its position.
Filters and projections only change the cursors or the element, so the columns are read where they are used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import Enum, auto
from itertools import count
from typing import assert_never

from sqlglot import exp

from coterie.core.errors import Invalid
from coterie.core.schema import KEY, VALUE, Field, FieldType, leaves
from coterie.engine.sql.clocks import from_local
from coterie.engine.sql.constructs import (
    NULL,
    Sql,
    build,
    choose,
    column,
    defined,
    either,
    function,
    or_default,
    pairs,
    part,
    present,
    variable,
    whole,
)
from coterie.pql.ast import Expr
from coterie.pql.calendar import Interval
from coterie.pql.local import UTC
from coterie.pql.printer import to_text
from coterie.pql.resolve import unsupported

DIGITS = 38
"""Digits that exact numbers keep."""


class Kind(Enum):
    """Kinds of scalars. Exact numbers are integers and decimals; days and instants are ms."""

    TEXT = auto()
    EXACT = auto()
    BINARY = auto()
    TRUTH = auto()
    INSTANT = auto()
    DAY = auto()


NUMBERS = (Kind.EXACT, Kind.BINARY)
TIMES = (Kind.INSTANT, Kind.DAY)


@dataclass(frozen=True)
class Scalar:
    """A single value. An exact number has at most `whole` digits before and `scale` after the point.

    A `total` is a sum or count of items already, so that a sum of such totals has no more digits than one.
    `constant` is the value itself where it is known: `Decimal`, `str`, `bool` or `Interval`; of a text, `named` is the
    time that it names. An exact number that may have more digits than DuckDB keeps is null where it does; `rough` is
    then the double nearest to it.
    """

    sql: Sql
    kind: Kind
    scale: int = 0
    whole: int = 19
    constant: Decimal | str | bool | Interval | None = None
    total: bool = False
    named: Interval | None = None
    rough: Sql | None = None


@dataclass(frozen=True)
class Row:
    """A table row under an alias; `leaf` gives the SQL of one of its columns, whose days are those of a time zone.

    Of an event, `place` tells it from others; where it is not null, the event exists.
    """

    leaf: Callable[[str], Sql]
    known: Callable[[str], bool] = field(default=lambda _: True)
    place: tuple[Sql, ...] = ()
    zone: str = UTC


@dataclass(frozen=True)
class Record:
    """An object at a path of a row, inside arrays at the given positions."""

    row: Row
    path: str
    field: Field
    positions: tuple[Sql, ...] = ()

    def leaf(self, path: str) -> Sql:
        """Return the SQL of a leaf, taken at the positions."""
        sql = self.row.leaf(path)
        for position in self.positions:
            sql = build("element", sql, position)
        return sql

    def leaves(self) -> list[Sql]:
        """Return the SQL of all leaves below."""
        return [self.leaf(leaf.path) for leaf in leaves(self.field, self.path) if self.row.known(leaf.path)]

    def get(self, name: str) -> Value | None:
        """Return the property `name`, or None when there is none."""
        child = self.field.properties.get(name)
        return None if child is None else at(self, f"{self.path}.{name}" if self.path else name, child)

    def place(self) -> tuple[Sql, ...]:
        """Return what tells the record from other items of its array."""
        return (*self.row.place, *self.positions)


@dataclass(frozen=True)
class Made:
    """An object that the query makes, of named values."""

    values: Mapping[str, Value]

    def get(self, name: str) -> Value | None:
        """Return the property `name`, or None when there is none."""
        return self.values.get(name)


@dataclass(frozen=True)
class Chosen:
    """One of two objects, by a truth of the row."""

    test: Sql
    yes: Value
    otherwise: Value


@dataclass(frozen=True)
class Entries:
    """A stored map: parallel lists of keys and of the leaves of the values."""

    record: Record

    @property
    def keys(self) -> Sql:
        """Return the list of keys."""
        return self.record.leaf(f"{self.record.path}.{KEY}")

    def get(self, key: Sql) -> Value:
        """Return the value of a key."""
        return self.entry(build("position", self.keys, key))

    def listed(self) -> Many:
        """Return the keys."""
        return Many(self.keys, lambda cursor: Scalar(cursor, Kind.TEXT), plain=True)

    def values(self) -> Many:
        """Return the values, in the order of the keys."""
        return Many(build("up_to", build("size", self.keys)), self.entry, positions=True)

    def entry(self, position: Sql) -> Value:
        """Return the value at a position."""
        items = self.record.field.items
        assert items is not None
        path = self.record.path if items.type is FieldType.OBJECT else f"{self.record.path}.{VALUE}"
        inner = Record(self.record.row, path, items, (*self.record.positions, position))
        return at(inner, path, items)


@dataclass(frozen=True)
class Many:
    """An array: a list of cursors (null when the array is missing) and the element at a cursor.

    `positions` tells that the cursors are positions in stored order.
    `stored` gives the column that holds a property of all items, if there is one. Of groups, `key` gives the key of the
    one at a cursor. The element of a `made` array may be a value although there is no cursor.
    """

    cursors: Sql
    element: Callable[[Sql], Value]
    plain: bool = False
    positions: bool = False
    stored: Callable[[str], Sql | None] = field(default=lambda _: None)
    key: Callable[[Sql], Value] | None = None
    made: bool = False

    def kept(self, holds: Callable[[Value], Sql]) -> Many:
        """Return the items for which a truth holds."""
        name = fresh()
        condition = holds(self.element(variable(name)))
        return replace(self, cursors=build("keep", self.cursors, function(name, condition)))

    def mapped(self, change: Callable[[Value], Value]) -> Many:
        """Return another value for each item."""
        return Many(self.cursors, lambda cursor: change(self.element(cursor)), made=True)

    def projected(self, get: Callable[[Value], Value]) -> Many:
        """Return a property of the items, those of arrays joined; items that lack it are left out."""
        name = fresh()
        sample = get(self.element(variable(name)))
        if not isinstance(sample, Many):
            shown = self.mapped(get)
            return shown.kept(exists)
        below = fresh()
        pair = pairs(outer=variable(name), inner=variable(below))
        nested = build("each", self.cursors, function(name, build("each", sample.cursors, function(below, pair))))

        def element(cursor: Sql) -> Value:
            inside = get(self.element(part(cursor, "outer")))
            assert isinstance(inside, Many)
            return inside.element(part(cursor, "inner"))

        return Many(build("joined_items", nested), element, made=self.made)

    def scalars(self, expr: Expr) -> tuple[Sql, Scalar]:
        """Return the list of values, nulls among them, and a sample of one; refuses an array of anything else."""
        name = fresh()
        sample = self.element(variable(name))
        if not isinstance(sample, Scalar):
            raise mismatch(expr, "an array of single values")
        settled(sample, expr)
        if self.plain:
            return self.cursors, sample
        return build("each", self.cursors, function(name, sample.sql)), sample

    def size(self) -> Sql:
        """Return the number of items, 0 for a missing array; null items are no items."""
        return or_default(build("count_present" if self.plain else "size", self.cursors), whole(0))


@dataclass(frozen=True)
class Dictionary:
    """A map that the query makes: entries, each with a key and a value."""

    entries: Many
    key: Callable[[Value], Scalar]
    value: Callable[[Value], Value]

    def listed(self) -> Many:
        """Return the keys."""
        return self.entries.mapped(self.key)

    def values(self) -> Many:
        """Return the values, in the order of the keys."""
        return self.entries.mapped(self.value)


Value = Scalar | Record | Made | Chosen | Entries | Dictionary | Many

_numbers = count()


def fresh() -> str:
    """Return a variable name that no other expression of the statement has."""
    return f"v{next(_numbers)}"


def bound(sql: Sql, body: Callable[[Sql], Sql]) -> Sql:
    """Return `body` of a value that is computed once."""
    name = fresh()
    listed = exp.Array(expressions=[sql])
    return build("element", build("each", listed, function(name, body(variable(name)))), whole(1))


def scalar(sql: Sql, field: Field, zone: str) -> Scalar:
    """Return the scalar that a leaf of the given field holds; a day begins when the local one does."""
    match field.type:
        case FieldType.STRING:
            return Scalar(sql, Kind.TEXT)
        case FieldType.INTEGER:
            return Scalar(sql, Kind.EXACT)
        case FieldType.NUMBER if field.decimals is not None:
            return Scalar(sql, Kind.EXACT, field.decimals, 18 - field.decimals)
        case FieldType.NUMBER:
            return Scalar(sql, Kind.BINARY)
        case FieldType.BOOLEAN:
            return Scalar(sql, Kind.TRUTH)
        case FieldType.DATE:
            return Scalar(from_local(sql, zone), Kind.DAY)
        case _:
            return Scalar(sql, Kind.INSTANT)


def is_null(value: Value) -> bool:
    """Whether a value is the literal null, which has no type of its own."""
    return isinstance(value, Scalar) and value.sql == NULL and value.constant is None


def at(owner: Record, path: str, field: Field) -> Value:
    """Return the value of a field at a path, at the positions of `owner`."""
    record = Record(owner.row, path, field, owner.positions)
    match field.type:
        case FieldType.OBJECT:
            return record
        case FieldType.MAP:
            return Entries(record)
        case FieldType.ARRAY:
            item = field.items
            assert item is not None
            zone = owner.row.zone
            if item.scalar:
                plain = item.type is not FieldType.DATE or zone == UTC
                return Many(record.leaf(path), lambda cursor: scalar(cursor, item, zone), plain=plain)
            sizes = [build("size", leaf) for leaf in record.leaves()]
            size = sizes[0] if len(sizes) == 1 else build("greatest", *sizes)

            def element(cursor: Sql) -> Value:
                return at(Record(owner.row, path, item, (*owner.positions, cursor)), path, item)

            def stored(name: str) -> Sql | None:
                child = item.properties.get(name)
                return record.leaf(f"{path}.{name}") if child is not None and child.scalar else None

            return Many(build("up_to", size), element, positions=True, stored=stored)
        case _:
            return scalar(record.leaf(path), field, owner.row.zone)


def table_row(alias: str, zone: str = UTC) -> Row:
    """Return the row of a table whose columns are the leaves."""
    return Row(lambda path: column(alias, path), zone=zone)


def exists(value: Value) -> Sql:
    """Return that a reference exists."""
    match value:
        case Scalar(sql):
            return present(sql) if value.rough is None else either([present(sql), present(value.rough)])
        case Record() if value.row.place and not value.path:
            return present(value.row.place[0])
        case Record():
            return either(present(leaf) for leaf in value.leaves())
        case Made(values):
            return either(exists(part) for part in values.values())
        case Chosen(test, yes, otherwise):
            return defined(choose(test, exists(yes), exists(otherwise)))
        case Entries():
            return present(value.keys)
        case Dictionary(entries):
            return present(entries.cursors)
        case Many(cursors):
            return present(cursors)
        case _:
            assert_never(value)


def settled(value: Scalar, expr: Expr) -> Sql:
    """Return the SQL of a value; refuses a number that may have too many digits, where none can stand beside it."""
    if value.rough is not None:
        raise unsupported(
            expr,
            f"{to_text(expr)}, whose numbers may have more than {DIGITS} digits,",
            "Multiply fewer numbers, or divide by 1 for the nearest double: (a * b * c) / 1.",
        )
    return value.sql


def mismatch(expr: Expr, wanted: str) -> Invalid:
    """Return the error for a value of another kind than an operation takes; the checker finds these first."""
    return Invalid(
        "pql.type",
        f"{to_text(expr)}: {wanted} is expected.",
        hint="Check the rule: coterie pql check shows where.",
        where={"start": expr.span.start, "end": expr.span.end},
    )
