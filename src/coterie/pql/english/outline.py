"""The tree that is put into words: a core tree, but sequences stay as they were written."""

from __future__ import annotations

from dataclasses import replace

from coterie.core.errors import Unsupported
from coterie.pql.ast import Binary, Chain, Element, Expr, Lambda, Positional, RelativeUnit, Tail, TimeWord, Unary
from coterie.pql.resolve import Place, resolve
from coterie.pql.scopes import times_of, with_times
from coterie.pql.tree import walk


def outline(expr: Expr) -> Expr:
    """Return the core tree of a rule with the chains that stand among its `and`, `or` and `not` kept.

    The labels of a kept chain are ``$1``, ``$2``, … in the order of its included elements. A chain of one element is a
    filter, as in any core tree. A part that has no core form, or one
    that nobody would write (groups by key), stays as it was written.
    """
    match expr:
        case Binary("and" | "or" as op, left, right):
            return Binary(op, outline(left), outline(right), span=expr.span)
        case Unary("not", operand):
            return Unary("not", outline(operand), span=expr.span)
        case Chain(array, timestamp, elements) if len(elements) > 1:
            return Chain(resolve(array, truth=False), timestamp, tuple(_elements(elements)), span=expr.span)
        case _ if any(isinstance(node, Lambda) and len(node.params) > 1 for node in walk(expr)):
            return expr
        case _:
            try:
                return resolve(expr)
            except Unsupported:
                return expr


def _elements(elements: tuple[Element, ...]) -> list[Element]:
    place = Place().item()
    found: list[Element] = []
    for element in elements:
        own = replace(place, variables={**place.variables, element.label: 1}, implicit=(0,))
        found.append(
            replace(
                element,
                what=resolve(element.what, place),
                when=tuple(_tail(tail, place) for tail in element.when),
                where=None if element.where is None else resolve(element.where, own),
            )
        )
        if element.kind == "what":
            step = Positional(sum(done.kind == "what" for done in found))
            place = replace(place, variables={**place.variables, element.label: (step, 1)})
    return found


def _tail(tail: Tail, place: Place) -> Tail:
    times = (t if isinstance(t, TimeWord | RelativeUnit) else resolve(t, place, truth=False) for t in times_of(tail))
    return with_times(tail, tuple(times))
