"""From tree to canonical text: ``parse(to_text(tree)) == tree`` for every tree that the grammar can write.

Canonical means: keywords in lower case (``WHAT``, ``WHEN``, ``COUNT``, ``WHERE``, ``EXCLUDE`` in upper), one space
around operators, parentheses only where the tree needs them, names between backquotes only where they must be.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from coterie.pql import ast
from coterie.pql.ast import Expr, Tail
from coterie.pql.lexer import is_plain
from coterie.pql.parser import AND, NOT, OR, PRODUCT, RELATION, SUM
from coterie.pql.words import DIRECTIONS, PLURALS, RESERVED_WORDS, TIME_WORDS

OPEN = 0
UNARY = PRODUCT + 1
POSTFIX = UNARY + 1

_LEVELS: dict[str, int] = {"or": OR, "and": AND, "+": SUM, "-": SUM, "*": PRODUCT, "/": PRODUCT, "%": PRODUCT}
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"} | {
    chr(code): f"\\u{code:04x}" for code in (*range(32), 127, 0x2028, 0x2029) if chr(code) not in "\n\r\t"
}
_ESCAPING = str.maketrans(_ESCAPES)
_MISREAD = RESERVED_WORDS | DIRECTIONS | {"between", "on", "yesterday", "tomorrow", "last", "next"}
"""Words that, standing alone, would somewhere be taken for keywords; `now`, `today`, `this` are values of their own."""


def to_text(expr: Expr) -> str:
    """Write a tree as canonical text.

    Parameters
    ----------
    expr : Expr
        The tree.

    Returns
    -------
    str
        The query, on one line.
    """
    return write(expr, OPEN)


def quoted(text: str) -> str:
    """Return `text` as a string of the language."""
    return f'"{text.translate(_ESCAPING)}"'


def step(name: str) -> str:
    """Return a name as it is written after a dot."""
    return name if is_plain(name) else f"`{name}`"


def bare(name: str) -> str:
    """Return a name as it is written where it stands alone."""
    return f"`{name}`" if name.lower() in _MISREAD or not is_plain(name) else name


def path(names: Iterable[str]) -> str:
    """Return a path of fields as it is written where it stands alone."""
    first, *rest = names
    return ".".join([bare(first), *map(step, rest)])


def write(expr: Expr, level: int) -> str:
    """Write `expr` for a place that takes expressions as tight as `level`, in parentheses if it is looser."""
    own, text = _text(expr)
    return text if own >= level else f"({text})"


def tightness(expr: Expr) -> int:
    """Return how tightly the outermost operator of an expression binds."""
    return _text(expr)[0]


def _text(expr: Expr) -> tuple[int, str]:
    """Return how tightly the outermost operator of `expr` binds, and its text."""
    match expr:
        case ast.Literal():
            return POSTFIX, _literal(expr)
        case ast.ArrayLiteral(items):
            return POSTFIX, f"[{listed(items)}]"
        case ast.ObjectLiteral(entries):
            return POSTFIX, "{" + ", ".join(f"{quoted(key)}: {write(value, OPEN)}" for key, value in entries) + "}"
        case ast.Name(name):
            return POSTFIX, bare(name)
        case ast.Positional(position):
            return POSTFIX, f"${position}"
        case ast.Up(levels, name):
            return POSTFIX, f"{'^' * levels}.{step(name)}"
        case ast.Property(object_, name):
            return POSTFIX, f"{write(object_, POSTFIX)}.{step(name)}"
        case ast.Call(name, args):
            return POSTFIX, f"{_function(name)}({listed(args)})"
        case ast.Method(receiver, name, args):
            return POSTFIX, f"{write(receiver, POSTFIX)}.{step(name)}({listed(args)})"
        case ast.Filter(array, condition):
            return POSTFIX, f"{write(array, POSTFIX)}[{write(condition, OPEN)}]"
        case ast.Unary(op, operand):
            return (NOT, f"not {write(operand, NOT)}") if op == "not" else (UNARY, f"-{write(operand, UNARY)}")
        case ast.Binary(op, left, right):
            level = _LEVELS.get(op, RELATION)
            associates = level != RELATION
            return level, f"{write(left, level if associates else SUM)} {op} {write(right, level + 1)}"
        case ast.Occurs(value, tail):
            return RELATION, f"{write(value, SUM)} occurs {_tail(tail)}"
        case ast.Lambda(params, body):
            return OPEN, f"({', '.join(map(bare, params))}) => {write(body, OPEN)}"
        case ast.Let(name, value, body):
            return OPEN, f"let {bare(name)} = {write(value, SUM)} in {write(body, OPEN)}"
        case ast.Quantified(kind, declarations):
            return OPEN, f"{kind} {_declarations(declarations)}"
        case ast.PrefixAggregate(function, value, declarations):
            over = "" if value is None else f"{write(value, SUM)} over "
            return OPEN, f"{function} {over}{_declarations(declarations)}"
        case ast.Chain(array, timestamp, elements):
            first, *rest = timestamp
            path = ".".join([bare(first), *map(step, rest)])
            return POSTFIX, f"chain({write(array, SUM)}, {path}, [{', '.join(map(element_text, elements))}])"
        case _:
            assert_never(expr)


def _literal(literal: ast.Literal) -> str:
    match literal.kind:
        case "string":
            return quoted(str(literal.value))
        case "boolean":
            return "true" if literal.value else "false"
        case "null":
            return "null"
        case "integer" | "double":
            return str(literal.value)
        case _:
            assert_never(literal.kind)


def _function(name: str) -> str:
    """Return the name of a function; `chain` and the names of literals would be read as something else."""
    word = name.lower()
    plain = is_plain(name) and word not in RESERVED_WORDS and word != "chain" and (word != "if" or name == "if")
    return name if plain else f"`{name}`"


def listed(items: Iterable[Expr]) -> str:
    """Write expressions with commas between."""
    return ", ".join(write(item, OPEN) for item in items)


def _declarations(declarations: Iterable[ast.Declaration]) -> str:
    return ", ".join(map(_declaration, declarations))


def _declaration(declaration: ast.Declaration) -> str:
    text = f"{bare(declaration.variable)} from {write(declaration.array, SUM)}"
    return text if declaration.condition is None else f"{text} where {write(declaration.condition, OR)}"


def element_text(element: ast.Element) -> str:
    """Write an element of a chain."""
    parts = [f"{bare(element.label)}: {element.kind.upper()}({write(element.what, OPEN)})"]
    if element.when:
        parts.append(f"WHEN({' and '.join(map(_tail, element.when))})")
    if element.count != 1:
        parts.append(f"COUNT({element.count})")
    if element.where is not None:
        parts.append(f"WHERE({write(element.where, OPEN)})")
    return " ".join(parts)


def _tail(tail: Tail) -> str:
    match tail:
        case ast.DistanceTail(op, count, unit, direction, time):
            return f"{op} {count} {unit if count == 1 else PLURALS[unit]} {direction} {_time(time)}"
        case ast.DirectionTail(direction, time):
            return f"{direction} {_time(time)}"
        case ast.BetweenTail(first, last):
            return f"between {_time(first)} and {_time(last)}"
        case ast.OnTail(time):
            return f"on {_time(time)}"
        case _:
            assert_never(tail)


def _time(time: ast.TimeWord | ast.RelativeUnit | Expr) -> str:
    match time:
        case ast.TimeWord(word):
            return word
        case ast.RelativeUnit(which, unit):
            return f"{which} {unit}"
        case ast.Name(name) if name.lower() in TIME_WORDS:
            return f"`{name}`"
        case _:
            return write(time, SUM)
