"""The syntax tree of PQL. Nodes are frozen; equality ignores where in the text a node stands.

The tree says what was written, not how: `a.count()` and the prefix forms have nodes
of their own, parentheses have none.
Passes dispatch by ``match`` and end in ``assert_never``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal as Choice


@dataclass(frozen=True, slots=True)
class Span:
    """Half-open range of 0-based character offsets in the query text."""

    start: int
    end: int


NOWHERE = Span(0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """Base of all nodes."""

    span: Span = field(default=NOWHERE, compare=False, repr=False)


# -- values ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Literal(Node):
    """A string, integer, double, true, false or null. A double keeps its written digits (exact decimals)."""

    value: str | int | bool | None
    kind: Choice["string", "integer", "double", "boolean", "null"]


@dataclass(frozen=True, slots=True)
class ArrayLiteral(Node):
    """`[1, 2]`."""

    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class ObjectLiteral(Node):
    """`{"k": expr}`."""

    entries: tuple[tuple[str, Expr], ...]


# -- names ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Name(Node):
    """A bare name: a variable, `xEvent`, `this`, `now`, `today`, or a property of the implicit object."""

    name: str


@dataclass(frozen=True, slots=True)
class Positional(Node):
    """`$1`."""

    position: int


@dataclass(frozen=True, slots=True)
class Up(Node):
    """`^^.name`: `name` looked up `levels` implicit scopes further out."""

    levels: int
    name: str


@dataclass(frozen=True, slots=True)
class Property(Node):
    """`object.name`."""

    object: Expr
    name: str


# -- application ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Call(Node):
    """`name(args)`: `if`, `date`, `inSegment`, `stringCompare`, `mapEntry`, `currentYear`, …"""

    name: str
    args: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Method(Node):
    """`receiver.name(args)`."""

    receiver: Expr
    name: str
    args: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Filter(Node):
    """`array[condition]`."""

    array: Expr
    condition: Expr


@dataclass(frozen=True, slots=True)
class Unary(Node):
    """`-x` or `not x` (also written `!x`)."""

    op: Choice["-", "not"]
    operand: Expr


BinaryOp = Choice[
    "or", "and", "=", "!=", "<", "<=", ">", ">=", "in", "notIn", "like", "matches", "+", "-", "*", "/", "%"
]


@dataclass(frozen=True, slots=True)
class Binary(Node):
    """`left op right`."""

    op: BinaryOp
    left: Expr
    right: Expr


# -- variables ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Lambda(Node):
    """`(a, b) => body`."""

    params: tuple[str, ...]
    body: Expr


@dataclass(frozen=True, slots=True)
class Let(Node):
    """`let name = value in body`."""

    name: str
    value: Expr
    body: Expr


@dataclass(frozen=True, slots=True)
class Declaration(Node):
    """`variable from array where condition`."""

    variable: str
    array: Expr
    condition: Expr | None


@dataclass(frozen=True, slots=True)
class Quantified(Node):
    """`select | exists | forall` over declarations."""

    kind: Choice["select", "exists", "forall"]
    declarations: tuple[Declaration, ...]


@dataclass(frozen=True, slots=True)
class PrefixAggregate(Node):
    """`sum e over V from A where C`; `value` is None in the short form `sum V from A where C`."""

    function: Choice["sum", "average", "min", "max"]
    value: Expr | None
    declarations: tuple[Declaration, ...]


# -- time -----------------------------------------------------------------------------------------------------------

Unit = Choice[
    "millisecond", "second", "minute", "hour", "day", "week", "month", "year", "decade", "century", "millennium"
]


@dataclass(frozen=True, slots=True)
class TimeWord(Node):
    """`now`, `today`, `yesterday` or `tomorrow` as the time of a tail."""

    word: Choice["now", "today", "yesterday", "tomorrow"]


@dataclass(frozen=True, slots=True)
class RelativeUnit(Node):
    """`this month`, `last week`, `next year`."""

    which: Choice["this", "last", "next"]
    unit: Unit


@dataclass(frozen=True, slots=True)
class DistanceTail(Node):
    """`<= 30 days before now`."""

    op: Choice["=", "!=", "<", "<=", ">", ">="]
    count: int
    unit: Unit
    direction: Choice["before", "after", "from"]
    time: TimeWord | RelativeUnit | Expr


@dataclass(frozen=True, slots=True)
class DirectionTail(Node):
    """`before today`."""

    direction: Choice["before", "after", "from"]
    time: TimeWord | RelativeUnit | Expr


@dataclass(frozen=True, slots=True)
class BetweenTail(Node):
    """`between T1 and T2`."""

    first: TimeWord | RelativeUnit | Expr
    last: TimeWord | RelativeUnit | Expr


@dataclass(frozen=True, slots=True)
class OnTail(Node):
    """`on T`, or `T` alone."""

    time: TimeWord | RelativeUnit | Expr


Tail = DistanceTail | DirectionTail | BetweenTail | OnTail


@dataclass(frozen=True, slots=True)
class Occurs(Node):
    """`value occurs tail`."""

    value: Expr
    tail: Tail


# -- chains ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Element(Node):
    """An element of a chain: WHAT or EXCLUDE, with its WHEN tails, COUNT and WHERE."""

    label: str
    kind: Choice["what", "exclude"]
    what: Expr
    when: tuple[Tail, ...]
    count: int
    where: Expr | None


@dataclass(frozen=True, slots=True)
class Chain(Node):
    """`chain(array, timestampField, [elements])`; in a `core` tree the times of tails are those of ``$1``, ``$2``, ….

    These are the items of its included elements, which no name means. No text is read as a chain of a core tree.
    """

    array: Expr
    timestamp: tuple[str, ...]
    elements: tuple[Element, ...]
    core: bool = False


Expr = (
    Literal
    | ArrayLiteral
    | ObjectLiteral
    | Name
    | Positional
    | Up
    | Property
    | Call
    | Method
    | Filter
    | Unary
    | Binary
    | Lambda
    | Let
    | Quantified
    | PrefixAggregate
    | Occurs
    | Chain
)
