"""One plan for many audiences: distinct conditions are evaluated once, rules are algebra on their bitmaps."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter

from pyroaring import BitMap

from coterie.audience.definition import Audience, Withheld
from coterie.audience.gate import Gate, gate_of
from coterie.core.errors import CoterieError, Invalid
from coterie.core.schema import Union
from coterie.engine.algebra import fold
from coterie.engine.protocol import Engine
from coterie.pql import expansion, parse
from coterie.pql.analysis import analyse_condition, audiences_read
from coterie.pql.conditions import Condition, Membership, Rule, conditions_of
from coterie.pql.normal import normalise


@dataclass(frozen=True)
class Planned:
    """An audience with its rule in normal form, the names of the audiences it reads, and its gate."""

    audience: Audience
    rule: Rule
    reads: frozenset[str]
    gate: Gate

    @property
    def conditions(self) -> list[Condition]:
        """The distinct conditions of the rule, then those of the gate."""
        return list({each.key: each for each in (*conditions_of(self.rule), *self.gate.conditions)}.values())


@dataclass(frozen=True)
class Outcome:
    """Members of an audience, those withheld, and its share of the time: of the conditions it is the first to need."""

    members: BitMap
    withheld: Withheld
    seconds: float


def plan(audience: Audience, union: Union) -> Planned:
    """Bring rule and gate of an audience into normal form; raises `PqlError` or `Unsupported` naming the audience."""
    try:
        expr = parse(audience.pql)
        rule = normalise(expr, union, audience.zone)
        return Planned(audience, rule, frozenset(audiences_read(expr)), gate_of(audience, union))
    except CoterieError as error:
        error.where.setdefault("audience", audience.name)
        raise


def computed(audience: Audience, union: Union) -> list[str]:
    """Return the computed attributes that a rule reads, directly or through others."""
    return expansion.closure(_attributes(audience.pql), union.computed) if union.computed else []


@lru_cache(maxsize=16_384)
def _attributes(pql: str) -> frozenset[str]:
    return expansion.reads(parse(pql))


def reads(audience: Audience) -> frozenset[str]:
    """Return the names of the audiences that a rule reads."""
    return _named(audience.pql)


@lru_cache(maxsize=16_384)
def _named(pql: str) -> frozenset[str]:
    return frozenset(audiences_read(parse(pql)))


def require_view(view: str, names: Iterable[str], known: Mapping[str, Audience]) -> None:
    """Raise ``audience.other-view`` for an audience of another view: persons are numbered anew in every view."""
    for name in sorted(names):
        if name in known and known[name].view != view:
            raise Invalid(
                "audience.other-view",
                f"audience {name} is of the view {known[name].view}, not of {view}.",
                hint="Audiences can be read and compared in the view they are evaluated in.",
                where={"audience": name, "view": known[name].view},
            )


def closure(names: Iterable[str], known: Mapping[str, Audience]) -> list[str]:
    """Return audiences and all that they read, directly or through others, sorted."""
    chosen: set[str] = set()
    wanted = list(names)
    while wanted:
        name = wanted.pop()
        if name not in chosen:
            chosen.add(name)
            wanted.extend(reads(known[name]) & known.keys())
    return sorted(chosen)


def in_order(read: Mapping[str, frozenset[str]]) -> list[str]:
    """Return audiences so that each comes after those it reads; raises ``pql.cycle``."""
    return [name for level in levels(read) for name in level]


def levels(read: Mapping[str, frozenset[str]]) -> list[list[str]]:
    """Return audiences in levels, each of which reads those before it only; raises ``pql.cycle``."""
    sorter = TopologicalSorter({name: sorted(names & read.keys()) for name, names in read.items()})
    try:
        sorter.prepare()
    except CycleError as error:
        path = " → ".join(reversed(error.args[1]))
        raise Invalid(
            "pql.cycle",
            f"audiences depend on themselves: {path}.",
            hint="Break the circle by writing out one of the rules.",
            where={"audience": error.args[1][0]},
        ) from error
    found: list[list[str]] = []
    while sorter.is_active():
        ready = sorter.get_ready()
        found.append(list(ready))
        sorter.done(*ready)
    return found


def evaluate(
    planned: Sequence[Planned],
    engine: Engine,
    view: str,
    at: int,
    universe: BitMap,
    stored: Mapping[str, BitMap],
) -> dict[str, Outcome]:
    """Evaluate audiences of one view at one instant; see `evaluated`, whose outcomes these are by name."""
    return dict(evaluated(planned, engine, view, at, universe, stored))


def evaluated(
    planned: Sequence[Planned],
    engine: Engine,
    view: str,
    at: int,
    universe: BitMap,
    stored: Mapping[str, BitMap],
) -> Iterator[tuple[str, Outcome]]:
    """Evaluate audiences of one view at one instant, each after those it reads.

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

    Yields
    ------
    tuple of str and Outcome
        Name and outcome. Each distinct condition is evaluated once. What reads no membership is one call of the
        engine; of the rest, each level of audiences that read one another is another. What is done with the outcomes
        of a level, such as storing them, is seen by the conditions of the next one.
    """
    by_name = {item.audience.name: item for item in planned}
    order = levels({name: item.reads for name, item in by_name.items()})
    answers = Answers(engine, view, at, dict(stored))
    conditions = [condition for item in planned for condition in item.conditions]
    answers.ask(condition for condition in conditions if not analyse_condition(condition).reads_memberships)
    for level in order:
        answers.ask(condition for name in level for condition in by_name[name].conditions)
        for name in level:
            began = time.perf_counter()
            item = by_name[name]
            members, withheld = item.gate.withhold(fold(item.rule, answers.known, universe), answers.known)
            answers.memberships[name] = members
            shares = sum(answers.charge(condition) for condition in item.conditions)
            yield name, Outcome(members, withheld, time.perf_counter() - began + shares)


class Answers:
    """The conditions asked in one evaluation, each once, with the time that each took.

    Parameters
    ----------
    engine, view, at
        Who is asked, of which view, at which instant.
    memberships : dict of str to BitMap
        Members of audiences, by name; grows while audiences are evaluated.
    """

    def __init__(self, engine: Engine, view: str, at: int, memberships: dict[str, BitMap]) -> None:
        self.known: dict[str, BitMap] = {}
        self.memberships = memberships
        self._engine, self._view, self._at = engine, view, at
        self._seconds: dict[str, float] = {}

    def ask(self, conditions: Iterable[Condition]) -> None:
        """Let the engine answer those conditions that are not known yet, in one call."""
        missing = {condition.key: condition for condition in conditions if condition.key not in self.known}
        for key, condition in list(missing.items()):
            match condition.shape:
                case Membership(audience) if audience in self.memberships:
                    self.known[key] = self.memberships[audience]
                    del missing[key]
                case _:
                    pass  # a membership of no known audience is for the engine to refuse
        if not missing:
            return
        began = time.perf_counter()
        self.known |= self._engine.evaluate(list(missing.values()), self._view, self._at, self.memberships)
        share = (time.perf_counter() - began) / len(missing)
        self._seconds |= dict.fromkeys(missing, share)

    def charge(self, condition: Condition) -> float:
        """Return the seconds of a condition to the first who asks, 0 to others."""
        return self._seconds.pop(condition.key, 0.0)
