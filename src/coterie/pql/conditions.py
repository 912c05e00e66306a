"""Conditions and rules: the leaf facts about a person that audiences share, and the Boolean algebra over them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import Literal as Choice
from typing import assert_never

from coterie.pql.ast import Binary, Call, Expr, Filter, Literal, Method, Name
from coterie.pql.printer import to_text
from coterie.pql.scopes import XEVENT, levels_of, reads_events, reads_person
from coterie.pql.sequences import Exclusion as Exclusion
from coterie.pql.sequences import Sequence as Sequence
from coterie.pql.sequences import Step as Step
from coterie.pql.sequences import sequence_of

Comparison = Choice["=", "!=", "<", "<=", ">", ">="]
Function = Choice["count", "distinct", "sum", "average", "min", "max"]

COMPARISONS: tuple[Comparison, ...] = ("=", "!=", "<", "<=", ">", ">=")


@dataclass(frozen=True, slots=True)
class Attribute:
    """A predicate on the profile alone."""


@dataclass(frozen=True, slots=True)
class Aggregate:
    """An aggregate of the events that satisfy `where`, compared with a value.

    `where` and `operand` are read in the scope of the event and of nothing around it; others are `Computed`.
    ``distinct`` counts the distinct values of the operand.
    """

    function: Function
    where: Expr | None
    operand: Expr | None
    op: Comparison
    value: Literal


@dataclass(frozen=True, slots=True)
class Membership:
    """The person is in an audience."""

    audience: str


@dataclass(frozen=True, slots=True)
class Presence:
    """The person has an identity of a namespace."""

    namespace: str


@dataclass(frozen=True, slots=True)
class Computed:
    """Any other expression over the events of the profile."""


Shape = Attribute | Aggregate | Sequence | Membership | Presence | Computed


@dataclass(frozen=True)
class Condition:
    """A leaf fact about a person; equal when the canonical text and the time zone are.

    Parameters
    ----------
    expr : Expr
        Its core tree in canonical form.
    zone : str
        IANA name of the time zone of its calendar; ``UTC`` also for what means the same in all of them.
    """

    expr: Expr = field(compare=False, repr=False)
    zone: str = "UTC"
    text: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", to_text(self.expr))

    @cached_property
    def key(self) -> str:
        """Stable hash of the canonical text and the time zone."""
        meaning = self.text if self.zone == "UTC" else f"{self.text}\n{self.zone}"
        return sha256(meaning.encode()).hexdigest()[:32]

    @cached_property
    def shape(self) -> Shape:
        """What kind of fact it is, with its parts."""
        return shape_of(self.expr)


def shape_of(expr: Expr) -> Shape:
    """Return the kind of fact that a canonical core expression states."""
    match expr:
        case Call("inSegment", (Literal(str(audience)),)):
            return Membership(audience)
        case Method(Method(Name("identityMap"), "get", (Literal(str(namespace)),)), "isNotNull"):
            return Presence(namespace)
        case Binary(op, left, Literal() as value) if op in COMPARISONS:
            return _aggregate(left, op, value) or _plain(expr)
        case _:
            once = _aggregate(Method(expr, "count", ()), ">=", Literal(1, "integer"))
            return once or sequence_of(expr) or _plain(expr)


def _plain(expr: Expr) -> Shape:
    return Computed() if reads_events(expr) else Attribute()


def _self_contained(expr: Expr) -> bool:
    return levels_of(expr) <= {0} and not reads_person(expr)


def _aggregate(expr: Expr, op: Comparison, value: Literal) -> Aggregate | None:
    function: Function
    operand: Expr | None
    match expr:
        case Method(Method(Method(array, "map", (operand,)), "distinct", ()), "count", ()):
            function = "distinct"
        case Method(array, "count", ()):
            function, operand = "count", None
        case Method(array, "sum" | "average" | "min" | "max" as function, (operand,)):
            pass
        case _:
            return None
    found = events_of(array)
    if found is None or not all(part is None or _self_contained(part) for part in (found[0], operand)):
        return None
    return Aggregate(function, found[0], operand, op, value)


def events_of(expr: Expr) -> tuple[Expr | None] | None:
    """Return the filter (in a tuple of one) when the expression is `xEvent` or a filter of it, else None."""
    match expr:
        case Filter(array, condition) if array == XEVENT:
            return (condition,)
        case _:
            return (None,) if expr == XEVENT else None


# -- rules ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Constant:
    """Everyone, or no one."""

    value: bool


@dataclass(frozen=True, slots=True)
class Leaf:
    """The persons for whom a condition holds."""

    condition: Condition


@dataclass(frozen=True, slots=True)
class Not:
    """The persons for whom the operand does not hold."""

    operand: Rule


@dataclass(frozen=True, slots=True)
class And:
    """The persons for whom all operands hold."""

    operands: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """The persons for whom some operand holds."""

    operands: tuple[Rule, ...]


Rule = Constant | Leaf | Not | And | Or


def conditions_of(rule: Rule) -> list[Condition]:
    """Return the distinct conditions of a rule, in order of appearance."""
    return list({condition.key: condition for condition in _leaves(rule)}.values())


def _leaves(rule: Rule) -> Iterator[Condition]:
    match rule:
        case Constant():
            return
        case Leaf(condition):
            yield condition
        case Not(operand):
            yield from _leaves(operand)
        case And(operands) | Or(operands):
            for operand in operands:
                yield from _leaves(operand)
        case _:
            assert_never(rule)
