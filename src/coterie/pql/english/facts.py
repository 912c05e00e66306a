"""Clauses about one value: comparisons, texts, times, presence."""

from __future__ import annotations

from abc import abstractmethod
from typing import cast

from coterie.core.schema import FieldType
from coterie.pql import ast
from coterie.pql.ast import (
    ArrayLiteral,
    Binary,
    Chain,
    Expr,
    Filter,
    Literal,
    Method,
    Name,
    Occurs,
    Property,
    Tail,
    Unary,
    Up,
)
from coterie.pql.english.clauses import Around, Clause
from coterie.pql.english.nouns import (
    is_plural,
    listed,
    value_of,
)
from coterie.pql.english.values import Values
from coterie.pql.printer import to_text
from coterie.pql.resolve import TRUE
from coterie.pql.scopes import PREDICATES, shift

_MIRROR = {"=": "=", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_NUMBERS = {"=": "{}", "!=": "other than {}", ">": "more than {}", ">=": "at least {}"} | {
    "<": "less than {}",
    "<=": "at most {}",
}
_TIMES = {
    "=": "{}",
    "!=": "other than {}",
    ">": "after {}",
    ">=": "{} or later",
    "<": "before {}",
    "<=": "{} or earlier",
}
BEING = ("be", "")
TEXT_TESTS: dict[str, tuple[tuple[str, str], bool]] = {
    "equals": (BEING, True),
    "notEqualTo": (BEING, False),
    "contains": (("contain", "containing"), True),
    "doesNotContain": (("contain", "containing"), False),
    "startsWith": (("start with", "starting with"), True),
    "doesNotStartWith": (("start with", "starting with"), False),
    "endsWith": (("end with", "ending with"), True),
    "doesNotEndWith": (("end with", "ending with"), False),
    "matches": (("match", "matching"), True),
}


class Facts(Values):
    """Clauses that say of a value what it is, or is not."""

    @abstractmethod
    def some(self, array: Expr, condition: Expr, around: Around, yes: bool) -> Clause:
        """Return that some item satisfies a condition."""

    @abstractmethod
    def counted(self, array: Expr, op: str, count: int, around: Around, yes: bool) -> Clause:
        """Return that there are so many items."""

    def comparison(self, op: str, left: Expr, right: Expr, around: Around, yes: bool) -> Clause:
        """Return that a value is equal to, more than, … another."""
        if isinstance(left, Literal) and not isinstance(right, Literal):
            return self.comparison(_MIRROR[op], right, left, around, yes)
        match left, right:
            case Method(array, "count", ()), Literal(count, "integer") if _countable(array, around):
                return self.counted(array, op, int(str(count)), around, yes)
            case _, Literal(value, "boolean") if op in ("=", "!=") and _is_test(left):
                return self.read(left, around, yes=(bool(value) == (op == "=")) == yes)
        found = split(left, around)
        if found is not None:
            array, item = found
            return self.some(array, Binary(cast(ast.BinaryOp, op), item, shift(right, 1)), around, yes)
        if op == "!=" and yes and _itself(left) and _itself(right):
            return Clause("", f"other than that {around.nouns[-1]}")
        against = self.noun(right, around)
        if op == "!=":
            rest, positive, missing = _either(against, yes)
            return self._fact(left, BEING, rest, around, positive=positive, missing=missing)
        field = around.field(left)
        timely = field is not None and field.type in (FieldType.DATE, FieldType.DATETIME)
        rest = (_TIMES if timely else _NUMBERS)[op].format(against)
        counts = isinstance(left, Method) and left.name in ("count", "sum")
        return self._fact(left, BEING, rest, around, positive=yes, missing=not yes and not counts)

    def among(self, left: Expr, right: Expr, around: Around, yes: bool, *, within: bool) -> Clause:
        """Return that a value is one of several, or is another."""
        found = split(left, around)
        if found is not None:
            array, item = found
            return self.some(array, Binary("in" if within else "notIn", item, shift(right, 1)), around, yes)
        if isinstance(left, Literal):
            return self._fact(right, ("include", "including"), value_of(left), around, positive=within == yes)
        values = self._alternatives(right, around)
        if not isinstance(right, ArrayLiteral) and not values.startswith("among "):
            values = f"among {values}"
        if within:
            return self._fact(left, BEING, values, around, positive=yes, missing=not yes)
        rest, positive, missing = _either(values, yes)
        return self._fact(left, BEING, rest, around, positive=positive, missing=missing)

    def pattern(self, op: str, left: Expr, right: Expr, around: Around, yes: bool) -> Clause:
        """Return that a text fits a pattern, in simpler words where the pattern is simple."""
        found = split(left, around)
        if found is not None:
            return self.some(found[0], Binary(cast(ast.BinaryOp, op), found[1], shift(right, 1)), around, yes)
        verb, rest = ("match", "matching"), self.noun(right, around)
        if isinstance(right, Literal):
            pattern = str(right.value)
            rest = f"`{pattern}`"
            bare = pattern.strip("%")
            if op == "like":
                verb = ("fit", "fitting")
                if bare and not any(mark in bare for mark in "%_\\"):
                    rest = f"“{bare}”"
                    match pattern.startswith("%"), pattern.endswith("%"):
                        case True, True:
                            verb = ("contain", "containing")
                        case True, False:
                            verb = ("end with", "ending with")
                        case False, True:
                            verb = ("start with", "starting with")
                        case _:
                            verb = BEING
        return self._fact(left, verb, rest, around, positive=yes, missing=not yes)

    def text_test(self, test: str, left: Expr, args: tuple[Expr, ...], around: Around, yes: bool) -> Clause:
        """Return that a text contains, begins with, … some of several."""
        found = split(left, around)
        if found is not None:
            array, item = found
            return self.some(array, Method(item, test, tuple(shift(arg, 1) for arg in args)), around, yes)
        verb, positive = TEXT_TESTS[test]
        values, exact = args, ""
        if len(args) > 1 and isinstance(args[-1], Literal) and args[-1].kind == "boolean":
            values, exact = args[:-1], " in the same case" if args[-1].value else ""
        if test == "matches" and isinstance(values[0], Literal):
            return self._fact(left, verb, f"`{values[0].value}`", around, positive=yes, missing=not yes)
        rest = listed([self._alternatives(value, around) for value in values], "or") + exact
        if positive:
            return self._fact(left, verb, rest, around, positive=yes, missing=not yes)
        if verb == BEING:
            rest, sign, _ = _either(rest, yes)
            return self._fact(left, verb, rest, around, positive=sign)
        return self._fact(left, verb, rest, around, positive=not yes, missing=not yes)

    def occurs(self, value: Expr, tail: Tail, around: Around, yes: bool) -> Clause:
        """Return when a time lies; of an event its own time needs no noun."""
        found = split(value, around)
        if found is not None:
            return self.some(found[0], Occurs(found[1], _inner_tail(tail)), around, yes)
        said = self.adverb(tail, around)
        if value == Name("timestamp") and around.fields[-1] is around.events:
            return Clause("when", said if yes else f"not {said}")
        return self._fact(value, BEING, said, around, positive=yes, missing=not yes)

    def present(self, expr: Expr, around: Around, yes: bool) -> Clause:
        """Return the clause of a value in Boolean position."""
        if around.is_array(expr):
            return self.some(expr, TRUE, around, yes)
        field = around.field(expr)
        if field is not None and field.type is FieldType.BOOLEAN:
            return self._fact(expr, BEING, "true", around, positive=yes, missing=not yes)
        if isinstance(expr, Name | Up | Property) or (isinstance(expr, Method) and expr.name in ("get", "head")):
            return self.known(expr, around, yes)
        return self.known(expr, around, yes) if field is not None else self.quoted(expr, around, yes)

    def known(self, expr: Expr, around: Around, yes: bool) -> Clause:
        """Return that a value is there, or is missing."""
        if (
            isinstance(expr, Method)
            and expr.name == "get"
            and expr.receiver == Name("identityMap")
            and around.at_person
        ):
            return Clause(
                "who", f"have {'an' if yes else 'no'} identity of the namespace {self.noun(expr.args[0], around)}"
            )
        noun = self.noun(expr, around)
        if around.at_person or around.level(_head(expr)) != 0:
            be = "are" if is_plural(noun) else "is"
            lead = "whose" if around.at_person and around.level(_head(expr)) == 0 else around.for_it
            return Clause(lead, f"{noun} {be} {'known' if yes else 'missing'}")
        return Clause("with", f"a known {noun}") if yes else Clause("without", noun)

    def _alternatives(self, expr: Expr, around: Around) -> str:
        if isinstance(expr, ArrayLiteral):
            return listed([self.noun(item, around) for item in expr.items], "or")
        return f"among {self.noun(expr, around)}" if around.is_array(expr) else self.noun(expr, around)

    def _fact(
        self,
        left: Expr,
        verb: tuple[str, str],
        rest: str,
        around: Around,
        *,
        positive: bool = True,
        missing: bool = False,
    ) -> Clause:
        """Return that a value is (or contains, …) something, or is not; with `missing` its absence counts as well."""
        noun = self.noun(left, around)
        plural = is_plural(noun)
        base, participle = verb
        if base == "be":
            finite = ("are" if plural else "is") + ("" if positive else " not")
        elif positive:
            first, *others = base.split(" ")
            finite = base if plural else " ".join([first + ("es" if first.endswith("ch") else "s"), *others])
        else:
            finite = f"{'do' if plural else 'does'} not {base}"
        if around.level(_head(left)) != 0:
            note = (
                (" (or missing)" if base == "be" else f" (or {'are' if plural else 'is'} missing)") if missing else ""
            )
            return Clause(around.for_it, f"{noun} {finite} {rest}{note}")
        if around.at_person:
            note = f" (or {'are' if plural else 'is'} missing)" if missing else ""
            return Clause("whose", f"{noun} {finite} {rest}{note}")
        said = " ".join(part for part in ("" if positive else "not", participle, rest) if part)
        return Clause("with", f"{noun} {said}{' (or missing)' if missing else ''}")

    def quoted(self, expr: Expr, around: Around, yes: bool) -> Clause:
        """Return an expression as it is written."""
        return Clause(around.for_it, f"`{to_text(expr)}` {'holds' if yes else 'does not hold'}")


def split(expr: Expr, around: Around) -> tuple[Expr, Expr] | None:
    """Return the array whose items an expression projects, and what it reads of an item; None when it projects none."""
    match expr:
        case Property(owner, name):
            if around.is_array(owner):
                return owner, Name(name)
            found = split(owner, around)
            return None if found is None else (found[0], Property(found[1], name))
        case _:
            return None


def picked(array: Expr, condition: Expr, around: Around) -> Filter:
    """Return the items of which some satisfies a condition, as a filter of the outermost array."""
    found = split(array, around)
    if found is None:
        return Filter(array, condition)
    return picked(found[0], Method(found[1], "exists", (shift(condition, 1, 1),)), around)


def _head(expr: Expr) -> Expr:
    """Return the operand with which the words for an expression begin."""
    match expr:
        case Binary(_, left, _):
            return _head(left)
        case Unary(_, operand):
            return _head(operand)
        case _:
            return expr


def _either(right: str, positive: bool) -> tuple[str, bool, bool]:
    """Return the words, sign and absence of *is (not) other than*: its negation is to be there no more, or equal."""
    return (f"other than {right}", True, False) if positive else (f"{right} or missing", True, False)


def _countable(array: Expr, around: Around) -> bool:
    """Whether the items of an array have a noun of their own."""
    if isinstance(array, Method) and array.name in ("groupBy", "keys", "values", "map"):
        return False
    return around.is_array(array) or around.field(array) is None


def _is_test(expr: Expr) -> bool:
    match expr:
        case Binary(op):
            return op not in ("+", "-", "*", "/", "%")
        case Unary(op):
            return op == "not"
        case Method(_, name):
            return name in PREDICATES
        case _:
            return isinstance(expr, Occurs | Chain)


def _itself(expr: Expr) -> bool:
    return isinstance(expr, Name | Up) and expr.name == "this"


def _inner_tail(tail: Tail) -> Tail:
    moved = shift(Occurs(TRUE, tail), 1)
    assert isinstance(moved, Occurs)
    return moved.tail
