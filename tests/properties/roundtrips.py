"""What must hold of every rule before it is asked: it is accepted, and has one text and one JSON form."""

from __future__ import annotations

from coterie.pql import check, from_json, parse, to_json, to_text
from coterie.pql.ast import Expr
from coterie.pql.layout import layout

from .worlds import AUDIENCES, World


def stable(expr: Expr) -> Expr:
    """Return the tree that the text of `expr` has, having seen that it, its layout and its JSON all give the same."""
    text = to_text(expr)
    tree = parse(text)
    assert tree == expr, text
    assert to_text(tree) == text
    assert parse(layout(tree)) == tree, text
    json = to_json(tree)
    again = from_json(json)
    assert to_json(again) == json, text
    return tree


def accepted(expr: Expr, world: World) -> str:
    """Return the first error that checking a rule gives, or nothing."""
    checked = check(to_text(expr), world.union, AUDIENCES)
    return next((problem.message for problem in checked.problems if problem.severity == "error"), "")
