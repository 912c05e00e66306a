"""Parts of conditions, and the variables they name: what does not name one is asked once, whatever its value."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from coterie.pql.ast import Binary, Expr, Name, Node, Positional
from coterie.pql.tree import walk


def conjuncts(expr: Expr | None) -> list[Expr]:
    """Return the operands of nested `and`, left to right; none of no condition."""
    if expr is None:
        return []
    parts, pending = list[Expr](), [expr]
    while pending:
        current = pending.pop()
        if isinstance(current, Binary) and current.op == "and":
            pending += [current.right, current.left]
        else:
            parts.append(current)
    return parts


def named(nodes: Iterable[Node], variables: Collection[str]) -> frozenset[str]:
    """Return those of the variables that occur; of a name that is declared anew inside, it may say too much."""
    return frozenset(
        name for node in nodes for below in walk(node) if (name := variable_of(below)) is not None and name in variables
    )


def variable_of(node: Node) -> str | None:
    """Return the name of the variable that a node may be."""
    match node:
        case Name(name):
            return name
        case Positional(position):
            return f"${position}"
        case _:
            return None
