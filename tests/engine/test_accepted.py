"""What the checker accepts the engine answers: every rule of the case files, and values of every kind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from coterie.engine.sql import SqlEngine
from coterie.pql import check
from coterie.pql.conditions import Membership, conditions_of
from coterie.pql.interpreter import holds
from coterie.pql.normal import normalise
from coterie.testing.sample import SAMPLE

from .oracle import NOW
from .values import PROFILES, VALUES
from .world import World

CASES = Path(__file__).parents[1] / "cases"


def accepted() -> dict[str, str]:
    """Return the rules of all case files that have no problem, by their ids."""
    found = {}
    for path in sorted(CASES.glob("*.jsonl")):
        for row in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
            if "pql" in row and check(row["pql"], SAMPLE).ok:
                found[row.get("id", row["pql"])] = row["pql"]
    return found


def test_no_rule_that_is_accepted_is_refused():
    engine = SqlEngine(World(SAMPLE, [], NOW).con, SAMPLE)
    rules = accepted()
    assert len(rules) > 800
    for name, pql in rules.items():
        for condition in conditions_of(normalise(check(pql, SAMPLE).require(), SAMPLE)):
            if not isinstance(condition.shape, Membership):
                assert engine.explain(condition, "default", NOW), name


@pytest.fixture(scope="module")
def world():
    return World(SAMPLE, PROFILES, NOW)


@pytest.mark.parametrize("pql", VALUES)
def test_values_are_those_of_the_interpreter(world, pql):
    expr = check(pql, SAMPLE).require()
    expected = [profile["id"] for profile in PROFILES if holds(expr, profile, NOW, SAMPLE)]
    assert world.members(pql) == expected
