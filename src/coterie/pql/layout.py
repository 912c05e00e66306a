"""A rule for people to read: canonical text, broken over lines where one does not hold it."""

from __future__ import annotations

from coterie.pql.ast import Binary, Chain, Declaration, Expr, Filter, Let, Method, Property, Quantified, Unary
from coterie.pql.parser import AND, NOT, OR, SUM
from coterie.pql.printer import OPEN, POSTFIX, bare, element_text, listed, step, tightness, write

WIDTH = 100
INDENT = "    "


def layout(expr: Expr, width: int = WIDTH) -> str:
    """Write a tree as canonical text over as many lines as it needs.

    Parameters
    ----------
    expr : Expr
        The tree.
    width : int
        Columns a line should not exceed; what has no place to break may.

    Returns
    -------
    str
        Text that parses to the same tree, without a line break at its end.

    Examples
    --------
    >>> from coterie.pql import parse
    >>> print(layout(parse('loyalty.tier = "gold" and (loyalty.points > 9 or orders.count() = 0)'), width=40))
    loyalty.tier = "gold"
    and (
        loyalty.points > 9
        or orders.count() = 0
    )
    """
    return "\n".join(_lines(expr, OPEN, width))


def _lines(expr: Expr, level: int, width: int) -> list[str]:
    """Return the lines of an expression for a place that takes those as tight as `level`."""
    flat = write(expr, level)
    if len(flat) <= width:
        return [flat]
    if tightness(expr) < level:
        return _within("(", expr, ")", width)
    match expr:
        case Binary("and" | "or" as op):
            inner = AND if op == "and" else OR
            first, *rest = _operands(op, expr)
            lines = _lines(first, inner, width)
            for operand in rest:
                lines += _behind(f"{op} ", _lines(operand, inner + 1, width - len(op) - 1))
            return lines
        case Binary(op, left, right):
            return _ended(_lines(left, SUM, width), f" {op} {write(right, SUM)}") if tightness(expr) < SUM else [flat]
        case Unary("not", operand):
            return _behind("not ", _lines(operand, NOT, width - 4))
        case Filter(array, condition):
            return _within(f"{write(array, POSTFIX)}[", condition, "]", width)
        case Method(receiver, name, args):
            return _ended(_lines(receiver, POSTFIX, width), f".{step(name)}({listed(args)})")
        case Property(owner, name):
            return _ended(_lines(owner, POSTFIX, width), f".{step(name)}")
        case Let(name, value, body):
            return [f"let {bare(name)} = {write(value, SUM)} in", *_lines(body, OPEN, width)]
        case Quantified(kind, declarations):
            lines = []
            for place, declaration in enumerate(declarations):
                lines += _declaration(declaration, width - len(INDENT), ended=place == len(declarations) - 1)
            return [kind, *(INDENT + line for line in lines)]
        case Chain(array, timestamp, elements):
            path = ".".join([bare(timestamp[0]), *map(step, timestamp[1:])])
            inside = [f"{INDENT}{element_text(element)}," for element in elements]
            inside[-1] = inside[-1].removesuffix(",")
            return [f"chain({write(array, SUM)}, {path}, [", *inside, "])"]
        case _:
            return [flat]


def _operands(op: str, expr: Expr) -> list[Expr]:
    """Return the operands of `a op b op c`, which leans to the left."""
    found: list[Expr] = []
    while isinstance(expr, Binary) and expr.op == op:
        found.append(expr.right)
        expr = expr.left
    return [expr, *reversed(found)]


def _declaration(declaration: Declaration, width: int, *, ended: bool) -> list[str]:
    opening = f"{bare(declaration.variable)} from {write(declaration.array, SUM)}"
    if declaration.condition is None:
        return [opening if ended else f"{opening},"]
    lines = [f"{opening} where", *(INDENT + line for line in _lines(declaration.condition, OR, width - len(INDENT)))]
    return lines if ended else _ended(lines, ",")


def _within(opening: str, expr: Expr, closing: str, width: int) -> list[str]:
    inner = _lines(expr, OPEN, width - len(INDENT))
    return [opening, *(INDENT + line for line in inner), closing]


def _behind(prefix: str, lines: list[str]) -> list[str]:
    return [prefix + lines[0], *lines[1:]]


def _ended(lines: list[str], suffix: str) -> list[str]:
    return [*lines[:-1], lines[-1] + suffix]
