"""One rule asked in several ways: of the statements in SQL, and of the interpreter in every form the rule has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from coterie.pql.interpreter import holds

from coterie.core.errors import Unsupported
from coterie.pql import parse, to_text
from coterie.pql.ast import Expr
from coterie.pql.conditions import And, Constant, Leaf, Not, Or, Rule
from coterie.pql.normal import normalise
from coterie.testing import People

from .worlds import Profile, World


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


def ask(expr: Expr, world: World, group: People) -> Answer:
    """Return who satisfies a rule."""
    text = to_text(expr)
    tree, refused = parse(text), ""
    try:
        sql = group.members(text)
    except Unsupported as error:
        sql, refused = set(), str(error)
    surface = _those(world, lambda profile: holds(tree, profile, world.at, world.union))
    try:
        rule = normalise(tree, world.union)
    except Unsupported as error:
        return Answer(text, frozenset(sql), surface, surface, refused or str(error))
    core = _those(world, lambda profile: _fold(rule, profile, world))
    return Answer(text, frozenset(sql), surface, core, refused)


def _those(world: World, test: Callable[[Profile], bool]) -> frozenset[str]:
    return frozenset(profile["id"] for profile in world.profiles if test(profile))


def _fold(rule: Rule, profile: Profile, world: World) -> bool:
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
