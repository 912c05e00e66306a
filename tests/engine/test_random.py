"""Random histories and random rules against the oracle: exact ties, equal instants, nulls, several identities."""

from __future__ import annotations

from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from coterie.testing.sample import SAMPLE

from .oracle import NOW, PEOPLE, RULES
from .world import World


@settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(PEOPLE, st.lists(RULES, min_size=1, max_size=6))
def test_members_are_those_of_the_oracle(people, rules):
    world = World(SAMPLE, people, NOW)
    for text, holds in rules:
        note(text)
        assert world.members(text) == [person["id"] for person in people if holds(person)], text
