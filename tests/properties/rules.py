"""Random rules: well-typed expressions of every construct, about the values that occur in a world."""

from __future__ import annotations

from random import Random

from coterie.pql.ast import (
    ArrayLiteral,
    Binary,
    BinaryOp,
    Call,
    Declaration,
    Expr,
    Filter,
    Lambda,
    Let,
    Literal,
    Method,
    Name,
    Occurs,
    Positional,
    Property,
    Quantified,
    Unary,
)
from coterie.pql.environment import Environment
from coterie.pql.functions import TEXT_TESTS

from .arrays import Arrays
from .places import ORIGIN, SCALARS, number, text
from .worlds import AUDIENCES, NAMESPACES, STATUSES, World

ORDER: tuple[BinaryOp, ...] = ("<", "<=", ">", ">=")
EQUALITY: tuple[BinaryOp, ...] = ("=", "!=")
SETS = ("intersects", "subsetOf", "supersetOf")


class Rules(Arrays):
    """Maker of rules about one world."""

    def rule(self, fuel: int = 4) -> Expr:
        """Return a rule."""
        if self.random.random() < 0.03:
            env = self.root.binding("P", self.root.profile, ORIGIN)
            return Lambda(("P",), self.truth(env, fuel))
        if self.random.random() < 0.1:
            return self.position(self.root, fuel)
        return self.truth(self.root, fuel)

    # -- read as true or false --------------------------------------------------------------------------------------

    def position(self, env: Environment, fuel: int) -> Expr:
        """Return an expression of any type, to be read as true or false."""
        if self.random.random() < 0.88:
            return self.truth(env, fuel)
        return self._anything(env, fuel)

    def condition(self, env: Environment, fuel: int) -> Expr:
        """Return what may stand between brackets: anything but a number that is written out."""
        made = self.position(env, fuel)
        literal = made.operand if isinstance(made, Unary) else made
        return self.truth(env, 0) if isinstance(literal, Literal) else made

    def _anything(self, env: Environment, fuel: int) -> Expr:
        match self.random.randrange(7):
            case 6 if fuel > 0:
                return Quantified("select", self.declarations(env, fuel)[0])
            case 0:
                return self.array(env, fuel - 1)[0]
            case 1:
                return self.array_of(self.random.choice(SCALARS), env, fuel - 1)
            case 2:
                found = self.path(env, "Object", "{String}", "{Integer}", "{Double}", "{Object}")
                return found or self.truth(env, fuel)
            case 3:
                return Literal(None, "null") if self.random.random() < 0.3 else self._first(env, fuel)
            case _:
                return self.value(self.random.choice(SCALARS), env, fuel - 1)

    def _first(self, env: Environment, fuel: int) -> Expr:
        return Method(self.array(env, fuel - 1)[0], "head", ())

    def truth(self, env: Environment, fuel: int) -> Expr:
        """Return an expression that is true or false."""
        simple = [
            (8, lambda: self._numbers_compared(env, fuel)),
            (5, lambda: self._texts_compared(env, fuel)),
            (4, lambda: self._text_test(env, fuel)),
            (4, lambda: self._times_compared(env, fuel)),
            (8, lambda: Occurs(self.time(env, fuel - 1), self.tail(env, fuel))),
            (2, lambda: self._truths_compared(env, fuel)),
            (4, lambda: self._member(env, fuel)),
            (4, lambda: self._null_test(env, fuel)),
            (1, lambda: Literal(self.random.random() < 0.5, "boolean")),
            (2, lambda: self.path(env, "Boolean")),
            (1, lambda: Call("inSegment", (text(self.random.choice(AUDIENCES)),))),
            (1, lambda: self._identity(env, fuel)),
            (1, lambda: self._membership(env, fuel)),
        ]
        if fuel <= 0:
            return self.one_of(simple)
        return self.one_of(
            [
                *simple,
                (6, lambda: self._joined(env, fuel)),
                (4, lambda: Unary("not", self.position(env, fuel - 1))),
                (5, lambda: self._sets(env, fuel)),
                (3, lambda: self._includes(env, fuel)),
                (6, lambda: self._item_test(env, fuel)),
                (7, lambda: self._quantified(env, fuel)),
                (7 if len(env.implicit) == 1 else 1, lambda: self.chain(env, fuel)),
                (3, lambda: self._projection_compared(env, fuel)),
                (2, lambda: self._let_truth(env, fuel)),
                (1, lambda: Call("if", (self.position(env, fuel - 1), *(self.truth(env, fuel - 1) for _ in "ab")))),
                (2, lambda: self._arrays_compared(env, fuel)),
                (2, lambda: self._items_compared(env, fuel)),
                (2, lambda: self._events_counted(env, fuel)),
                (1, lambda: self._map_test(env, fuel)),
            ]
        )

    # -- comparison -------------------------------------------------------------------------------------------------

    def _near(self, kind: str, env: Environment, fuel: int) -> tuple[Expr, Expr]:
        """Return something of a kind and a value near those it has."""
        found = self.find(env, (kind,)) if self.random.random() < 0.6 else None
        if found is None:
            return self.value(kind, env, fuel - 1), self.value(kind, env, fuel - 2)
        return found.expr, self.literal(kind, found.field)

    def _numbers_compared(self, env: Environment, fuel: int) -> Expr:
        random = self.random
        op = random.choice([*ORDER, *EQUALITY])
        kind = random.choice(["Integer", "Double"])
        left, right = self._near(kind, env, fuel)
        match random.randrange(16):
            case 0:
                right = text(random.choice(["12", "0.3", "3", "-1", "1e1", "012"]))
            case 1:
                right = self.path(env, "String") or right
            case 2:
                right = self.number(env, fuel - 1)
            case 3:
                right = Literal(None, "null")
            case 4:
                left, right = right, left
            case 5:
                left, right = self.part(env, fuel), number(random.choice([1, 2, 3, 6, 12, 15, 29, 31, 2024, 2026]))
        return Binary(op, left, right)

    def _texts_compared(self, env: Environment, fuel: int) -> Expr:
        random = self.random
        left, right = self._near("String", env, fuel)
        match random.randrange(8):
            case 0:
                return Binary("matches", left, self.pattern())
            case 1 | 2:
                return Binary("like", left, self._like(env, fuel))
            case 3:
                fields = self.path(env, "String"), self.path(env, "Integer", "Double")
                if fields[0] is not None and fields[1] is not None:
                    return Binary(random.choice(EQUALITY), *fields)
        return Binary(random.choice(EQUALITY), left, right)

    def _like(self, env: Environment, fuel: int) -> Expr:
        patterns = ("%", "_", "a%", "%b", "_y%", "a\\%b", "a\\_b", "Lyon", "l%n", "%_", "", "\\", "%\\%%", "__")
        return text(self.random.choice(patterns)) if self.random.random() < 0.9 else self.value("String", env, fuel - 1)

    def _text_test(self, env: Environment, fuel: int) -> Expr:
        random = self.random
        left, right = self._near("String", env, fuel)
        args: list[Expr] = [right]
        name = random.choice([*TEXT_TESTS, "matches"])
        if name == "matches":
            return Method(left, name, (self.pattern(),))
        if random.random() < 0.15:
            args = [
                text(name),
                left,
                self.listed("String") if random.random() < 0.8 else self.array_of("String", env, fuel - 1),
            ]
            left = Name("stringCompare")
        elif name in ("equals", "notEqualTo"):
            if random.random() < 0.3:
                args = [self.listed("String") if random.random() < 0.7 else self.array_of("String", env, fuel - 1)]
            else:
                args += [self.value("String", env, fuel - 2) for _ in range(random.choice([0, 0, 1, 2]))]
        if random.random() < 0.5:
            args.append(Literal(random.random() < 0.3, "boolean"))
        return Call("stringCompare", tuple(args)) if left == Name("stringCompare") else Method(left, name, tuple(args))

    def _times_compared(self, env: Environment, fuel: int) -> Expr:
        random = self.random
        left, right = self._near(random.choice(["Date", "Timestamp"]), env, fuel)
        match random.randrange(5):
            case 0:
                right = text(random.choice(["2026-06-15", "2024-02-29T00:00:00Z", "2026-03-31T14:00:00+02:00"]))
            case 1:
                right = self.time(env, fuel - 1)
        return Binary(random.choice([*ORDER, *EQUALITY]), left, right)

    def _truths_compared(self, env: Environment, fuel: int) -> Expr:
        left = self.path(env, "Boolean") or self.value("Boolean", env, fuel - 1)
        right = self.random.choice([self.literal("Boolean"), text("true"), self.path(env, "String") or text("false")])
        return Binary(self.random.choice(EQUALITY), left, right)

    def _member(self, env: Environment, fuel: int) -> Expr:
        random = self.random
        kind = random.choice(["Integer", "Double", "String", "String", "Date", "Timestamp"])
        found = self.find(env, (kind, f"*{kind}"))
        if found is None:
            return Binary("in", self.value(kind, env, fuel - 1), self.listed(kind))
        array: Expr = self.listed(kind, found.field)
        if random.random() < 0.25:
            array = self.array_of(kind, env, fuel - 1)
        elif kind in ("Integer", "Double") and random.random() < 0.15:
            array = ArrayLiteral((text("12"), text("3"), text("0.3")))
        return Binary(random.choice(["in", "in", "notIn"]), found.expr, array)

    def _null_test(self, env: Environment, fuel: int) -> Expr:
        random = self.random
        name = random.choice(["isNull", "isNotNull"])
        kinds = [*SCALARS, "Object", *(f"[{kind}]" for kind in SCALARS), "[Object]", "{String}", "{Object}", "*String"]
        found = self.path(env, *random.sample(kinds, 6))
        if found is None or random.random() < 0.3:
            found = self.value(random.choice(SCALARS), env, fuel - 1)
        return Method(found, name, ())

    def _projection_compared(self, env: Environment, fuel: int) -> Expr:
        random = self.random
        kind = random.choice(["Integer", "Double", "String", "Timestamp", "Date"])
        found = self.find(env, (f"*{kind}",))
        left = found.expr if found is not None else self.array_of(kind, env, fuel - 1)
        if found is None:
            return Method(left, "isNotNull", ())
        if kind == "String":
            name = random.choice(TEXT_TESTS)
            if random.random() < 0.5:
                return Method(left, name, (self.literal(kind, found.field),))
            return Binary(random.choice(EQUALITY), left, self.literal(kind, found.field))
        if kind in ("Timestamp", "Date") and random.random() < 0.5:
            return Occurs(left, self.tail(env, fuel))
        other = self.literal(kind, found.field) if random.random() < 0.8 else self.path(env, kind)
        sides = (left, other or self.literal(kind))
        return Binary(random.choice([*ORDER, *EQUALITY]), *(sides if random.random() < 0.8 else sides[::-1]))

    def _arrays_compared(self, env: Environment, fuel: int) -> Expr | None:
        kind = self.random.choice(["String", "Integer", "Double"])
        found = self.find(env, (f"[{kind}]",))
        if found is None:
            return None
        other = self.listed(kind, found.field) if self.random.random() < 0.5 else self.path(env, f"[{kind}]")
        return Binary(self.random.choice(EQUALITY), found.expr, other or self.listed(kind))

    def _items_compared(self, env: Environment, fuel: int) -> Expr | None:
        """Compare two items by identity."""
        array, type_ = self.array(env, fuel - 2)
        if not isinstance(array, Name | Property):
            return None
        one, two = "A", "B"
        inside = env.binding(one, type_.item, ORIGIN).binding(two, type_.item, ORIGIN)
        differ = Binary(self.random.choice(EQUALITY), Name(one), Name(two))
        condition = Binary("and", differ, self.truth(inside, fuel - 2))
        kind = self.random.choice(["exists", "exists", "forall"])
        return Quantified(kind, (Declaration(one, array, None), Declaration(two, array, condition)))

    # -- arrays -----------------------------------------------------------------------------------------------------

    def _sets(self, env: Environment, fuel: int) -> Expr:
        kind = self.random.choice(["String", "String", "Integer", "Double", "Timestamp"])
        found = self.find(env, (f"[{kind}]", f"*{kind}")) if self.random.random() < 0.7 else None
        left = self.array_of(kind, env, fuel - 1) if found is None else found.expr
        right = (
            self.listed(kind, found and found.field)
            if self.random.random() < 0.6
            else self.array_of(kind, env, fuel - 1)
        )
        return Method(left, self.random.choice(SETS), (right,))

    def _includes(self, env: Environment, fuel: int) -> Expr:
        kind = self.random.choice(["String", "String", "Integer", "Double", "Date", "Boolean"])
        found = self.find(env, (f"[{kind}]", f"*{kind}")) if self.random.random() < 0.7 else None
        if found is None:
            return Method(self.array_of(kind, env, fuel - 1), "includes", (self.value(kind, env, fuel - 2),))
        return Method(found.expr, "includes", (self.literal(kind, found.field),))

    def _item_test(self, env: Environment, fuel: int) -> Expr:
        name = self.random.choice(["exists", "exists", "forall"])
        if self.random.random() < 0.25:
            kind = self.random.choice(["String", "Integer", "Double", "Timestamp"])
            array, item = self.array_of(kind, env, fuel - 1), self._scalar(kind)
        else:
            array, whole = self.array(env, fuel - 1)
            item = whole.item
        return Method(array, name, (self.position(env.inside(item, ORIGIN), fuel - 1),))

    def _quantified(self, env: Environment, fuel: int) -> Expr:
        declarations, _ = self.declarations(env, fuel)
        kind = self.random.choice(["exists", "exists", "forall"])
        return Quantified(kind, declarations)

    def declaration(self, variable: str, array: Expr, condition: Expr | None) -> Declaration:
        """Return a declaration."""
        return Declaration(variable, array, condition)

    def _events_counted(self, env: Environment, fuel: int) -> Expr:
        """Return the most frequent of all rules: so many events of some kind."""
        inside = env.inside(self.events.item, ORIGIN)
        kind = Binary("=", Name("eventType"), text(self.random.choice(["view", "buy", "cart", "none"])))
        recent = Occurs(Name("timestamp"), self.tail(inside, fuel - 2))
        array = Filter(Name("xEvent"), self.random.choice([kind, recent, Binary("and", kind, recent)]))
        return Binary(
            self.random.choice([*ORDER, *EQUALITY]),
            Method(array, "count", ()),
            number(self.random.choice([0, 1, 2, 3])),
        )

    def _map_test(self, env: Environment, fuel: int) -> Expr | None:
        maps = ("{String}", "{Integer}", "{Double}", "{Object}", "{Date}", "{Timestamp}", "{Boolean}")
        found = self.path(env, *maps)
        if found is None or self.random.random() < 0.3:
            groups, key, _ = self.groups(env, fuel)
            if self.random.random() < 0.5:
                return Method(groups, "isNotNull", ())
            got = Method(groups, "get", (self.value(key.name, env, fuel - 2),))
            return Binary(">=", Method(got, "count", ()), number(self.random.choice([0, 1, 2])))
        match self.random.randrange(3):
            case 0:
                return Method(Method(found, "keys", ()), "includes", (text(self.random.choice(["a", "b", "K"])),))
            case 1:
                return Binary(
                    ">=", Method(Method(found, "values", ()), "count", ()), number(self.random.choice([0, 1, 2]))
                )
            case _:
                return Method(Method(found, "get", (self.value("String", env, fuel - 2),)), "isNull", ())

    # -- the rest ---------------------------------------------------------------------------------------------------

    def _joined(self, env: Environment, fuel: int) -> Expr:
        op = self.random.choice(["and", "or"])
        return Binary(op, self.position(env, fuel - 1), self.position(env, fuel - 1))

    def _let_truth(self, env: Environment, fuel: int) -> Expr:
        name = self.fresh()
        if self.random.random() < 0.4:
            value, type_ = self.array(env, fuel - 1)
        elif self.random.random() < 0.3:
            array, whole = self.array(env, fuel - 1)
            value, type_ = Method(array, "head", ()), whole.item
        else:
            kind = self.random.choice(SCALARS)
            value, type_ = self.value(kind, env, fuel - 1), self._scalar(kind)
        return Let(name, value, self.truth(env.binding(name, type_, ORIGIN), fuel - 1))

    def _identity(self, env: Environment, fuel: int) -> Expr:
        random = self.random
        held = Property(Positional(1), "identityMap")
        code = Method(held, "get", (text(random.choice(["Email", "ECID", "none"])),))
        match random.randrange(6):
            case 0:
                return Method(code, random.choice(["isNull", "isNotNull"]), ())
            case 1:
                test = (text(random.choice(["x", "a@b.c", "12"])), Literal(random.random() < 0.3, "boolean"))
                return Method(code, "exists", (Method(Name("id"), "equals", test),))
            case 2:
                return Binary("=", Method(code, "count", ()), number(random.choice([0, 1, 2])))
            case 3:
                return Method(Property(code, "id"), random.choice(SETS), (self.listed("String"),))
            case 4:
                return Binary(">=", Method(Method(held, "values", ()), "count", ()), number(random.choice([1, 2])))
            case _:
                return Method(Method(held, "keys", ()), "includes", (self.value("String", env, fuel - 2),))

    def _membership(self, env: Environment, fuel: int) -> Expr:
        random = self.random
        held = Property(Positional(1), "segmentMembership")
        namespace = Method(held, "get", (text(random.choice([*NAMESPACES, "none"])),))
        one = Method(namespace, "get", (text(random.choice(AUDIENCES)),))
        entry = random.choice([one, one, Method(Method(namespace, "values", ()), "head", ())])
        every = Method(namespace, "values", ())
        match random.randrange(9):
            case 0:
                return Method(random.choice([namespace, entry]), random.choice(["isNull", "isNotNull"]), ())
            case 1:
                return Binary(random.choice(EQUALITY), Property(entry, "status"), text(random.choice(STATUSES)))
            case 2 | 3:
                time = random.choice(["lastQualificationTime", "validUntil"])
                return Occurs(Property(entry, time), self.tail(env, fuel))
            case 4:
                condition = Binary("=", Name("status"), text(random.choice(STATUSES)))
                return Binary(">=", Method(Filter(every, condition), "count", ()), number(random.choice([1, 2])))
            case 5:
                latest = Method(every, random.choice(["min", "max"]), (Name("lastQualificationTime"),))
                return Occurs(latest, self.tail(env, fuel))
            case 6:
                keys = Method(random.choice([held, namespace]), "keys", ())
                wanted = ArrayLiteral(tuple(map(text, random.sample([*AUDIENCES, *NAMESPACES], 2))))
                return Method(keys, random.choice(SETS), (wanted,))
            case 7:
                return Method(Property(every, "status"), random.choice(SETS), (self.listed("String"),))
            case _:
                return Binary("=", Method(Method(held, "values", ()), "count", ()), number(random.choice([0, 1, 2])))


def rules(world: World, random: Random, count: int, fuel: int = 4) -> list[Expr]:
    """Return random rules about a world."""
    maker = Rules(world, random)
    return [maker.rule(random.choice([1, 2, 3, fuel])) for _ in range(count)]
