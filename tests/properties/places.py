"""What can be read from a place in a query: paths by the kind of their values, and literals that occur there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from random import Random
from typing import Any

from coterie.core.schema import Field, FieldType
from coterie.pql.ast import Call, Expr, Literal, Method, Name, Positional, Property, Unary, Up
from coterie.pql.environment import Environment, Implicit
from coterie.pql.types import Array, Map, Object, Scalar, Type, of_field, profile_of, property_of

from .worlds import KEYS, TEXTS, World, iso

SCALARS = ("Boolean", "Integer", "Double", "String", "Date", "Timestamp")
SYSTEM = ("identityMap", "segmentMembership")
"""Fields that are read in ways of their own: identities by namespace, memberships by `inSegment`."""
ORIGIN = Name("origin")
Step = str | tuple[str]
"""A name, or in a tuple the key of a map."""


def kind_of(type_: Type) -> str:
    """Return the kind of a type, by which paths are looked up; ``[…]`` is an array, ``*…`` a projection."""
    match type_:
        case Scalar(name):
            return name
        case Array(item, projected):
            return f"*{kind_of(item)}" if projected else f"[{kind_of(item)}]"
        case Map(value):
            return f"{{{kind_of(value)}}}"
        case _:
            return "Object"


@dataclass(frozen=True)
class Path:
    """Steps below an object, what they lead to, and the field whose values those are, if it is one."""

    steps: tuple[Step, ...]
    type: Type
    field: Field | None


@dataclass(frozen=True)
class Found:
    """An expression with its type, and the field whose values it has."""

    expr: Expr
    type: Type
    field: Field | None = None


class Places:
    """The fields of a world, and the values that occur in them."""

    def __init__(self, world: World, random: Random) -> None:
        self.world, self.random = world, random
        self.root = Environment((Implicit(profile_of(world.union), None),))
        events = property_of(self.root.profile, "xEvent")
        assert isinstance(events, Array)
        self.events = events
        self._below: dict[int, dict[str, list[Path]]] = {}

    # -- paths ------------------------------------------------------------------------------------------------------

    def below(self, type_: Object) -> Mapping[str, list[Path]]:
        """Return the paths below an object, by kind."""
        key = id(type_.properties)
        if key not in self._below:
            paths: dict[str, list[Path]] = defaultdict(list)
            for path in self._walk(type_, (), 4):
                paths[kind_of(path.type)].append(path)
            self._below[key] = dict(paths)
        return self._below[key]

    def _walk(self, type_: Type, before: tuple[Step, ...], depth: int) -> list[Path]:
        if depth == 0:
            return []
        found = []
        inner = type_
        while isinstance(inner, Array):
            inner = inner.item
        if isinstance(inner, Object):
            for name, property_ in inner.properties.items():
                if name in SYSTEM:
                    continue
                below = property_of(type_, name)
                assert below is not None
                field = property_ if isinstance(property_, Field) else None
                path = Path((*before, name), below, _values_of(field))
                found += [path, *self._walk(below, path.steps, depth - 1)]
        elif isinstance(type_, Map) and before:
            for key in KEYS[:3]:
                path = Path((*before, (key,)), type_.value, None)
                found += [path, *self._walk(type_.value, path.steps, depth - 1)]
        return found

    def find(self, env: Environment, kinds: tuple[str, ...]) -> Found | None:
        """Return something of one of the kinds that can be read here, or None; what is near is preferred."""
        groups: list[list[Found | tuple[Expr | None, Environment, int, Path]]] = [[], [], []]
        for variable in env.variables.values():
            if kind_of(variable.type) in kinds:
                groups[0].append(Found(Name(variable.name), variable.type))
            if isinstance(variable.type, Object):
                groups[0] += [(Name(variable.name), env, 0, path) for path in self._of(variable.type, kinds)]
        for level, implicit in enumerate(reversed(env.implicit)):
            group = groups[1 if level == 0 else 2]
            if isinstance(implicit.type, Object):
                group += [(None, env, level, path) for path in self._of(implicit.type, kinds)]
            if level == 0 and kind_of(implicit.type) in kinds and len(env.implicit) > 1:
                group += [Found(Name("this"), implicit.type)] * 4
        if len(env.implicit) > 1 or env.variables:
            groups[2] += [(Positional(1), env, 0, path) for path in self._of(env.profile, kinds)]
        likely = [group for group, weight in zip(groups, (5, 6, 2), strict=True) if group for _ in range(weight)]
        if not likely:
            return None
        chosen = self.random.choice(self.random.choice(likely))
        return chosen if isinstance(chosen, Found) else self._reach(*chosen)

    def _of(self, type_: Type, kinds: tuple[str, ...]) -> list[Path]:
        assert isinstance(type_, Object)
        below = self.below(type_)
        return [path for kind in kinds for path in below.get(kind, ())]

    def _reach(self, start: Expr | None, env: Environment, level: int, path: Path) -> Found:
        first, rest = path.steps[0], path.steps[1:]
        assert isinstance(first, str)
        if start is not None:
            expr: Expr = start if first == "xEvent" and start == Positional(1) else Property(start, first)
            expr = Name("xEvent") if first == "xEvent" else expr
        elif first == "xEvent":
            expr = Name("xEvent")
        elif level:
            expr = Up(level, first)
        else:
            binding = env.lookup(first)
            plain = binding is not None and binding.kind == "property"
            expr = Name(first) if plain and self.random.random() < 0.95 else Property(Name("this"), first)
        for step in rest:
            expr = Property(expr, step) if isinstance(step, str) else Method(expr, "get", (text(step[0]),))
        return Found(expr, path.type, path.field)

    # -- literals ---------------------------------------------------------------------------------------------------

    @cached_property
    def _pools(self) -> dict[str, tuple[Any, ...]]:
        pools: dict[str, list[Any]] = {name: [] for name in SCALARS}
        fields = {id(field): field for field in _scalars(self.world)}
        for key, values in self.world.values.items():
            if key in fields:
                pools[kind_of(of_field(fields[key]))] += values
        pools["String"] += TEXTS
        return {name: tuple(values) for name, values in pools.items()}

    def literal(self, kind: str, field: Field | None = None) -> Expr:
        """Return a literal of a kind, near the values that occur in a field, or else anywhere."""
        random = self.random
        pool = self.world.values.get(id(field), ()) if field is not None else ()
        pool = pool if pool and random.random() < 0.9 else self._pools[kind]
        match kind:
            case "Boolean":
                return Literal(random.random() < 0.5, "boolean")
            case "String":
                return text(random.choice(pool) if pool else random.choice(TEXTS))
            case "Integer":
                value = random.choice(pool) if pool else random.choice([0, 1, 2, 3, 12])
                return number(int(value) + random.choice([0, 0, 0, 1, -1]))
            case "Double":
                value = Decimal(str(random.choice(pool))) if pool else Decimal("0.3")
                return number(value + random.choice([Decimal(0)] * 4 + [Decimal("0.1"), Decimal(1)]))
            case "Date":
                return self._date(pool)
            case _:
                return Name("now") if random.random() < 0.5 else self._date(pool)

    def _date(self, pool: tuple[Any, ...]) -> Expr:
        value = self.random.choice(pool) if pool else self.world.now
        value = iso(value) if isinstance(value, int) else value
        year, month, day = map(int, value[:10].split("-"))
        return Call("date", (number(year), number(month), number(day)))


def _values_of(field: Field | None) -> Field | None:
    """Return the scalar field whose values a path to `field` gives."""
    while field is not None and field.type is FieldType.ARRAY:
        field = field.items
    return field


def _scalars(world: World) -> list[Field]:
    found, pending = [], [world.union.profile, world.union.event]
    while pending:
        field = pending.pop()
        pending += [*field.properties.values(), *([field.items] if field.items else [])]
        found += [field] if field.scalar else []
    return found


def text(value: str) -> Literal:
    """Return a text literal."""
    return Literal(value, "string")


def number(value: int | Decimal) -> Expr:
    """Return a number as it is written, with its sign."""
    if isinstance(value, int):
        literal = Literal(abs(value), "integer")
    else:
        written = f"{abs(value):f}"
        literal = Literal(written if "." in written else f"{written}.0", "double")
    return Unary("-", literal) if value < 0 else literal
