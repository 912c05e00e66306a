"""The normal form: equivalent spellings become one core tree, and a rule becomes algebra over conditions.

`normalise` resolves names (`resolve`), puts the expressions of computed attributes in their places (`expansion`), lets
scores count only while they are valid (`validity`), brings all into canonical form (`Canon`), and divides the result at
`and`, `or` and `not`. Logic is two-valued: a predicate on null is false, so `not` may be pushed inward freely.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from coterie.core.schema import Union
from coterie.pql.ast import Binary, Expr, Filter, Literal, Method, Unary
from coterie.pql.canon import Canon
from coterie.pql.checker import check
from coterie.pql.conditions import And, Condition, Constant, Leaf, Not, Or, Rule
from coterie.pql.expansion import expanded
from coterie.pql.local import UTC, zone_of
from coterie.pql.logic import operands_of
from coterie.pql.parser import parse
from coterie.pql.problems import PqlError, Problem
from coterie.pql.resolve import resolve, unsupported
from coterie.pql.scopes import root_scopes
from coterie.pql.validity import lasting
from coterie.pql.zones import reads_calendar

_BEFORE = "xEvent["
"""What stands before a condition on one event where it is checked."""


def normalise(expr: Expr, union: Union, zone: str = UTC) -> Rule:
    """Return the rule that an audience's expression states.

    Parameters
    ----------
    expr : Expr
        A tree without problems (see `check`).
    union : Union
        The fields there are.
    zone : str
        IANA name of the time zone whose calendar the rule means.

    Returns
    -------
    Rule
        Boolean algebra over canonical conditions, sorted, without repetition.

    Raises
    ------
    Invalid
        ``pql.zone`` for a time zone that there is none of; ``computed.cycle``.
    Unsupported
        ``engine.unsupported`` for forms that have no core tree yet.
    """
    zone_of(zone)
    try:
        core = lasting(expanded(resolve(expr), union.computed), union)
        rule = Canon(union).truth(core, root_scopes(union))
        return rule_of(rule, lambda leaf: zone if zone != UTC and _is_zoned(leaf, union) else UTC)
    except RecursionError:
        raise unsupported(expr, "a rule nested so deep") from None


def value_form(expr: Expr, union: Union) -> Expr:
    """Return the canonical core tree of an expression whose value is asked for; see `normalise` for what it raises."""
    try:
        core = lasting(expanded(resolve(expr, truth=False), union.computed), union)
        return Canon(union).value(core, root_scopes(union))
    except RecursionError:
        raise unsupported(expr, "an expression nested so deep") from None


def event_form(text: str, union: Union) -> Expr | None:
    """Return the canonical core tree of a condition on one event, given as text; None for one that always holds.

    Raises
    ------
    PqlError
        For a condition with problems.
    """
    parse(text)  # by itself first: a bracket within it must not end the filter around it
    try:
        counted = check(f"{_BEFORE}{text}].count()", union).require()
    except PqlError as error:
        raise PqlError([_moved(problem, len(text)) for problem in error.problems]) from None
    found = value_form(counted, union)
    assert isinstance(found, Method)
    return found.receiver.condition if isinstance(found.receiver, Filter) else None


def _moved(problem: Problem, length: int) -> Problem:
    """Return a problem at its place in a condition, from that in the query around it."""
    start, end = (max(0, min(place - len(_BEFORE), length)) for place in (problem.start, problem.end))
    column = max(1, problem.column - len(_BEFORE)) if problem.line == 1 else problem.column
    return msgspec.structs.replace(problem, start=start, end=end, column=column)


def rule_of(expr: Expr, zone: Callable[[Expr], str]) -> Rule:
    """Divide a canonical expression at `and`, `or` and `not`; `zone` tells the time zone of a leaf."""
    match expr:
        case Literal(value, "boolean"):
            return Constant(bool(value))
        case Binary("and" | "or" as op):
            rules = tuple(rule_of(operand, zone) for operand in operands_of(op, expr))
            return And(rules) if op == "and" else Or(rules)
        case Unary("not", operand):
            return Not(rule_of(operand, zone))
        case _:
            return Leaf(Condition(expr, zone(expr)))


def _is_zoned(leaf: Expr, union: Union) -> bool:
    return reads_calendar(leaf, root_scopes(union), union.event)
