"""Random expressions that give a value: numbers, texts, times, truth values."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from coterie.core.schema import Field
from coterie.pql.ast import (
    ArrayLiteral,
    Binary,
    BinaryOp,
    Call,
    Declaration,
    Expr,
    Let,
    Literal,
    Method,
    Name,
    PrefixAggregate,
    Property,
    Unary,
)
from coterie.pql.environment import Environment
from coterie.pql.types import DATE, DOUBLE, INTEGER, STRING, TIMESTAMP, Array, Object, Scalar

from .places import ORIGIN, Places, number, text

Alternative = Callable[[], Expr | None]
PATTERNS = (
    "a",
    "^a",
    "b$",
    "(a)(b)?",
    "^(\\w)",
    "[A-Z]+",
    "(?i)lyon",
    "l.on",
    "^$",
    "\\d+",
    "(x)?",
    ".",
    "\\pL",
    "^.{2}$",
)
ARITHMETIC: tuple[BinaryOp, ...] = ("+", "-", "*", "/", "%")
NUMERIC = ("Integer", "Double")


class Values(Places, ABC):
    """Maker of values; `fuel` is how many levels it may still go down."""

    _fresh = 0

    @abstractmethod
    def truth(self, env: Environment, fuel: int) -> Expr:
        """Return an expression that is true or false."""

    @abstractmethod
    def position(self, env: Environment, fuel: int) -> Expr:
        """Return an expression of any type, to be read as true or false."""

    @abstractmethod
    def condition(self, env: Environment, fuel: int) -> Expr:
        """Return what may stand between the brackets of a filter."""

    @abstractmethod
    def array(self, env: Environment, fuel: int) -> tuple[Expr, Array]:
        """Return an array of objects."""

    @abstractmethod
    def array_of(self, kind: str, env: Environment, fuel: int) -> Expr:
        """Return an array of single values of a kind."""

    def one_of(self, alternatives: Sequence[tuple[int, Alternative]]) -> Expr:
        """Return what one of the alternatives gives, chosen by weight; those that give None are passed over."""
        left = list(alternatives)
        while left:
            luck = self.random.randrange(sum(weight for weight, _ in left))
            place = next(place for place in range(len(left)) if luck < sum(weight for weight, _ in left[: place + 1]))
            made = left.pop(place)[1]()
            if made is not None:
                return made
        raise AssertionError("some alternative is always possible")

    def fresh(self) -> str:
        """Return the name of a variable; at times one that has been used, or is that of a field."""
        self._fresh += 1
        return self.random.choice(["X", "Y", "total", f"V{self._fresh}", f"V{self._fresh}", "from", "é b"])

    def path(self, env: Environment, *kinds: str) -> Expr | None:
        """Return a path to something of one of the kinds, or None."""
        found = self.find(env, kinds)
        return found and found.expr

    def value(self, kind: str, env: Environment, fuel: int) -> Expr:
        """Return an expression that gives a single value of a kind."""
        if fuel <= 0:
            found = self.path(env, kind)
            return found if found is not None and self.random.random() < 0.8 else self.literal(kind)
        alternatives = [
            (10, lambda: self.path(env, kind)),
            (3, lambda: self.literal(kind)),
            (1, lambda: self._if(kind, env, fuel)),
            (1, lambda: self._let(kind, env, fuel)),
            (1, lambda: self._head(kind, env, fuel)),
            (1, lambda: self._item(kind, env, fuel)),
        ]
        match kind:
            case "Integer" | "Double":
                alternatives += self._numbers(kind, env, fuel)
            case "String":
                alternatives.append((2, lambda: self._group(env, fuel)))
            case "Date":
                alternatives.append((2, lambda: self._computed_date(env, fuel)))
                alternatives.append((1, lambda: Name("today")))
            case "Timestamp":
                alternatives.append((2, lambda: self._extreme_time(env, fuel)))
            case "Boolean":
                alternatives.append((20, lambda: self.truth(env, fuel)))
        return self.one_of(alternatives)

    def number(self, env: Environment, fuel: int) -> Expr:
        """Return an expression that gives a number."""
        return self.value(self.random.choice(NUMERIC), env, fuel)

    def time(self, env: Environment, fuel: int) -> Expr:
        """Return an expression that gives a date or a timestamp."""
        return self.value(self.random.choice(["Date", "Timestamp", "Timestamp"]), env, fuel)

    def _numbers(self, kind: str, env: Environment, fuel: int) -> list[tuple[int, Alternative]]:
        return [
            (3, lambda: self._arithmetic(kind, env, fuel)),
            (1, lambda: Unary("-", self.value(kind, env, fuel - 1))),
            (3 if kind == "Integer" else 0, lambda: self._count(env, fuel)),
            (4, lambda: self._aggregate(kind, env, fuel)),
            (2, lambda: self._prefix(kind, env, fuel)),
            (
                1 if kind == "Integer" else 0,
                lambda: Call(self.random.choice(["currentYear", "currentMonth", "currentDayOfMonth"]), ()),
            ),
            (4 if kind == "Integer" else 0, lambda: self.part(env, fuel)),
        ]

    # -- of every kind ----------------------------------------------------------------------------------------------

    def _if(self, kind: str, env: Environment, fuel: int) -> Expr:
        branches = (self.value(kind, env, fuel - 1), self.value(kind, env, fuel - 1))
        return Call("if", (self.position(env, fuel - 1), *branches))

    def _let(self, kind: str, env: Environment, fuel: int) -> Expr:
        name, other = self.fresh(), self.random.choice(["Integer", "Double", "String", "Date", "Timestamp", kind])
        value = self.value(other, env, fuel - 1)
        types = {"Integer": INTEGER, "Double": DOUBLE, "String": STRING, "Date": DATE, "Timestamp": TIMESTAMP}
        type_ = types.get(other, Scalar("Boolean"))
        return Let(name, value, self.value(kind, env.binding(name, type_, ORIGIN), fuel - 1))

    def _head(self, kind: str, env: Environment, fuel: int) -> Expr:
        return Method(self.array_of(kind, env, fuel - 1), "head", ())

    def _item(self, kind: str, env: Environment, fuel: int) -> Expr | None:
        """Return a field of the first item of an array."""
        array, type_ = self.array(env, fuel - 1)
        paths = self._of(type_.item, (kind,)) if isinstance(type_.item, Object) else []
        if not paths:
            return None
        expr: Expr = Method(array, "head", ())
        for step in self.random.choice(paths).steps:
            expr = Property(expr, step) if isinstance(step, str) else Method(expr, "get", (text(step[0]),))
        return expr

    # -- numbers ----------------------------------------------------------------------------------------------------

    def _arithmetic(self, kind: str, env: Environment, fuel: int) -> Expr:
        op = self.random.choice(ARITHMETIC if kind == "Double" else tuple(op for op in ARITHMETIC if op != "/"))
        left = self.value(kind, env, fuel - 1)
        right = self.value(kind if kind == "Integer" else self.random.choice(NUMERIC), env, fuel - 1)
        return Binary(op, left, right)

    def _count(self, env: Environment, fuel: int) -> Expr:
        random = self.random
        if random.random() < 0.6:
            array: Expr = self.array(env, fuel - 1)[0]
        elif random.random() < 0.3:
            array = self.groups(env, fuel)[0]
        else:
            array = self.array_of(random.choice(["Integer", "String", "Double", "Timestamp"]), env, fuel - 1)
        return Method(array, "count", ())

    def groups(self, env: Environment, fuel: int) -> tuple[Expr, Scalar, Array]:
        """Return the groups of an array, the type of their key and that of a group."""
        array, type_ = self.array(env, fuel - 1)
        key = self.random.choice(["String", "Integer", "String", "Date", "Boolean"])
        by = self.value(key, env.inside(type_.item, ORIGIN), fuel - 2)
        return Method(array, "groupBy", (by,)), Scalar(key), Array(type_.item)

    def _aggregate(self, kind: str, env: Environment, fuel: int) -> Expr:
        function = self.random.choice(["sum", "min", "max"] if kind == "Integer" else ["sum", "average", "min", "max"])
        if self.random.random() < 0.3:
            return Method(self.array_of(kind, env, fuel - 1), function, ())
        array, type_ = self.array(env, fuel - 1)
        return Method(array, function, (self.value(kind, env.inside(type_.item, ORIGIN), fuel - 2),))

    def declarations(self, env: Environment, fuel: int, most: int = 3) -> tuple[tuple[Declaration, ...], Environment]:
        """Return declarations, and the environment to the right of them."""
        made = []
        for _ in range(self.random.choice([1, 1, 1, 2, most])):
            array, type_ = self.array(env, fuel - 2)
            name = self.fresh()
            env = env.binding(name, type_.item, ORIGIN)
            made.append(Declaration(name, array, self.position(env, fuel - 2) if self.random.random() < 0.8 else None))
        return tuple(made), env

    def _prefix(self, kind: str, env: Environment, fuel: int) -> Expr | None:
        function = self.random.choice(["sum", "min", "max"] if kind == "Integer" else ["sum", "average", "min", "max"])
        if self.random.random() < 0.25:
            array = self.array_of(kind, env, fuel - 1)
            name = self.fresh()
            inside = env.binding(name, INTEGER if kind == "Integer" else DOUBLE, ORIGIN)
            condition = self.position(inside, fuel - 2) if self.random.random() < 0.7 else None
            return PrefixAggregate(function, None, (Declaration(name, array, condition),))
        declarations, inside = self.declarations(env, fuel, 2)
        last = declarations[-1].variable
        type_ = inside.variables[last].type
        paths = self._of(type_, (kind,)) if isinstance(type_, Object) else []
        if not paths:
            return None
        value: Expr = Name(last)
        for step in self.random.choice(paths).steps:
            value = Property(value, step) if isinstance(step, str) else Method(value, "get", (text(step[0]),))
        if self.random.random() < 0.3:
            value = Binary("*", value, self.literal("Integer"))
        return PrefixAggregate(function, value, declarations)

    def part(self, env: Environment, fuel: int) -> Expr:
        """Return a part of the calendar of a time."""
        return Method(self.time(env, fuel - 1), self.random.choice(["getYear", "getMonth", "getDayOfMonth"]), ())

    # -- texts and times --------------------------------------------------------------------------------------------

    def pattern(self) -> Expr:
        """Return a regular expression."""
        return text(self.random.choice(PATTERNS))

    def _group(self, env: Environment, fuel: int) -> Expr:
        choices = (("^(.)", 1), ("(a)(b)?", 2), ("(a)(b)?", 0), ("([A-Z]+)", None), ("o", 0), ("(x)?", 1))
        pattern, group = self.random.choice(choices)
        args = (text(pattern),) if group is None else (text(pattern), number(group))
        return Method(self.value("String", env, fuel - 1), "regexGroup", args)

    def _computed_date(self, env: Environment, fuel: int) -> Expr:
        random = self.random
        year = number(random.choice([2024, 2025, 2026])) if random.random() < 0.6 else Call("currentYear", ())
        month, day = number(random.randint(1, 12)), number(random.randint(1, 28))
        field = None if random.random() < 0.3 else self.path(env, "Integer")
        return Call("date", (year, month, field or day))

    def _extreme_time(self, env: Environment, fuel: int) -> Expr:
        function = self.random.choice(["min", "max"])
        if self.random.random() < 0.4:
            return Method(self.array_of("Timestamp", env, fuel - 1), function, ())
        array, type_ = self.array(env, fuel - 1)
        return Method(array, function, (self.value("Timestamp", env.inside(type_.item, ORIGIN), fuel - 2),))

    def listed(self, kind: str, field: Field | None = None) -> ArrayLiteral:
        """Return an array literal of a kind."""
        count = self.random.choice([0, 1, 2, 3, 3])
        items = [self.literal(kind, field) for _ in range(count)]
        if items and self.random.random() < 0.1:
            items.append(Literal(None, "null"))
        return ArrayLiteral(tuple(items))
