"""Declarations of events that follow one another are a chain: `exists A …, B … B.timestamp occurs after A.timestamp`"""

from __future__ import annotations

from coterie.pql.ast import Binary, Chain, DirectionTail, Element, Expr, Filter, Name, Occurs, Up
from coterie.pql.logic import all_of, operands_of
from coterie.pql.scopes import XEVENT, levels_of, shift

_OWN, _EARLIER = Name("timestamp"), Up(1, "timestamp")
_LATER = (
    Occurs(_OWN, DirectionTail("after", _EARLIER)),
    Binary(">", _OWN, _EARLIER),
    Binary("<", _EARLIER, _OWN),
)


def as_chain(expr: Filter) -> Expr:
    """Return the chain that a canonical filter of `xEvent` states, or the filter itself."""
    steps = _steps(expr)
    if steps is None or len(steps) == 1:
        return expr
    elements = tuple(Element(f"e{place}", "what", what, (), 1, None) for place, what in enumerate(steps, 1))
    return Chain(XEVENT, ("timestamp",), elements, span=expr.span)


def _steps(expr: Filter) -> list[Expr] | None:
    """Return the conditions of successive events, or None when the filters relate them otherwise."""
    if expr.array != XEVENT:
        return None
    own: list[Expr] = []
    following: list[list[Expr]] = []
    for part in operands_of("and", expr.condition):
        if not (isinstance(part, Filter) and part.array == XEVENT):
            own.append(part)
            continue
        inner = list(operands_of("and", part.condition))
        rest = [condition for condition in inner if condition not in _LATER]
        if len(inner) - len(rest) != 1 or any(1 in levels_of(condition) for condition in rest):
            return None
        following.append([shift(condition, -1, 1) for condition in rest])
    if not following:
        return [all_of(own)]
    if len(following) > 1:
        return None
    later = _steps(Filter(XEVENT, all_of(following[0])))
    return None if later is None else [all_of(own), *later]
