"""Checking of operators: comparison, membership, arithmetic, text patterns, and times."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import assert_never

from coterie.core.clock import parse_instant
from coterie.core.errors import Invalid
from coterie.pql import ast
from coterie.pql.ast import Expr, Node, Tail
from coterie.pql.environment import Environment
from coterie.pql.patterns import Fault, groups
from coterie.pql.report import Report
from coterie.pql.types import (
    BOOLEAN,
    DOUBLE,
    INTEGER,
    NUMBERS,
    OPEN,
    STRING,
    TIMES,
    UNKNOWN,
    Array,
    Object,
    Type,
    described,
    each,
)

MAX_YEARS = 10_000
_YEARS: dict[ast.Unit, float] = {
    "millisecond": 1 / 31_556_952_000,
    "second": 1 / 31_556_952,
    "minute": 1 / 525_949,
    "hour": 1 / 8_766,
    "day": 1 / 365.25,
    "week": 1 / 52.2,
    "month": 1 / 12,
    "year": 1,
    "decade": 10,
    "century": 100,
    "millennium": 1000,
}
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def comparable(left: Type, right: Type, left_node: Node | None = None, right_node: Node | None = None) -> bool:
    """Whether `right` can be compared with `left`, if need be by converting it.

    Text is converted when it stands on the right of a number, a time or a truth value; a literal must then read as one.
    """
    left, right = each(left), each(right)
    if left in OPEN or right in OPEN:
        return True
    if left in NUMBERS:
        return right in NUMBERS or (right == STRING and _reads_as_number(right_node))
    if left in TIMES:
        return right in TIMES or (right == STRING and _reads_as_instant(right_node))
    if left == BOOLEAN:
        return right == BOOLEAN or (right == STRING and _literal_text(right_node) in (None, "true", "false"))
    if left == STRING:
        return right == STRING or (right in NUMBERS and not _is_literal(left_node) and not _is_literal(right_node))
    if isinstance(left, Array) and isinstance(right, Array):
        return comparable(left.item, right.item)
    return isinstance(left, Object) and left == right


def _is_literal(node: Node | None) -> bool:
    return isinstance(node.operand if isinstance(node, ast.Unary) else node, ast.Literal)


def _literal_text(node: Node | None) -> str | None:
    return str(node.value) if isinstance(node, ast.Literal) and node.kind == "string" else None


def _reads_as_number(node: Node | None) -> bool:
    text = _literal_text(node)
    return text is None or _NUMBER.fullmatch(text) is not None


def _reads_as_instant(node: Node | None) -> bool:
    text = _literal_text(node)
    try:
        return text is not None and isinstance(parse_instant(text), int)
    except (Invalid, OverflowError):
        return False


class Operators(ABC):
    """The part of the checker that knows operators."""

    report: Report

    @abstractmethod
    def visit(self, node: Expr, env: Environment) -> Type:
        """Check an expression and return its type."""

    @abstractmethod
    def condition(self, node: Expr, env: Environment) -> None:
        """Check an expression whose value is read as true or false."""

    def mismatch(self, where: Node, node: Node, type_: Type, expected: str, hint: str | None = None) -> None:
        """Report that `node` has another type than expected."""
        message = f"{self.report.spelled(node)} is {described(type_)}, where {expected} is expected."
        self.report.add("pql.type", where, message, hint=hint)

    def binary(self, node: ast.Binary, env: Environment) -> Type:
        """Check an operation on two operands."""
        if node.op in ("and", "or"):
            self.condition(node.left, env)
            self.condition(node.right, env)
            return BOOLEAN
        left, right = self.visit(node.left, env), self.visit(node.right, env)
        match node.op:
            case "=" | "!=":
                if not comparable(left, right, node.left, node.right):
                    self._incomparable(node, left, right)
            case "<" | "<=" | ">" | ">=":
                self._ordered(node, left, right)
            case "in" | "notIn":
                self._member(node, left, right)
            case "like" | "matches":
                self._pattern(node, left, right)
            case _:
                return self._arithmetic(node, left, right)
        return BOOLEAN

    def _bad_operand(
        self, node: ast.Binary, operand: Expr, type_: Type, expected: str, hint: str | None = None
    ) -> None:
        left, wrong = self.report.spelled(node.left), self.report.spelled(operand)
        message = f"{left} {node.op} …: {wrong} is {described(type_)}, where {expected} is expected."
        self.report.add("pql.type", operand, message, hint=hint)

    def _incomparable(self, node: ast.Binary, left: Type, right: Type) -> None:
        hint = None
        if isinstance(left, Array) and not left.projected:
            hint = "Use includes, or intersects, to look into an array."
        elif isinstance(right, Array):
            hint = "Use in to ask whether a value is in an array."
        message = (
            f"{self.report.spelled(node.left)} is {described(left)} and cannot be compared with "
            f"{self.report.spelled(node.right)}, {described(right)}."
        )
        self.report.add("pql.type", node, message, hint=hint)

    def _ordered(self, node: ast.Binary, left: Type, right: Type) -> None:
        if not comparable(left, right, node.left, node.right):
            self._incomparable(node, left, right)
            return
        for operand, type_ in ((node.left, left), (node.right, right)):
            if each(type_) not in NUMBERS | TIMES | OPEN and not (operand is node.right and each(type_) == STRING):
                self._bad_operand(node, operand, type_, "a number or a time")
                return

    def _member(self, node: ast.Binary, left: Type, right: Type) -> None:
        if right not in OPEN and not isinstance(right, Array):
            self._bad_operand(node, node.right, right, "an array", "Write several values as [a, b].")
        elif isinstance(each(left), Array):
            self._bad_operand(node, node.left, left, "a single value", "Use intersects or subsetOf.")
        elif isinstance(node.right, ast.ArrayLiteral):
            for item in node.right.items:
                if not comparable(left, self.item_type(item), node.left, item):
                    self._wrong_item(node, left, item)
        elif isinstance(right, Array) and not comparable(left, right.item, node.left):
            self._incomparable(node, left, right)

    def _wrong_item(self, node: ast.Binary, left: Type, item: Expr) -> None:
        message = (
            f"{self.report.spelled(node.left)} is {described(left)} and cannot be compared with "
            f"{self.report.spelled(item)}, {described(self.item_type(item))}."
        )
        self.report.add("pql.type", item, message)

    @abstractmethod
    def item_type(self, node: Expr) -> Type:
        """Return the type found for a node visited before."""

    def _pattern(self, node: ast.Binary, left: Type, right: Type) -> None:
        for operand, type_ in ((node.left, left), (node.right, right)):
            if each(type_) not in OPEN | {STRING}:
                self._bad_operand(node, operand, type_, "text")
        if node.op == "matches":
            self.expression(node.right, "matches")

    def expression(self, node: Expr, function: str) -> int | None:
        """Check a regular expression, if it is a literal; return the number of its groups."""
        pattern = _literal_text(node)
        found = None if pattern is None else groups(pattern)
        if isinstance(found, Fault):
            message = f"{function}: {self.report.spelled(node)} is no regular expression of RE2: {found.reason}."
            self.report.add("pql.value", node, message, hint=found.advice)
            return None
        return found

    def _arithmetic(self, node: ast.Binary, left: Type, right: Type) -> Type:
        for operand, type_ in ((node.left, left), (node.right, right)):
            if type_ not in NUMBERS | OPEN:
                hint = "Text cannot be added." if each(type_) == STRING and node.op == "+" else None
                if isinstance(type_, Array):
                    hint = "Use sum, or map for an operation on every item."
                self._bad_operand(node, operand, type_, "a number", hint)
                return UNKNOWN
        return INTEGER if left == right == INTEGER and node.op != "/" else DOUBLE

    # -- time -------------------------------------------------------------------------------------------------------

    def occurs(self, node: ast.Occurs, env: Environment) -> Type:
        """Check `value occurs tail`."""
        value = self.visit(node.value, env)
        if each(value) not in TIMES | OPEN:
            self.mismatch(node.value, node.value, value, "a date or a timestamp before occurs")
        self.tail(node.tail, env)
        return BOOLEAN

    def tail(self, tail: Tail, env: Environment) -> None:
        """Check what follows `occurs`, or stands in `WHEN`."""
        match tail:
            case ast.DistanceTail():
                if tail.count * _YEARS[tail.unit] > MAX_YEARS:
                    message = f"{tail.count} {tail.unit}s are more than {MAX_YEARS:,} years."
                    self.report.add("pql.value", tail, message)
                self.time(tail.time, env)
            case ast.DirectionTail() | ast.OnTail():
                self.time(tail.time, env)
            case ast.BetweenTail():
                self.time(tail.first, env)
                self.time(tail.last, env)
            case _:
                assert_never(tail)

    def time(self, time: ast.TimeWord | ast.RelativeUnit | Expr, env: Environment) -> None:
        """Check the time of a tail: a date, a timestamp, or an event, which stands for its timestamp."""
        if isinstance(time, ast.TimeWord | ast.RelativeUnit):
            return
        type_ = self.visit_time(time, env)
        one = each(type_)
        if one not in TIMES | OPEN and not (isinstance(one, Object) and one.event):
            self.mismatch(
                time, time, type_, "a time", "Write date(2026, 6, 15), a timestamp, or the label of an event."
            )

    @abstractmethod
    def visit_time(self, node: Expr, env: Environment) -> Type:
        """Check an expression that stands where a time is expected."""
