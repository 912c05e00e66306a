"""The published meaning of the language on Spark: all cases of an instant over one history, in few queries."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
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

from ..world import CASES, World, read_cases

EVERY = 4
"""Of the further cases, every fourth is run; which ones follows from their names alone. All hold, in a few minutes."""


def read_more():
    lines = CASES.with_name("more-semantics.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line, parse_float=Decimal) for line in lines]
    rows.sort(key=lambda row: row["id"])
    return {row["id"]: row for place, row in enumerate(rows) if place % EVERY == 0 or row["id"] in REFUSED}


REFUSED = {"more-921": "a pattern that is a field", "more-922": "a pattern that is a field"}
"""Cases that Spark cannot answer. A gap that closes breaks the test until its line goes."""
ALL = read_cases() | read_more()
ROWS = {case: row for case, row in ALL.items() if case not in REFUSED}


@dataclass(frozen=True)
class Asked:
    """Cases of one instant, their profiles in one history, and what Spark says of each."""

    history: World
    engine: SparkEngine
    rules: dict[str, Rule]

    def members(self, cases, people=None):
        """Return the members of each case, in as few queries as can be."""
        wanted = {condition.key: condition for case in cases for condition in conditions_of(self.rules[case])}
        memberships = self.history.memberships
        bitmaps = self.engine.evaluate(list(wanted.values()), "default", self.history.at, memberships, people)
        universe = BitMap(self.history.names) if people is None else people
        return {case: self._of(case, fold(self.rules[case], bitmaps, universe)) for case in cases}

    def _of(self, case, people):
        return sorted(id_ for of, id_ in map(self._split, people) if of == case)

    def _split(self, person):
        return self.history.names[person].split(" ")

    def expected(self, case, people):
        return sorted({id_ for of, id_ in map(self._split, people) if of == case} & set(ROWS[case]["expect"]))


@pytest.fixture(scope="module")
def asked(spark, tmp_path_factory):
    together = defaultdict(list)
    for case, row in ROWS.items():
        together[row["now"]].append(case)
    found = []
    for place, (now, cases) in enumerate(together.items()):
        profiles = [
            {**profile, "id": f"{case} {profile['id']}"} for case in cases for profile in ROWS[case]["profiles"]
        ]
        world = World(SAMPLE, profiles, parse_instant(now))
        session = lend(world.con, spark, tmp_path_factory.mktemp(f"history{place}"))
        rules = {case: normalise(parse(ROWS[case]["pql"]), SAMPLE) for case in cases}
        found.append(Asked(world, SparkEngine(session, SAMPLE), rules))
    return found


def test_members_are_those_of_the_cases(asked):
    wrong = {}
    for some in asked:
        for case, members in some.members(list(some.rules)).items():
            if members != sorted(ROWS[case]["expect"]):
                wrong[case] = (members, sorted(ROWS[case]["expect"]))
    assert wrong == {}


def test_asked_of_some_people_only_they_are_members(asked):
    most = max(asked, key=lambda some: len(some.rules))
    people = BitMap(sorted(most.history.names)[::2])
    cases = sorted(most.rules)[::12]
    assert most.members(cases, people) == {case: most.expected(case, people) for case in cases}


def test_a_pattern_that_spark_cannot_match_in_time_is_refused_where_it_stands(asked):
    rule = normalise(parse('person.gender = "x" and person.gender matches "(a+)+$"'), SAMPLE)
    with pytest.raises(Unsupported, match="so many ways to match") as refused:
        asked[0].engine.check(conditions_of(rule), "default", 0)
    assert refused.value.code == "engine.unsupported"
    assert refused.value.where["end"] > refused.value.where["start"] > 0


@pytest.mark.parametrize("case", sorted(REFUSED))
def test_what_spark_lacks_is_refused_by_name(asked, case):
    rule = normalise(parse(ALL[case]["pql"]), SAMPLE)
    with pytest.raises(Unsupported, match="no literal") as refused:
        asked[0].engine.check(conditions_of(rule), "default", 0)
    assert refused.value.code == "engine.unsupported"
