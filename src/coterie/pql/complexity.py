"""How involved a rule is: elements of chains, aggregates, nesting, what must not have happened."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import assert_never

from coterie.pql.ast import ArrayLiteral, Binary, Chain, Expr, Filter, Literal, Method, Name, PrefixAggregate, Unary
from coterie.pql.conditions import And, Condition, Constant, Leaf, Not, Or, Rule, conditions_of
from coterie.pql.logic import operands_of
from coterie.pql.scopes import XEVENT, reads_events
from coterie.pql.scopes import walk as walk_core
from coterie.pql.tree import walk

AGGREGATES = frozenset({"count", "sum", "average", "min", "max"})


@dataclass(frozen=True)
class Complexity:
    """Counts of a rule as it is written, and what its conditions come to.

    `chain_elements` are those of all chains, `longest_chain` those of the longest. `depth` tells how many arrays are
    gone through inside one another. `negated_events` tells that some event must not be there.
    """

    chain_elements: int
    longest_chain: int
    aggregates: int
    depth: int
    negated_events: bool


def complexity(expr: Expr, rule: Rule) -> Complexity:
    """Return how involved a rule is.

    Parameters
    ----------
    expr : Expr
        The rule as it was parsed.
    rule : Rule
        Its normal form.
    """
    chains = [len(node.elements) for node in walk(expr) if isinstance(node, Chain)]
    aggregates = sum(
        isinstance(node, PrefixAggregate) or (isinstance(node, Method) and node.name in AGGREGATES)
        for node in walk(expr)
    )
    deepest = (inner for condition in conditions_of(rule) for _, inner in walk_core(condition.expr))
    return Complexity(
        sum(chains), max(chains, default=0), aggregates, max(deepest, default=0), bool(negated_events(rule))
    )


def negated_events(rule: Rule) -> list[Condition]:
    """Return the conditions by which some event must not be there, in order of appearance."""
    found: dict[str, Condition] = {}
    _note(rule, found, negated=False)
    return list(found.values())


def _note(rule: Rule, found: dict[str, Condition], *, negated: bool) -> None:
    match rule:
        case Constant():
            return
        case Leaf(condition):
            if (negated and reads_events(condition.expr)) or _excludes(condition.expr):
                found.setdefault(condition.key, condition)
        case Not(operand):
            _note(operand, found, negated=not negated)
        case And(operands) | Or(operands):
            for operand in operands:
                _note(operand, found, negated=negated)
        case _:
            assert_never(rule)


def _excludes(expr: Expr) -> bool:
    """Whether some event must not be there within a condition: an excluded element, or `not` around events."""
    return any(
        (isinstance(node, Chain) and any(element.kind == "exclude" for element in node.elements))
        or (isinstance(node, Unary) and node.op == "not" and reads_events(node.operand))
        for node, _ in walk_core(expr)
    )


def event_types(conditions: Iterable[Condition]) -> frozenset[str] | None:
    """Return the event types outside of which conditions need no event; None when events of any type matter."""
    types: frozenset[str] = frozenset()
    for condition in conditions:
        found = _types_read(condition.expr)
        if found is None:
            return None
        types |= found
    return types


def _types_read(expr: Expr) -> frozenset[str] | None:
    types: frozenset[str] = frozenset()
    for node, _ in walk_core(expr):
        match node:
            case Filter(array, condition) if array == XEVENT:
                wheres = [condition]
            case Chain(array, _, elements) if array == XEVENT:
                wheres = [element.what for element in elements]
            case _:
                continue
        for where in wheres:
            named = _types_of(where)
            if named is None:
                return None
            types |= named
    bare = sum(node == XEVENT for node, _ in walk_core(expr))
    filtered = sum(isinstance(node, Filter | Chain) and node.array == XEVENT for node, _ in walk_core(expr))
    return types if bare == filtered else None


def _types_of(where: Expr) -> frozenset[str] | None:
    """Return the types of which an event must be one to satisfy a condition; None when it may be of any."""
    match where:
        case Binary("and"):
            named = [found for part in operands_of("and", where) if (found := _types_of(part)) is not None]
            return frozenset.intersection(*named) if named else None
        case Binary("or"):
            either = [_types_of(part) for part in operands_of("or", where)]
            return None if None in either else frozenset().union(*(found for found in either if found is not None))
        case Binary("=", Name("eventType"), Literal(str(type_))):
            return frozenset({type_})
        case Binary("in", Name("eventType"), ArrayLiteral(items)):
            return frozenset(str(item.value) for item in items if isinstance(item, Literal))
        case _:
            return None
