"""Scopes of a *core* tree: one without variables, in which every name says how many scopes it lies further out.

In a core tree `Name` is a property of the innermost object, `Up` one further out, and `this` the object itself. The
names `xEvent`, `now` and `today` mean the same at every depth. A scope stack holds fields of objects, outermost first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import assert_never

from coterie.core.schema import Field, FieldType, Union
from coterie.pql.ast import (
    ArrayLiteral,
    BetweenTail,
    Binary,
    Call,
    Chain,
    Expr,
    Filter,
    Lambda,
    Let,
    Literal,
    Method,
    Name,
    ObjectLiteral,
    Occurs,
    Positional,
    PrefixAggregate,
    Property,
    Quantified,
    RelativeUnit,
    Tail,
    TimeWord,
    Unary,
    Up,
)

Scopes = tuple[Field, ...]

RESERVED = frozenset({"xEvent", "now", "today"})
ITEM_METHODS = frozenset(
    {"filter", "exists", "forall", "map", "sum", "average", "min", "max", "groupBy", "topN", "bottomN"}
)
"""Methods whose first argument is read in the scope of the item."""
NEGATIVE = {
    "notEqualTo": "equals",
    "doesNotContain": "contains",
    "doesNotStartWith": "startsWith",
    "doesNotEndWith": "endsWith",
}
"""Text methods that hold when another one does not."""
TEXT_METHODS = frozenset({*NEGATIVE, *NEGATIVE.values(), "matches"})
PREDICATES = TEXT_METHODS | {
    "exists",
    "forall",
    "includes",
    "intersects",
    "isNotNull",
    "isNull",
    "subsetOf",
    "supersetOf",
}
"""Methods that are true or false, never null."""

XEVENT = Name("xEvent")
THIS = Name("this")

_BOOLEAN = Field(FieldType.BOOLEAN)
_STRING = Field(FieldType.STRING)
_INTEGER = Field(FieldType.INTEGER)
_NUMBER = Field(FieldType.NUMBER)
_DATE = Field(FieldType.DATE)
_DATETIME = Field(FieldType.DATETIME)
_NUMERIC = (FieldType.INTEGER, FieldType.NUMBER)
_TEXTS = Field(FieldType.ARRAY, items=_STRING)


def at_level(level: int, name: str) -> Expr:
    """Return the reference to property `name` (or ``this``) of the object `level` scopes out."""
    return Name(name) if level == 0 else Up(level, name)


def attach(expr: Expr, name: str) -> Expr:
    """Return the core form of ``expr.name``."""
    match expr:
        case Name("this") if name not in RESERVED and name != "this":
            return Name(name)
        case Up(levels, "this") if name != "this":
            return Up(levels, name)
        case ObjectLiteral(entries) if name in dict(entries):
            return dict(entries)[name]
        case _:
            return Property(expr, name)


def times_of(tail: Tail) -> tuple[TimeWord | RelativeUnit | Expr, ...]:
    """Return the one or two times of a tail."""
    return (tail.first, tail.last) if isinstance(tail, BetweenTail) else (tail.time,)


def with_times(tail: Tail, times: tuple[TimeWord | RelativeUnit | Expr, ...]) -> Tail:
    """Return the tail with other times."""
    if isinstance(tail, BetweenTail):
        return replace(tail, first=times[0], last=times[1])
    return replace(tail, time=times[0])


def rebuild(expr: Expr, change: Callable[[Expr, int], Expr]) -> Expr:
    """Return `expr` with `change` applied to each child; the number tells how many scopes lie between it and `expr`."""

    def tail_of(tail: Tail, inner: int) -> Tail:
        times = tuple(t if isinstance(t, TimeWord | RelativeUnit) else change(t, inner) for t in times_of(tail))
        return with_times(tail, times)

    match expr:
        case Literal() | Name() | Positional() | Up():
            return expr
        case ArrayLiteral(items):
            return replace(expr, items=tuple(change(item, 0) for item in items))
        case ObjectLiteral(entries):
            return replace(expr, entries=tuple((key, change(value, 0)) for key, value in entries))
        case Property(target, _):
            return replace(expr, object=change(target, 0))
        case Call(_, args):
            return replace(expr, args=tuple(change(arg, 0) for arg in args))
        case Method(receiver, name, args):
            inner = int(name in ITEM_METHODS)
            changed = tuple(change(arg, inner if position == 0 else 0) for position, arg in enumerate(args))
            return replace(expr, receiver=change(receiver, 0), args=changed)
        case Filter(array, condition):
            return replace(expr, array=change(array, 0), condition=change(condition, 1))
        case Unary(_, operand):
            return replace(expr, operand=change(operand, 0))
        case Binary(_, left, right):
            return replace(expr, left=change(left, 0), right=change(right, 0))
        case Occurs(value, tail):
            return replace(expr, value=change(value, 0), tail=tail_of(tail, 0))
        case Chain(array, _, elements):
            changed_elements = tuple(
                replace(
                    element,
                    what=change(element.what, 1),
                    when=tuple(tail_of(tail, 1) for tail in element.when),
                    where=None if element.where is None else change(element.where, 1),
                )
                for element in elements
            )
            return replace(expr, array=change(array, 0), elements=changed_elements)
        case Lambda() | Let() | Quantified() | PrefixAggregate():
            raise AssertionError(f"{type(expr).__name__} in a core tree")
        case _:
            assert_never(expr)


def children(expr: Expr) -> list[tuple[Expr, int]]:
    """Return the expressions directly below one, each with how many scopes (0 or 1) lie between."""
    below: list[tuple[Expr, int]] = []

    def note(child: Expr, inner: int) -> Expr:
        below.append((child, inner))
        return child

    rebuild(expr, note)
    return below


def shift(expr: Expr, by: int, cutoff: int = 0) -> Expr:
    """Return `expr` for a place `by` scopes deeper; names that lie within `cutoff` scopes stay as they are."""
    if by == 0:
        return expr
    match expr:
        case Name(name):
            return expr if cutoff or name in RESERVED else replace_name(expr, by, name)
        case Up(levels, name):
            return expr if levels < cutoff else replace_name(expr, levels + by, name)
        case _:
            return rebuild(expr, lambda child, inner: shift(child, by, cutoff + inner))


def replace_name(expr: Name | Up, level: int, name: str) -> Expr:
    """Return the reference moved to another level, standing where `expr` stood."""
    assert level >= 0
    if level == 0:
        return Property(THIS, name, span=expr.span) if name in RESERVED else Name(name, span=expr.span)
    return Up(level, name, span=expr.span)


def put(expr: Expr, item: Expr, depth: int = 0) -> Expr:
    """Return `expr`, read at a value, for the object of which the value is `item`: ``this`` becomes the item."""
    match expr:
        case Name(name) if depth == 0 and name not in RESERVED:
            return item if name == "this" else attach(item, name)
        case Up(levels, name) if levels == depth:
            return shift(item, depth) if name == "this" else attach(shift(item, depth), name)
        case _:
            return rebuild(expr, lambda child, inner: put(child, item, depth + inner))


def owner_of(expr: Expr) -> Expr | None:
    """Return what an expression reads a property or the items of, or None when it reads neither."""
    match expr:
        case Property(owner, _) | Filter(owner, _) | Method(owner, _, _) | Chain(owner, _, _):
            return owner
        case _:
            return None


def levels_of(expr: Expr) -> frozenset[int]:
    """Return how many scopes out the objects lie that `expr` reads."""
    found: set[int] = set()
    for node, inner in walk(expr):
        if isinstance(node, Name | Up) and not (isinstance(node, Name) and node.name in RESERVED):
            level = (node.levels if isinstance(node, Up) else 0) - inner
            if level >= 0:
                found.add(level)
    return frozenset(found)


def walk(expr: Expr, inner: int = 0) -> Iterator[tuple[Expr, int]]:
    """Yield the expressions of a core tree with the number of scopes between each and the root."""
    yield expr, inner
    for child, deeper in children(expr):
        yield from walk(child, inner + deeper)


def reads_events(expr: Expr) -> bool:
    """Whether `expr` names `xEvent`."""
    return any(node == XEVENT for node, _ in walk(expr))


def reads_person(expr: Expr) -> bool:
    """Whether an expression reads what is known of the person beyond its row: events, memberships, identities."""
    return any(
        node == XEVENT
        or (isinstance(node, Call) and node.name == "inSegment")
        or (isinstance(node, Name | Up) and node.name in ("identityMap", "segmentMembership"))
        for node, _ in walk(expr)
    )


def root_scopes(union: Union) -> Scopes:
    """Return the scope stack of an audience: the profile."""
    return (union.profile,)


def _is_null(expr: Expr) -> bool:
    return isinstance(expr, Literal) and expr.kind == "null"


def item_field(array: Field | None) -> Field | None:
    """Return the field of the items of an array."""
    return array.items if array is not None and array.type is FieldType.ARRAY else None


def _property(owner: Field, name: str) -> Field | None:
    """Return the field of a property: of an array it is that of the items, those of arrays joined."""
    if owner.type is not FieldType.ARRAY:
        return owner.properties.get(name)
    item = None if owner.items is None else _property(owner.items, name)
    return item and (item if item.type is FieldType.ARRAY else Field(FieldType.ARRAY, items=item))


def _either(left: Field | None, right: Field | None) -> Field | None:
    """Return the field of one of two values."""
    if left is None or right is None:
        return left or right
    types = {left.type, right.type}
    if len(types) == 2 and types <= set(_NUMERIC):
        return _NUMBER
    return _DATETIME if types == {FieldType.DATE, FieldType.DATETIME} else left


def field_of(expr: Expr, scopes: Scopes, events: Field) -> Field | None:
    """Return the field that describes the value of a core expression, or None when it is not known.

    Parameters
    ----------
    expr : Expr
        A core expression.
    scopes : tuple of Field
        The objects around it, outermost first.
    events : Field
        What an item of `xEvent` is.
    """

    def below(child: Expr) -> Field | None:
        return field_of(child, scopes, events)

    def in_item(receiver: Expr, arg: Expr) -> Field | None:
        item = item_field(below(receiver))
        return None if item is None else field_of(arg, (*scopes, item), events)

    match expr:
        case Literal(_, kind):
            return {"string": _STRING, "integer": _INTEGER, "double": _NUMBER, "boolean": _BOOLEAN}.get(kind)
        case ArrayLiteral(items):
            found = next((field for item in items if (field := below(item)) is not None), None)
            return Field(FieldType.ARRAY, items=found or (_STRING if all(map(_is_null, items)) else None))
        case Name(name) if name in RESERVED:
            return Field(FieldType.ARRAY, items=events) if name == "xEvent" else _DATETIME if name == "now" else _DATE
        case Name(name) | Up(_, name):
            level = expr.levels if isinstance(expr, Up) else 0
            if level >= len(scopes):
                return None
            scope = scopes[-1 - level]
            return scope if name == "this" else _property(scope, name)
        case Property(target, name):
            owner = below(target)
            return None if owner is None else _property(owner, name)
        case ObjectLiteral(entries):
            known = {name: found for name, value in entries if (found := below(value)) is not None}
            return Field(FieldType.OBJECT, properties=known)
        case Filter(array, _):
            return below(array)
        case Unary(op, operand):
            found = below(operand)
            return _BOOLEAN if op == "not" else found if found and found.type in _NUMERIC else None
        case Binary(op, left, right):
            if op not in ("+", "-", "*", "/", "%"):
                return _BOOLEAN
            whole = all((f := below(side)) is not None and f.type is FieldType.INTEGER for side in (left, right))
            return _INTEGER if whole and op != "/" else _NUMBER
        case Occurs() | Chain():
            return _BOOLEAN
        case Call(name, args):
            if name == "if" and len(args) == 3:
                return _either(below(args[1]), below(args[2]))
            return {"date": _DATE, "inSegment": _BOOLEAN, "stringCompare": _BOOLEAN}.get(name, _INTEGER)
        case Method(receiver, name, args):
            match name:
                case "count" | "getYear" | "getMonth" | "getDayOfMonth":
                    return _INTEGER
                case "average":
                    return _NUMBER
                case "regexGroup":
                    return _STRING
                case "filter" | "distinct" | "topN" | "bottomN" | "intersection":
                    return below(receiver)
                case "head":
                    return item_field(below(receiver))
                case "sum" | "min" | "max":
                    return in_item(receiver, args[0]) if args else item_field(below(receiver))
                case "map":
                    match args:
                        case (Call("mapEntry", (_, entry)),):
                            return Field(FieldType.MAP, items=in_item(receiver, entry))
                        case _:
                            return Field(FieldType.ARRAY, items=in_item(receiver, args[0])) if args else None
                case "groupBy":
                    return Field(FieldType.ARRAY, items=below(receiver))
                case "keys":
                    return _TEXTS
                case "get" | "values":
                    owner = below(receiver)
                    value = None if owner is None else owner.items
                    return value if name == "get" else Field(FieldType.ARRAY, items=value)
                case _:
                    return _BOOLEAN if name in PREDICATES else None
        case _:
            return None
