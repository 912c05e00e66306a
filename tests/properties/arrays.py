"""Random arrays, maps, tails and chains."""

from __future__ import annotations

from abc import ABC

from coterie.pql.ast import (
    BetweenTail,
    Chain,
    DirectionTail,
    DistanceTail,
    Element,
    Expr,
    Filter,
    Lambda,
    Method,
    Name,
    ObjectLiteral,
    OnTail,
    Property,
    Quantified,
    RelativeUnit,
    Tail,
    TimeWord,
    Unit,
)
from coterie.pql.ast import Call as Application
from coterie.pql.environment import Environment
from coterie.pql.types import Array, Object, Scalar, Type
from coterie.pql.words import UNITS

from .places import ORIGIN, number
from .values import Values

COMPARISONS = ("<=", "<", ">", ">=", "=", "!=")
DIRECTIONS = ("before", "after", "from")
LONG = ("century", "millennium")
DISTANCES: tuple[Unit, ...] = tuple(sorted(set(UNITS.values())))


class Arrays(Values, ABC):
    """Maker of arrays."""

    # -- arrays of objects ------------------------------------------------------------------------------------------

    def array(self, env: Environment, fuel: int) -> tuple[Expr, Array]:
        """Return an array of objects."""
        found = self.find(env, ("[Object]", "*Object"))
        assert found is not None, "there is always xEvent"
        assert isinstance(found.type, Array)
        expr, type_ = found.expr, found.type
        while fuel > 0 and self.random.random() < 0.45:
            fuel -= 1
            expr = self._narrowed(expr, type_, env, fuel)
        return expr, Array(type_.item)

    def _narrowed(self, expr: Expr, type_: Array, env: Environment, fuel: int) -> Expr:
        inside = env.inside(type_.item, ORIGIN)
        match self.random.randrange(12):
            case 0 | 1 | 2 | 3 | 4 | 5:
                return Filter(expr, self.condition(inside, fuel))
            case 6 | 7:
                return Method(expr, "filter", (self.condition(inside, fuel),))
            case 8 | 9:
                order = self.value(self.random.choice(["Integer", "Double", "Timestamp", "Date"]), inside, fuel - 1)
                args = (order, number(self.random.choice([0, 1, 1, 2, 3])))
                return Method(expr, self.random.choice(["topN", "bottomN"]), args)
            case 10:
                variable = self.fresh()
                bound = env.binding(variable, type_.item, ORIGIN)
                declared = self.declaration(variable, expr, self.position(bound, fuel))
                return Quantified("select", (declared,))
            case _:
                return Method(expr, "distinct", ())

    # -- arrays of single values ------------------------------------------------------------------------------------

    def array_of(self, kind: str, env: Environment, fuel: int) -> Expr:
        """Return an array of single values of a kind."""
        found = self.path(env, f"[{kind}]", f"*{kind}")
        if fuel <= 0 or (found is not None and self.random.random() < 0.5):
            return found or self.listed(kind)
        return self.one_of(
            [
                (4, lambda: self._mapped(kind, env, fuel)),
                (4, lambda: self._projected(kind, env, fuel)),
                (3, lambda: self._some_of(kind, env, fuel)),
                (1, lambda: Method(self.array_of(kind, env, fuel - 1), "distinct", ())),
                (1, lambda: self._intersection(kind, env, fuel)),
                (1, lambda: self.listed(kind)),
                (1 if kind == "String" else 0, lambda: self._keys(env, fuel)),
                (1, lambda: self._values(kind, env)),
                (1, lambda: self._of_groups(kind, env, fuel)),
                (1, lambda: self._of_objects(kind, env, fuel)),
                (1, lambda: self._of_tuples(kind, env, fuel)),
            ]
        )

    def _mapped(self, kind: str, env: Environment, fuel: int) -> Expr:
        array, type_ = self.array(env, fuel - 1)
        if self.random.random() < 0.3:
            variable = self.fresh()
            body = self.value(kind, env.binding(variable, type_.item, ORIGIN), fuel - 2)
            return Method(array, "map", (Lambda((variable,), body),))
        return Method(array, "map", (self.value(kind, env.inside(type_.item, ORIGIN), fuel - 2),))

    def _projected(self, kind: str, env: Environment, fuel: int) -> Expr | None:
        array, type_ = self.array(env, fuel - 1)
        kinds = (kind, f"[{kind}]", f"*{kind}")
        paths = self._of(type_.item, kinds) if isinstance(type_.item, Object) else []
        paths = [path for path in paths if all(isinstance(step, str) for step in path.steps)]
        if not paths:
            return None
        for step in self.random.choice(paths).steps:
            array = Property(array, step)
        return array

    def _some_of(self, kind: str, env: Environment, fuel: int) -> Expr:
        array = self.array_of(kind, env, fuel - 1)
        inside = env.inside(self._scalar(kind), ORIGIN)
        if kind in ("Integer", "Double", "Timestamp", "Date") and self.random.random() < 0.3:
            args = (Name("this"), number(self.random.choice([0, 1, 2])))
            return Method(array, self.random.choice(["topN", "bottomN"]), args)
        condition = self.condition(inside, fuel - 1)
        return Filter(array, condition) if self.random.random() < 0.6 else Method(array, "filter", (condition,))

    def _scalar(self, kind: str) -> Type:
        return Scalar(kind)

    def _intersection(self, kind: str, env: Environment, fuel: int) -> Expr:
        return Method(self.array_of(kind, env, fuel - 1), "intersection", (self.array_of(kind, env, fuel - 1),))

    def _keys(self, env: Environment, fuel: int) -> Expr | None:
        kinds = ("{String}", "{Integer}", "{Double}", "{Object}", "{Date}", "{Timestamp}", "{Boolean}", "{[Object]}")
        if self.random.random() < 0.4:
            groups, key, _ = self.groups(env, fuel)
            return Method(groups, "keys", ()) if key.name == "String" else None
        found = self.path(env, *kinds)
        return found and Method(found, "keys", ())

    def _values(self, kind: str, env: Environment) -> Expr | None:
        found = self.path(env, f"{{{kind}}}")
        return found and Method(found, "values", ())

    def _of_groups(self, kind: str, env: Environment, fuel: int) -> Expr:
        groups, key, group = self.groups(env, fuel)
        if self.random.random() < 0.3:
            return Method(groups, "map", (self.value(kind, env.inside(group, ORIGIN), fuel - 2),))
        names = ("K", "G")
        bound = env.binding("K", key, ORIGIN).binding("G", group, ORIGIN)
        if self.random.random() < 0.4:
            entry = Application("mapEntry", (Name("K"), self.of_group(kind, bound, fuel - 2)))
            return Method(Method(groups, "map", (Lambda(names, entry),)), "values", ())
        return Method(groups, "map", (Lambda(names, self.of_group(kind, bound, fuel - 2)),))

    def of_group(self, kind: str, env: Environment, fuel: int) -> Expr:
        """Return something said of the group `G`, if anything of the kind can be."""
        if kind == "Integer" and self.random.random() < 0.6:
            return Method(Name("G"), "count", ())
        type_ = env.variables["G"].type
        if kind in ("Integer", "Double", "Timestamp") and isinstance(type_, Array):
            inside = env.inside(type_.item, ORIGIN)
            return Method(Name("G"), self.random.choice(["min", "max"]), (self.value(kind, inside, fuel - 1),))
        return self.value(kind, env, fuel)

    def _of_objects(self, kind: str, env: Environment, fuel: int) -> Expr:
        array, type_ = self.array(env, fuel - 1)
        value = self.value(kind, env.inside(type_.item, ORIGIN), fuel - 2)
        other = self.value("Integer", env.inside(type_.item, ORIGIN), fuel - 2)
        return Property(Method(array, "map", (ObjectLiteral((("v", value), ("n", other))),)), "v")

    def _of_tuples(self, kind: str, env: Environment, fuel: int) -> Expr | None:
        """Return a projection of the tuples of a select."""
        declarations, inside = self.declarations(env, fuel, 2)
        if len({declaration.variable for declaration in declarations}) < len(declarations):
            return None
        last = declarations[-1].variable
        type_ = inside.variables[last].type
        paths = self._of(type_, (kind,)) if isinstance(type_, Object) else []
        paths = [path for path in paths if all(isinstance(step, str) for step in path.steps)]
        if not paths:
            return None
        expr: Expr = Quantified("select", declarations)
        if len(declarations) > 1:
            expr = Property(expr, last)
        for step in self.random.choice(paths).steps:
            expr = Property(expr, step)
        return expr

    # -- times ------------------------------------------------------------------------------------------------------

    def tail(self, env: Environment, fuel: int, labels: tuple[str, ...] = ()) -> Tail:
        """Return what follows `occurs`, or stands in `WHEN`."""
        random = self.random
        match random.randrange(10):
            case 0 | 1 | 2 | 3 | 4 | 5:
                unit = random.choice([*DISTANCES, "day", "day", "day", "hour", "month", "week", "second", "year"])
                count = random.choice([0, 1, 1, 2, 3, *(() if unit in LONG else (7, 24, 30, 31, 60, 365))])
                op, direction = random.choice(COMPARISONS), random.choice(DIRECTIONS)
                return DistanceTail(op, count, unit, direction, self._when(env, fuel, labels))
            case 6 | 7:
                return DirectionTail(random.choice(DIRECTIONS), self._when(env, fuel, labels))
            case 8:
                return BetweenTail(self._when(env, fuel, labels), self._when(env, fuel, labels))
            case _:
                return OnTail(self._when(env, fuel, labels))

    def _when(self, env: Environment, fuel: int, labels: tuple[str, ...]) -> TimeWord | RelativeUnit | Expr:
        random = self.random
        events = [*labels, *self._events(env)]
        if events and random.random() < 0.5:
            return Name(random.choice(events))
        match random.randrange(8):
            case 0 | 1 | 2:
                return TimeWord("now")
            case 3 | 4:
                return TimeWord(random.choice(["today", "yesterday", "tomorrow"]))
            case 5:
                return RelativeUnit(random.choice(["this", "last", "next"]), random.choice(DISTANCES))
            case _:
                return self.value(random.choice(["Date", "Timestamp"]), env, fuel - 1)

    def _events(self, env: Environment) -> list[str]:
        """Return the variables that stand for an event."""
        return [name for name, bound in env.variables.items() if isinstance(bound.type, Object) and bound.type.event]

    # -- chains -----------------------------------------------------------------------------------------------------

    def chain(self, env: Environment, fuel: int) -> Expr:
        """Return a chain, mostly of events."""
        random = self.random
        if random.random() < 0.8:
            array: Expr = Name("xEvent")
            type_: Type = self.events.item
        else:
            array, whole = self.array(env, fuel - 2)
            type_ = whole.item
        paths = [path.steps for path in self._of(type_, ("Timestamp", "Date"))]
        paths = [steps for steps in paths if all(isinstance(step, str) for step in steps)]
        event = isinstance(type_, Object) and type_.event
        if event:
            paths = [("timestamp",)] * 9 + paths
        if not paths:
            return self.chain(env, fuel)
        elements: list[Element] = []
        inside, labels = env, ()
        count = random.choice([1, 2, 2, 3, 3, 4])
        first = random.randrange(count)
        for place in range(count):
            label = f"L{place}"
            kind = "exclude" if place != first and random.random() < 0.35 else "what"
            elements.append(self._element(label, kind, inside, type_, fuel - 2, labels if event else ()))
            if kind == "what":
                inside = inside.binding(label, type_, ORIGIN)
                labels = (*labels, label)
        return Chain(array, random.choice(paths), tuple(elements))

    def _element(
        self, label: str, kind: str, env: Environment, type_: Type, fuel: int, labels: tuple[str, ...]
    ) -> Element:
        random = self.random
        inside = env.inside(type_, ORIGIN)
        what = self.position(inside, fuel)
        when = tuple(self.tail(inside, fuel - 1, labels) for _ in range(random.choice([0, 0, 0, 1, 1, 2])))
        count = random.choice([1, 1, 1, 2, 3]) if kind == "what" else 1
        where = None
        if random.random() < 0.12:
            where = self.position(env.binding(label, type_, ORIGIN).outside(), fuel)
        return Element(label, kind, what, when, count, where)
