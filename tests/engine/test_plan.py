"""Many conditions at once give what each gives alone, in few statements."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyroaring import BitMap

from coterie.core.errors import Invalid
from coterie.engine.sql import SqlEngine
from coterie.engine.sql.groups import AGGREGATES
from coterie.engine.sql.plan import PREDICATES, plan
from coterie.engine.sql.statements import Statements
from coterie.pql import parse
from coterie.pql.conditions import conditions_of
from coterie.pql.normal import normalise
from coterie.testing.sample import SAMPLE

from .oracle import NOW, PEOPLE, RULES
from .world import World

FILTERS = ["", 'eventType = "buy"', 'eventType = "view" and search.query.contains("red", false)']
TIMES = [
    "",
    "timestamp occurs <= 7 days before now",
    "timestamp occurs <= 30 days before now",
    "timestamp occurs > 30 days before now",
    "timestamp occurs today",
    "timestamp occurs <= 30 days before now and timestamp occurs > 7 days before now",
]
VALUES = [
    "count() >= 1",
    "count() >= 2",
    "count() = 0",
    "count() < 2",
    "count() != 1",
    "sum(commerce.order.priceTotal) >= 0.3",
    "sum(commerce.order.priceTotal) <= 0",
    "sum(commerce.order.priceTotal) > -1",
    "average(commerce.order.priceTotal) >= 0.15",
    "min(commerce.order.priceTotal) < 1",
    "max(commerce.order.priceTotal) = 0.3",
    "max(timestamp) >= now",
    "map(eventType).distinct().count() >= 2",
]


def events(filter_: str, time: str) -> str:
    both = " and ".join(part for part in (filter_, time) if part)
    return f"xEvent[{both}]" if both else "xEvent"


AGGREGATED = st.builds(
    lambda filter_, time, value: f"{events(filter_, time)}.{value}",
    st.sampled_from(FILTERS),
    st.sampled_from(TIMES),
    st.sampled_from(VALUES),
)


def conditions(*rules: str):
    found = (condition for rule in rules for condition in conditions_of(normalise(parse(rule), SAMPLE)))
    return list({condition.key: condition for condition in found}.values())


def planned(*rules: str):
    return plan(Statements(SAMPLE, "default", NOW), conditions(*rules))


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(PEOPLE, st.lists(AGGREGATED, min_size=2, max_size=8), st.lists(RULES, max_size=2), st.data())
def test_together_is_one_by_one(people, aggregated, rules, data):
    world = World(SAMPLE, people, NOW)
    asked = conditions(*aggregated, *(text for text, _ in rules))
    some = data.draw(st.none() | st.sets(st.sampled_from(sorted(world.names))).map(BitMap))
    engine = SqlEngine(world.con, SAMPLE)
    together = engine.evaluate(asked, "default", NOW, world.memberships, some)
    for condition in asked:
        alone = engine.evaluate([condition], "default", NOW, world.memberships, some)
        assert together[condition.key] == alone[condition.key], condition.text


def test_windows_and_thresholds_of_one_filter_are_one_query():
    rules = [f'xEvent[eventType = "buy" and {time}].count() >= {n}' for time in TIMES[1:] for n in (1, 2, 3)]
    found = planned(*rules)
    assert len(found.passes) == 1
    assert not found.singles
    assert found.passes[0].sql.count("event_of_default") == 1
    assert sum(len(group) for group in found.passes[0].answers) == len(conditions(*rules))


def test_filters_are_united_so_that_persons_are_joined_once():
    found = planned(*(f'xEvent[search.query = "{query}"].count() >= {n}' for n, query in enumerate("abcdefgh", 2)))
    (together,) = found.passes
    assert together.sql.count("event_of_default") == 8
    assert together.sql.count("person_of_default") == 1


def test_predicates_on_profiles_are_columns_of_one_query():
    found = planned(*(f"loyalty.points >= {n}" for n in range(PREDICATES)))
    (together,) = found.passes
    assert together.sql.count("profile_default") == 1


def test_aggregates_side_by_side_are_limited():
    rules = [f"xEvent[timestamp occurs <= {days} days before now].count() >= 2" for days in range(1, 3 * AGGREGATES)]
    found = planned(*rules)
    assert [sum(len(group) for group in each.answers) for each in found.passes] == [2 * AGGREGATES, AGGREGATES - 1]


def test_a_condition_alone_has_a_statement_of_its_own():
    found = planned('xEvent[eventType = "buy"].count() >= 3')
    assert not found.passes
    assert len(found.singles) == 1


def test_identities_and_kinds_of_sums_are_not_mixed():
    found = planned(
        "xEvent.sum(commerce.order.priceTotal) > 1",
        'xEvent[eventType = "buy"].max(timestamp) >= now',
        'identityMap.get("Email").exists(id = "a")',
        "loyalty.points > 3",
        "favoriteColors.count() > 1",
    )
    assert sorted(len(each.answers[0]) for each in found.passes) == [2]
    assert len(found.singles) == 3


def test_what_cannot_be_answered_is_refused_before_anything_runs():
    with pytest.raises(Invalid) as caught:
        planned("loyalty.points > 3", "xEvent.count() > 3", "xEvent.sum(eventType) > 1")
    assert caught.value.code == "pql.type"
