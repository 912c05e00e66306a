"""One plan for many audiences: distinct conditions are evaluated once, rules are algebra on their bitmaps."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from pyroaring import BitMap

from coterie.audience.definition import Audience
from coterie.core.errors import CoterieError, Invalid
from coterie.core.schema import Union
from coterie.engine.algebra import fold
from coterie.engine.protocol import Engine
from coterie.pql import parse
from coterie.pql.analysis import audiences_read
from coterie.pql.conditions import Condition, Rule, conditions_of
from coterie.pql.normal import normalise


@dataclass(frozen=True)
class Planned:
    """An audience with its rule in normal form and the names of the audiences it reads."""

    audience: Audience
    rule: Rule
    reads: frozenset[str]


@dataclass(frozen=True)
class Outcome:
    """Members of an audience and the seconds its own new conditions took."""

    members: BitMap
    seconds: float


def plan(audience: Audience, union: Union) -> Planned:
    """Bring the rule of an audience into normal form; raises `PqlError` or `Unsupported` naming the audience."""
    try:
        expr = parse(audience.pql)
        return Planned(audience, normalise(expr, union), frozenset(audiences_read(expr)))
    except CoterieError as error:
        error.where.setdefault("audience", audience.name)
        raise


def reads(audience: Audience) -> frozenset[str]:
    """Return the names of the audiences that a rule reads."""
    return frozenset(audiences_read(parse(audience.pql)))


def in_order(read: Mapping[str, frozenset[str]]) -> list[str]:
    """Return audiences so that each comes after those it reads; raises ``pql.cycle``."""
    graph = {name: sorted(names & read.keys()) for name, names in read.items()}
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        path = " → ".join(reversed(error.args[1]))
        raise Invalid(
            "pql.cycle",
            f"audiences depend on themselves: {path}.",
            hint="Break the circle by writing out one of the rules.",
            where={"audience": error.args[1][0]},
        ) from error


def evaluate(
    planned: Sequence[Planned],
    engine: Engine,
    view: str,
    at: int,
    universe: BitMap,
    stored: Mapping[str, BitMap],
) -> dict[str, Outcome]:
    """Evaluate audiences of one view at one instant.

    Parameters
    ----------
    planned : sequence of Planned
        What to evaluate, in any order.
    engine : Engine
        Evaluates conditions to bitmaps of persons.
    view : str
        The view all of them are asked of.
    at : int
        Evaluation instant, ms.
    universe : BitMap
        All persons of the view.
    stored : mapping of str to BitMap
        Present members of audiences that are read but not evaluated in this run.

    Returns
    -------
    dict of str to Outcome
        By audience name. Each distinct condition was evaluated once, at the first audience that needs it.
    """
    known: dict[str, BitMap] = {}
    memberships = dict(stored)
    outcomes: dict[str, Outcome] = {}
    by_name = {item.audience.name: item for item in planned}
    for name in in_order({name: item.reads for name, item in by_name.items()}):
        item = by_name[name]
        began = time.perf_counter()
        missing: dict[str, Condition] = {
            condition.key: condition for condition in conditions_of(item.rule) if condition.key not in known
        }
        known |= engine.evaluate(list(missing.values()), view, at, memberships)
        members = fold(item.rule, known, universe)
        memberships[name] = members
        outcomes[name] = Outcome(members, time.perf_counter() - began)
    return outcomes
