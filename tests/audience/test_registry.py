"""What is known is not asked again; what may have changed is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroaring import BitMap

from coterie.audience import plan
from coterie.audience.definition import Audience
from coterie.audience.registry import Place, Registry, Remembering
from coterie.pql import parse
from coterie.pql.conditions import Condition, conditions_of
from coterie.pql.normal import normalise
from coterie.testing.sample import SAMPLE

from .asked import Asked

UNIVERSE = BitMap(range(10))
GOLD, LYON = 'loyalty.tier = "gold"', 'homeAddress.city = "Lyon"'
RECENT = 'xEvent[eventType = "purchase" and timestamp occurs <= 30 days before now].count() >= 1'
ANSWERS = {GOLD: BitMap([1, 2, 3]), LYON: BitMap([2, 3, 4])}


@pytest.fixture
def asked():
    return Asked(ANSWERS, UNIVERSE)


def members(engine, rules, at=0, stored=None, view="default"):
    planned = [plan.plan(Audience(name, pql, view=view), SAMPLE) for name, pql in rules.items()]
    found = plan.evaluate(planned, engine, view, at, UNIVERSE, stored or {})
    return {name: sorted(outcome.members) for name, outcome in found.items()}


def conditions(pql):
    return conditions_of(normalise(parse(pql), SAMPLE))


def test_changing_one_condition_asks_for_that_condition_only(asked):
    registry = Registry()
    assert members(Remembering(asked, registry, 7), {"a": f"{GOLD} and {LYON}"}) == {"a": [2, 3]}
    assert members(Remembering(asked, registry, 7), {"a": f"{GOLD} and not ({LYON})"}) == {"a": [1]}
    assert members(Remembering(asked, registry, 7), {"a": f"{GOLD} and loyalty.points > 3"}) == {"a": []}
    assert [sorted(call) for call in asked.calls] == [sorted([LYON, GOLD]), ["loyalty.points > 3"]]


def test_conditions_without_the_present_instant_stay_true_at_others(asked):
    registry = Registry()
    for at in (1, 2, 1):
        members(Remembering(asked, registry, 7), {"a": f"{GOLD} and {RECENT}"}, at=at)
    assert [len(call) for call in asked.calls] == [2, 1]
    assert "timestamp" in asked.calls[1][0]


def test_new_data_another_view_and_memberships_are_asked_anew(asked):
    registry = Registry()
    members(Remembering(asked, registry, 7), {"a": GOLD})
    members(Remembering(asked, registry, 8), {"a": GOLD})
    members(Remembering(asked, registry, 8), {"a": GOLD}, view="unstitched")
    assert asked.calls == [[GOLD]] * 3
    assert len(registry) == 2  # what was known of older data is forgotten
    for stored in (BitMap([1]), BitMap([2])):
        found = members(Remembering(asked, registry, 8), {"a": 'inSegment("x")'}, stored={"x": stored})
        assert found == {"a": sorted(stored)}
    assert len(registry) == 2


def test_an_evaluation_calls_the_engine_once_for_all_that_reads_no_membership(asked):
    rules = {
        "a": GOLD,
        "b": f'inSegment("a") and {LYON}',
        "c": f'not (inSegment("b")) and {LYON}',
        "d": f'inSegment("stored") or {GOLD}',
    }
    found = members(asked, rules, stored={"stored": BitMap([9])})
    assert found == {"a": [1, 2, 3], "b": [2, 3], "c": [4], "d": [1, 2, 3, 9]}
    assert len(asked.calls) == 1
    assert sorted(asked.calls[0]) == sorted([GOLD, LYON])


def test_persons_given_are_answered_from_what_is_known_and_leave_no_trace(asked):
    registry = Registry()
    (gold,) = conditions(GOLD)
    engine = Remembering(asked, registry, 7)
    some = BitMap([2, 9])
    assert engine.evaluate([gold], "default", 0, {}, some) == {gold.key: BitMap([2])}
    assert len(registry) == 0
    engine.evaluate([gold], "default", 0, {})
    assert engine.evaluate([gold], "default", 0, {}, some) == {gold.key: BitMap([2])}
    assert len(asked.calls) == 2


def test_pace_is_the_time_of_calls_over_their_conditions(asked):
    registry = Registry()
    registry.note(conditions(f"{GOLD} and {LYON} and {RECENT}"), 0.3)
    registry.note(conditions(GOLD), 0.2)
    assert registry.paces["Attribute"].conditions == 3
    assert registry.paces["Attribute"].mean == pytest.approx(0.4 / 3)
    assert registry.paces["Aggregate"].mean == pytest.approx(0.1)


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 3000)), max_size=60), st.integers(600, 20_000))
def test_memory_is_bounded_and_the_least_recently_used_goes_first(uses, limit):
    registry = Registry(limit)
    answers: dict[str, BitMap] = {}
    order: list[str] = []
    for number, size in uses:
        (condition,) = conditions(f"loyalty.points = {number}")
        people = BitMap(range(0, 3 * size, 3))
        place = Place("default", 1, 0)
        if registry.find(condition, place) is None:
            registry.keep(condition, place, people)
            answers[condition.key] = people
        order = [key for key in order if key != condition.key] + [condition.key]
        assert registry.bytes <= limit
        kept = [key for key in order if _kept(registry, key) is not None]
        assert kept == order[len(order) - len(kept) :]
        assert all(_kept(registry, key) == answers[key] for key in kept)


def _kept(registry: Registry, key: str) -> BitMap | None:
    found = registry._kept.get((key, "default", 1, None))
    return found and found[0]


def test_zones_are_conditions_of_their_own():
    (plain,), (paris,) = (
        conditions("today.getMonth() = 6"),
        conditions_of(normalise(parse("today.getMonth() = 6"), SAMPLE, "Europe/Paris")),
    )
    registry, place = Registry(), Place("default", 1, 5)
    registry.keep(plain, place, BitMap([1]))
    assert registry.find(plain, place) == BitMap([1])
    assert registry.find(paris, place) is None
    assert isinstance(paris, Condition)
