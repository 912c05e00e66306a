"""The constructs of the language, by name: of what a node is an instance."""

from __future__ import annotations

from collections.abc import Iterator

from coterie.pql import ast


def constructs(node: ast.Node) -> Iterator[str]:
    """Yield the names of what a node is an instance of."""
    yield type(node).__name__
    match node:
        case ast.Call(name) | ast.Method(_, name):
            yield f"{name}()"
        case ast.Unary(op):
            yield "op neg" if op == "-" else "op not"
        case ast.Binary(op):
            yield f"op {op}"
        case ast.Quantified(kind, declarations):
            yield f"{kind} of {len(declarations)}"
        case ast.PrefixAggregate(function, value):
            yield f"prefix {function}"
            if value is None:
                yield "prefix short"
        case ast.DistanceTail(op, _, unit, direction, time):
            yield f"{op} {direction}"
            yield f"unit {unit}"
            if isinstance(time, ast.Name) and time.name.startswith("L"):
                yield "time of a label"
        case ast.Element(_, kind, _, when, count, where):
            yield f"element {kind}"
            parts = {"COUNT": count > 1, "WHEN": when, "WHERE": where, "two tails": len(when) > 1}
            yield from (f"element {name}" for name, there in parts.items() if there)
