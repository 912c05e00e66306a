"""The published meaning of the language on Spark: all cases of an instant over one history, in few queries."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal

import pytest
from pyroaring import BitMap

from coterie.core.clock import parse_instant
from coterie.core.errors import Unsupported
from coterie.engine.algebra import fold
from coterie.engine.sql.spark.engine import SparkEngine
from coterie.engine.sql.spark.tables import lend
from coterie.pql import parse
from coterie.pql.conditions import Rule, conditions_of
from coterie.pql.normal import normalise
from coterie.testing.sample import SAMPLE

from ..test_semantics import UNSUPPORTED
from ..world import CASES, World, read_cases

EVERY = 4
"""Of the further cases, every fourth is run; which ones follows from their names alone."""


def read_more():
    lines = CASES.with_name("more-semantics.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line, parse_float=Decimal) for line in lines]
    return {row["id"]: row for place, row in enumerate(sorted(rows, key=lambda row: row["id"])) if place % EVERY == 0}


ROWS = read_cases() | read_more()


@dataclass
class Found:
    """What Spark says of cases of one instant: their members, or the error that refuses one."""

    history: World
    engine: SparkEngine
    rules: dict[str, Rule] = field(default_factory=dict)
    answers: dict[str, list[str] | Unsupported] = field(default_factory=dict)

    def ask(self, cases):
        conditions = {}
        for case in cases:
            try:
                rule = normalise(parse(ROWS[case]["pql"]), SAMPLE)
                self.engine.check(conditions_of(rule), "default", self.history.at)
            except Unsupported as error:
                self.answers[case] = error
                continue
            self.rules[case] = rule
            conditions |= {condition.key: condition for condition in conditions_of(rule)}
        bitmaps = self.engine.evaluate(list(conditions.values()), "default", self.history.at, self.history.memberships)
        universe = BitMap(self.history.names)
        for case, rule in self.rules.items():
            names = [self.history.names[person].split(" ") for person in fold(rule, bitmaps, universe)]
            self.answers[case] = sorted(id_ for of, id_ in names if of == case)


@pytest.fixture(scope="module")
def found(spark, tmp_path_factory):
    """Return what Spark says of all cases, by the instant at which they are asked."""
    together = defaultdict(list)
    for case, row in ROWS.items():
        together[row["now"]].append(case)
    all_found = {}
    for place, (now, cases) in enumerate(together.items()):
        profiles = [
            {**profile, "id": f"{case} {profile['id']}"} for case in cases for profile in ROWS[case]["profiles"]
        ]
        world = World(SAMPLE, profiles, parse_instant(now))
        session = lend(world.con, spark, tmp_path_factory.mktemp(f"history{place}"))
        all_found[now] = Found(world, SparkEngine(session, SAMPLE))
        all_found[now].ask(cases)
    return all_found


def answer(found, case):
    return found[ROWS[case]["now"]].answers[case]


@pytest.mark.parametrize("case", sorted(ROWS.keys() - UNSUPPORTED.keys()))
def test_members_are_those_of_the_case(found, case):
    members = answer(found, case)
    if isinstance(members, Unsupported):
        raise members
    assert members == sorted(ROWS[case]["expect"])


def test_asked_of_some_people_only_they_are_members(found):
    all_of = max(found.values(), key=lambda each: len(each.rules))
    history = all_of.history
    some = BitMap(sorted(history.names)[::2])
    asked = sorted(all_of.rules)[::9]
    conditions = {condition.key: condition for case in asked for condition in conditions_of(all_of.rules[case])}
    bitmaps = all_of.engine.evaluate(list(conditions.values()), "default", history.at, history.memberships, some)
    for case in asked:
        wanted = {f"{case} {id_}" for id_ in ROWS[case]["expect"]} & {history.names[person] for person in some}
        members = {history.names[person] for person in fold(all_of.rules[case], bitmaps, some)}
        assert {name for name in members if name.startswith(f"{case} ")} == wanted


@pytest.mark.parametrize("case", sorted(UNSUPPORTED))
def test_what_the_compiler_lacks_is_refused_by_name(found, case):
    refused = answer(found, case)
    assert isinstance(refused, Unsupported)
    assert refused.code == "engine.unsupported"
