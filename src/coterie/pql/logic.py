"""Conjunctions, disjunctions and negations in canonical form: sorted, no repetition, `not` at the leaves only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal as Choice

from coterie.pql.ast import Binary, Expr, Literal, Unary
from coterie.pql.printer import to_text
from coterie.pql.resolve import FALSE, TRUE


def operands_of(op: Choice["and", "or"], expr: Expr) -> Iterator[Expr]:
    """Yield the operands of nested `op`, left to right; the expression itself when it is none."""
    pending = [expr]
    while pending:
        current = pending.pop()
        if isinstance(current, Binary) and current.op == op:
            pending += [current.right, current.left]
        else:
            yield current


def all_of(operands: Iterable[Expr]) -> Expr:
    """Return the canonical conjunction."""
    return _joined("and", operands, TRUE, FALSE)


def any_of(operands: Iterable[Expr]) -> Expr:
    """Return the canonical disjunction."""
    return _joined("or", operands, FALSE, TRUE)


def _joined(op: Choice["and", "or"], operands: Iterable[Expr], neutral: Literal, deciding: Literal) -> Expr:
    flat = {to_text(part): part for operand in operands for part in operands_of(op, operand) if part != neutral}
    if to_text(deciding) in flat:
        return deciding
    parts = [flat[text] for text in sorted(flat)]
    if any(isinstance(part, Unary) and part.op == "not" and to_text(part.operand) in flat for part in parts):
        return deciding
    return _balanced(op, parts) if parts else neutral


def _balanced(op: Choice["and", "or"], parts: list[Expr]) -> Expr:
    if len(parts) == 1:
        return parts[0]
    half = (len(parts) + 1) // 2
    return Binary(op, _balanced(op, parts[:half]), _balanced(op, parts[half:]))


def negate(expr: Expr) -> Expr:
    """Return the canonical negation, by De Morgan down to the leaves."""
    match expr:
        case Literal(value, "boolean"):
            return FALSE if value else TRUE
        case Unary("not", operand):
            return operand
        case Binary("and"):
            return any_of(negate(operand) for operand in operands_of("and", expr))
        case Binary("or"):
            return all_of(negate(operand) for operand in operands_of("or", expr))
        case _:
            return Unary("not", expr)
