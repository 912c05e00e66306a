"""The random rules themselves: well-typed, of every construct, and the same after each round trip."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coterie.core.schema import FieldType
from coterie.pql import ast
from coterie.pql.functions import ALL
from coterie.pql.tree import walk
from coterie.pql.words import UNITS

from .constructs import constructs
from .roundtrips import accepted, stable
from .rules import Rules, rules
from .worlds import world

WORLDS = 60


@pytest.fixture(scope="module")
def made():
    """Give (world, rule) pairs."""
    found = []
    for seed in range(WORLDS):
        random = Random(seed)
        place = world(random, people=4)
        found += [(place, rule) for rule in rules(place, random, 120)]
    return found


def test_the_checker_accepts_every_rule_and_each_has_one_text_and_one_json(made):
    for place, rule in made:
        assert not accepted(rule, place)
        stable(rule)


def test_every_construct_is_made(made):
    seen = Counter(construct for _, rule in made for node in walk(rule) for construct in constructs(node))
    kinds = [*get_args(ast.Expr), *get_args(ast.Tail), ast.TimeWord, ast.RelativeUnit, ast.Declaration, ast.Element]
    wanted = {kind.__name__ for kind in kinds} | {f"{function.name}()" for function in ALL}
    wanted |= {f"op {op}" for op in get_args(ast.BinaryOp)} | {"op not", "op neg"}
    wanted |= {f"{quantifier} of {count}" for quantifier in ("select", "exists", "forall") for count in (1, 2, 3)}
    wanted |= {f"prefix {name}" for name in ("sum", "average", "min", "max")} | {"prefix short"}
    wanted |= {
        f"{op} {direction}" for op in ("=", "!=", "<", "<=", ">", ">=") for direction in ("before", "after", "from")
    }
    wanted |= {f"unit {unit}" for unit in UNITS.values()} | {"element exclude", "element what"}
    wanted |= {"element COUNT", "element WHEN", "element WHERE", "element two tails", "time of a label"}
    missing = wanted - seen.keys()
    assert not missing, f"never made: {sorted(missing)}"


def test_every_type_is_in_every_schema():
    for seed in range(10):
        union = world(Random(seed), people=1).union
        for root in (union.profile, union.event):
            kinds = {field.type for field in root.properties.values()}
            assert kinds >= set(FieldType) - {FieldType.STRING}


@settings(max_examples=60)
@given(st.randoms(use_true_random=False))
def test_round_trips_of_rules_that_hypothesis_steers(random):
    place = world(random, people=2)
    rule = Rules(place, random).rule(3)
    assert not accepted(rule, place)
    stable(rule)
