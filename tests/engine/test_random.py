"""Random histories and random rules against the oracle: exact ties, equal instants, nulls, several identities."""

from __future__ import annotations

from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from coterie.testing.sample import SAMPLE

from .oracle import NOW, PEOPLE, RULES
from .world import World

A, B, C = ('loyalty.tier = "gold"', "loyalty.points >= 5", "favoriteColors")


@settings(max_examples=30)
@given(PEOPLE)
def test_and_binds_what_it_joins(people):
    """The smallest rules on which missing parentheses show, on attributes and inside the filter of events."""

    def holds(person):
        gold, points = person["loyalty"].get("tier") == "gold", person["loyalty"].get("points", 0) >= 5
        return gold and (points or bool(person.get("favoriteColors")))

    world = World(SAMPLE, [person | {"events": [{"_id": "e", "timestamp": NOW}]} for person in people], NOW)
    expected = [person["id"] for person in people if holds(person)]
    assert world.members(f"{A} and ({B} or {C})") == expected
    assert world.members(f"(if({A} and ({B} or {C}), 1, 0)) = 1") == expected
    assert world.members(f"not (not {A} or not {B} and not {C})") == expected


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(PEOPLE, st.lists(RULES, min_size=1, max_size=6))
def test_members_are_those_of_the_oracle(people, rules):
    world = World(SAMPLE, people, NOW)
    for text, holds in rules:
        note(text)
        assert world.members(text) == [person["id"] for person in people if holds(person)], text
