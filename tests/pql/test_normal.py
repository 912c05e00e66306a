"""Any tree at all is normalised or refused with a code; nothing grows without limit."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings

from coterie.core.errors import CoterieError, Unsupported
from coterie.pql import parse
from coterie.pql.conditions import Condition, conditions_of
from coterie.pql.normal import normalise
from coterie.testing.sample import SAMPLE

from .trees import trees


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=300)
@given(trees)
def test_a_tree_has_conditions_or_a_coded_error(tree):
    found: list[Condition] = []
    with suppress(CoterieError):
        found = conditions_of(normalise(tree, SAMPLE))
    assert len({condition.key for condition in found}) == len(found)
    assert all(condition.shape is not None for condition in found)


def lets(depth: int) -> str:
    steps = " ".join(f"let v{n} = (v{n - 1} + v{n - 1}) in" for n in range(1, depth))
    return f"let v0 = loyalty.points in {steps} v{depth - 1} > 0"


def ifs(depth: int) -> str:
    text = 'loyalty.tier = "a"'
    for n in range(depth):
        text = f"if({text}, loyalty.points > {n}, loyalty.points < {n})"
    return text


def test_values_that_would_double_at_every_level_are_refused():
    began = time.perf_counter()
    with pytest.raises(Unsupported):
        normalise(parse(lets(40)), SAMPLE)
    assert time.perf_counter() - began < 20


def test_choices_do_not_double_at_every_level():
    began = time.perf_counter()
    found = conditions_of(normalise(parse(ifs(40)), SAMPLE))
    assert sum(len(condition.text) for condition in found) < 50_000
    assert time.perf_counter() - began < 20


@pytest.mark.parametrize(
    "text",
    [
        " + ".join(["loyalty.points"] * 120) + " > 0",
        "(" * 50 + "loyalty.points" + ")" * 50 + " > 0",
        "not " * 50 + "loyalty.points > 0",
    ],
)
def test_deep_trees_are_normalised(text):
    assert len(conditions_of(normalise(parse(text), SAMPLE))) == 1


def test_long_rules_take_little_time():
    text = " or ".join(f'(loyalty.tier = "t{n}" and xEvent[eventType = "e{n % 50}"].count() >= 2)' for n in range(1000))
    began = time.perf_counter()
    assert len(conditions_of(normalise(parse(text), SAMPLE))) == 1050
    assert time.perf_counter() - began < 30
