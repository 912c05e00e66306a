"""Random rules about random worlds mean the same to the engine and, in both forms they have, to the interpreter.

`bench/agreement.py` asks many more; each disagreement it found is a case in ``tests/cases/disagreements.jsonl``.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from coterie import testing
from coterie.pql import to_text

from .agreement import asked
from .rules import Rules, rules
from .worlds import world

PEOPLE, RULES = 12, 50
CASES = Path(__file__).parents[1] / "cases"


def rows(name):
    """Return the rows of a case file."""
    lines = (CASES / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line, parse_float=Decimal) for line in lines]


ROWS, OPEN = rows("disagreements"), rows("open-disagreements")


@pytest.mark.parametrize("seed", range(6))
def test_the_engine_and_the_interpreter_agree(seed):
    random = Random(seed)
    place = world(random, PEOPLE)
    telling = 0
    with asked(place) as group:
        for rule in rules(place, random, RULES):
            answer = group.answer(rule)
            assert not answer.refused, answer.text
            assert answer.sql == answer.surface == answer.core, answer.text
            telling += 0 < len(answer.surface) < PEOPLE
    assert telling >= RULES / 4


@pytest.fixture(scope="module")
def taken_in():
    """Give a world, and what rules can be asked of."""
    place = world(Random(2026), PEOPLE)
    with asked(place) as group:
        yield place, group


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(random=st.randoms(use_true_random=False))
def test_they_agree_on_rules_that_hypothesis_steers(random, taken_in):
    place, group = taken_in
    rule = Rules(place, random).rule(3)
    note(to_text(rule))
    answer = group.answer(rule)
    assert answer.agreed
    assert not answer.refused


@pytest.fixture(scope="module")
def group_of():
    """Give a function: the profiles of a case, taken in once for all cases that have the same."""
    groups = {}
    with ExitStack() as opened:

        def group(row):
            key = json.dumps([row.get(name) for name in ("schema", "profiles", "now")], default=str)
            if key not in groups:
                schema = testing.schema(*row["schema"]) if "schema" in row else testing.SAMPLE
                groups[key] = opened.enter_context(testing.people(row["profiles"], row["now"], schema))
            return groups[key]

        yield group


@pytest.mark.parametrize("row", ROWS, ids=[row["id"] for row in ROWS])
def test_what_was_once_answered_in_two_ways(row, group_of):
    for engine in ("interpreter", "sql"):
        assert group_of(row).members(row["pql"], engine) == set(row["expect"]), row["why"]


@pytest.mark.parametrize("row", OPEN, ids=[row["id"] for row in OPEN])
@pytest.mark.xfail(reason="the engine answers otherwise; when it does no more, the row moves to disagreements.jsonl")
def test_what_is_still_answered_in_two_ways(row, group_of):
    assert group_of(row).members(row["pql"], "interpreter") == set(row["expect"])
    assert group_of(row).members(row["pql"], "sql") == set(row["expect"])
