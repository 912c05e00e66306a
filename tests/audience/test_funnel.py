"""Funnels are set algebra in the order of the rule."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroaring import BitMap

from coterie.audience import funnel, plan
from coterie.engine.algebra import fold
from coterie.pql import parse
from coterie.pql.conditions import conditions_of
from coterie.pql.normal import normalise
from coterie.testing.sample import SAMPLE

from .asked import Asked

PEOPLE = range(12)


@dataclass(frozen=True)
class Group:
    """A written operand and for whom it is true, worked out person by person."""

    text: str
    holds: frozenset[int]


def leaf(number: int) -> st.SearchStrategy[Group]:
    return st.frozensets(st.sampled_from(PEOPLE)).map(lambda people: Group(f"loyalty.points = {number}", people))


def joined(op: str, groups: list[Group]) -> Group:
    every = all if op == "and" else any
    holds = frozenset(person for person in PEOPLE if every(person in group.holds for group in groups))
    return Group("(" + f" {op} ".join(group.text for group in groups) + ")", holds)


def negated(group: Group) -> Group:
    return Group(f"not ({group.text})", frozenset(PEOPLE) - group.holds)


@st.composite
def rules(draw: st.DrawFn) -> tuple[str, list[Group], dict[str, BitMap]]:
    """Draw an outermost operator, its operands (the nested ones of the other operator), and the people of each leaf."""
    op = draw(st.sampled_from(["and", "or"]))
    leaves = [draw(leaf(number)) for number in range(draw(st.integers(1, 7)))]
    operands, place = [], 0
    while place < len(leaves):
        take = draw(st.integers(1, 3))
        chosen = leaves[place : place + take]
        place += take
        group = chosen[0] if len(chosen) == 1 else joined("or" if op == "and" else "and", chosen)
        operands.append(negated(group) if draw(st.booleans()) else group)
    return op, operands, {item.text: BitMap(item.holds) for item in leaves}


def funnel_of(text: str, answers: dict[str, BitMap]):
    universe = BitMap(PEOPLE)
    op, parts = funnel.divide(text, parse(text))
    found = [normalise(part.expr, SAMPLE) for part in parts]
    engine = Asked(answers, universe)
    asked = plan.Answers(engine, "default", 0, {})
    asked.ask(condition for rule in found for condition in conditions_of(rule))
    assert len(engine.calls) <= 1
    sets = [fold(rule, asked.known, universe) for rule in found]
    texts = [part.text for part in parts]
    count = len(funnel.together(op, sets, universe))
    return op, count, (funnel.steps if op == "and" else funnel.branches)(texts, sets, universe)


@given(rules())
def test_numbers_are_those_of_going_person_by_person(drawn):
    op, operands, answers = drawn
    text = f" {op} ".join(group.text for group in operands)
    if len(operands) == 1:
        return
    found_op, count, lines = funnel_of(text, answers)
    assert found_op == op
    assert [line.text for line in lines] == [
        group.text.removeprefix("(").removesuffix(")") if group.text.startswith("(") else group.text
        for group in operands
    ]
    whole = joined(op, operands).holds
    assert count == len(whole)
    rule = normalise(parse(text), SAMPLE)
    known = {condition.key: answers[condition.text] for condition in conditions_of(rule)}
    assert len(fold(rule, known, BitMap(PEOPLE))) == count
    for place, line in enumerate(lines):
        upto = joined(op, operands[: place + 1]).holds
        before = joined(op, operands[:place]).holds
        others = joined(op, operands[:place] + operands[place + 1 :]).holds
        assert line.alone == len(operands[place].holds)
        assert line.of_all == len(upto) / len(PEOPLE)
        if op == "and":
            assert line.left == len(upto)
            assert line.of_previous == (len(upto) / len(before) if before else 0)
            assert line.withheld == len(others) - len(whole)
        else:
            assert line.adds == len(upto) - len(before)
            assert line.together == len(upto)
            assert line.only == len(whole) - len(others)


@pytest.mark.parametrize(
    ("text", "op", "parts"),
    [
        ('loyalty.tier = "a"', "and", ['loyalty.tier = "a"']),
        ("(loyalty.points = 1 and (loyalty.points = 2)) and not(loyalty.points = 3)", "and",
         ["loyalty.points = 1", "loyalty.points = 2", "not(loyalty.points = 3)"]),
        ("loyalty.points = 1 or loyalty.points = 2 and loyalty.points = 3", "or",
         ["loyalty.points = 1", "loyalty.points = 2 and loyalty.points = 3"]),
        ("(P) => P.loyalty.points = 1 and P.loyalty.points = 2", "and",
         ["P.loyalty.points = 1", "P.loyalty.points = 2"]),
        ("let N = loyalty.points in (N > 1 and N < 9)", "and", ["N > 1", "N < 9"]),
        ('loyalty.tier\n  = "two  words"', "and", ['loyalty.tier = "two  words"']),
    ],
)  # fmt: skip
def test_a_rule_is_divided_as_it_is_written(text, op, parts):
    found, divided = funnel.divide(text, parse(text))
    assert found == op
    assert [part.text for part in divided] == parts
    for part in divided:
        normalise(part.expr, SAMPLE)  # each is a rule of its own
