"""One rule asked in several ways: of the statements in SQL, and of the interpreter in every form the rule has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import assert_never

from coterie.core.errors import Unsupported
from coterie.pql import parse, to_text
from coterie.pql.ast import Expr
from coterie.pql.conditions import And, Constant, Leaf, Not, Or, Rule
from coterie.pql.interpreter import holds, read_profile
from coterie.pql.interpreter.values import Object
from coterie.pql.normal import normalise
from coterie.testing import People, people

from .worlds import World


@dataclass(frozen=True)
class Answer:
    """Who the members of a rule are, by each way that was taken; `refused` is why the engine gave none."""

    text: str
    sql: frozenset[str]
    surface: frozenset[str]
    core: frozenset[str]
    refused: str = ""

    @property
    def agreed(self) -> bool:
        """Whether all ways lead to the same members."""
        return self.surface == self.core and (bool(self.refused) or self.sql == self.surface)

    @property
    def disputed(self) -> frozenset[str]:
        """The people of whom the ways say different things."""
        everyone = self.surface | self.core | self.sql
        return everyone - (self.surface & self.core & self.sql)


class Asked:
    """A world taken in, of which any number of rules can be asked."""

    def __init__(self, world: World, group: People) -> None:
        self._world, self._group = world, group
        self._people = {profile["id"]: read_profile(profile, world.union) for profile in world.profiles}

    @property
    def size(self) -> int:
        """How many people there are."""
        return len(self._people)

    def answer(self, expr: Expr) -> Answer:
        """Return who satisfies a rule."""
        return _answer(expr, self._world, self._people, self._group)


@contextmanager
def asked(world: World) -> Iterator[Asked]:
    """Take a world in through the real intake."""
    with people(world.profiles, world.now, world.union) as group:
        yield Asked(world, group)


def _answer(expr: Expr, world: World, people: Mapping[str, Object], group: People) -> Answer:
    text = to_text(expr)
    tree, refused = parse(text), ""
    try:
        sql = group.members(text)
    except Unsupported as error:
        sql, refused = set(), str(error)
    surface = _those(people, lambda profile: holds(tree, profile, world.at, world.union))
    try:
        rule = normalise(tree, world.union)
    except Unsupported as error:
        return Answer(text, frozenset(sql), surface, surface, refused or str(error))
    core = _those(people, lambda profile: _fold(rule, profile, world))
    return Answer(text, frozenset(sql), surface, core, refused)


def _those(people: Mapping[str, Object], test: Callable[[Object], bool]) -> frozenset[str]:
    return frozenset(name for name, person in people.items() if test(person))


def _fold(rule: Rule, profile: Object, world: World) -> bool:
    match rule:
        case Constant(value):
            return value
        case Leaf(condition):
            return holds(condition.expr, profile, world.at, world.union)
        case Not(operand):
            return not _fold(operand, profile, world)
        case And(operands):
            return all(_fold(operand, profile, world) for operand in operands)
        case Or(operands):
            return any(_fold(operand, profile, world) for operand in operands)
        case _:
            assert_never(rule)
