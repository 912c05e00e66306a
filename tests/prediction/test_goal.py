"""Goals in PQL and back, in words, and what is wrong with them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coterie.core.errors import Invalid
from coterie.pql import check
from coterie.prediction.definition import Goal, GoalEvent, Kind, Measure
from coterie.prediction.definition import Test as Asked
from coterie.prediction.goal import from_pql, to_pql, words
from coterie.prediction.predicates import faults
from coterie.testing.sample import SAMPLE

TEXTS = st.sampled_from(["a", 'x"y', "né\\", ""])
TEXTUAL = st.sampled_from(["eventType", "search.query", "productListItems.SKU"])
NUMERIC = st.sampled_from(["commerce.order.priceTotal", "productListItems.quantity"])
NUMBERS = st.integers(-50, 50) | st.sampled_from([0.5, -2.25, 1e-7, 1e12])
TESTS = st.one_of(
    st.builds(Asked, TEXTUAL, st.sampled_from(["eq", "neq", "starts_with", "ends_with", "contains"]), TEXTS),
    st.builds(Asked, TEXTUAL, st.just("matches"), st.sampled_from(["^a", "b+"])),
    st.builds(Asked, TEXTUAL, st.sampled_from(["in", "not_in"]), st.lists(TEXTS, min_size=1, max_size=3).map(tuple)),
    st.builds(Asked, NUMERIC, st.sampled_from(["eq", "neq", "gt", "lt", "gte"]), NUMBERS),
    st.builds(Asked, NUMERIC, st.just("between"), st.tuples(NUMBERS, NUMBERS)),
    st.builds(Asked, TEXTUAL | NUMERIC, st.sampled_from(["exists", "not_exists"])),
    st.builds(Asked, st.just("timestamp"), st.just("gte"), st.just("2020-01-01")),
)
EVENTS = st.builds(
    GoalEvent,
    st.sampled_from(["One", "Other"]),
    st.lists(TESTS, min_size=1, max_size=3, unique_by=lambda test: test.field).map(tuple),
    st.sampled_from(["all", "any"]),
    st.integers(1, 4),
) | st.builds(
    lambda where, path, op, value: GoalEvent("Sum", where, measure=Measure(path), op=op, value=value),
    st.lists(TESTS, min_size=1, max_size=2, unique_by=lambda test: test.field).map(tuple),
    st.sampled_from(["commerce.order.priceTotal", "productListItems.priceTotal"]),
    st.sampled_from(["gt", "gte", "lt", "lte", "eq"]),
    st.sampled_from([0.0, 12.5, -3.0]),
)
THREE_DAYS = 'xEvent[eventType = "a" and timestamp occurs <= 3 days before now].count() >= 1'
GOALS = st.builds(
    Goal,
    st.lists(EVENTS, min_size=1, max_size=3).map(tuple),
    st.integers(1, 365),
    st.sampled_from(["will_occur", "will_not_occur"]),
    st.sampled_from(["all_of", "any_of"]),
)


@settings(max_examples=100, deadline=None)
@given(GOALS)
def test_a_goal_opens_as_an_audience_and_back(goal: Goal) -> None:
    text = to_pql(goal, SAMPLE)
    assert check(text, SAMPLE).ok
    back = from_pql(text, SAMPLE)
    assert to_pql(back, SAMPLE) == text
    assert (back.window_days, back.polarity) == (goal.window_days, goal.polarity)
    assert back.combiner == goal.combiner or len(goal.events) == 1
    for event, read in zip(goal.events, back.events, strict=True):
        assert read.where == event.where
        assert (read.at_least, read.measure, read.op, read.value) == (
            event.at_least,
            event.measure,
            event.op,
            event.value,
        )
        assert read.match == event.match or len(event.where) == 1


def test_rules_that_people_write_are_goals() -> None:
    found = from_pql('xEvent[eventType = "order" and timestamp occurs <= 2 weeks before now].count() > 1', SAMPLE)
    assert (found.window_days, found.events[0].at_least) == (14, 2)
    never = from_pql('xEvent[eventType = "order" and timestamp occurs <= 60 days before now].count() = 0', SAMPLE)
    assert never.polarity == "will_not_occur"
    bare = from_pql('xEvent[eventType = "order" and timestamp occurs <= 1 day before now]', SAMPLE)
    assert bare.events[0].at_least == 1


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('xEvent[eventType = "order"].count() >= 1', "need one window"),
        ("loyalty.points > 3", "no number and no sum"),
        (
            f"{THREE_DAYS} and {THREE_DAYS.replace('3', '4')}",
            "different windows",
        ),
        ('xEvent[timestamp occurs <= 400 days before now and eventType = "a"].count() >= 1', "between 1 and 365"),
        ('xEvent[eventType = "a" and timestamp occurs <= 3 days before now].count() <= 5', "counts events in another"),
    ],
)
def test_other_rules_say_what_a_goal_can_be(text: str, why: str) -> None:
    with pytest.raises(Invalid) as caught:
        from_pql(text, SAMPLE)
    assert caught.value.code == "model.goal"
    assert why in caught.value.message
    assert "such as `xEvent" in (caught.value.hint or "")


def test_goals_in_words() -> None:
    order = GoalEvent("Order", (Asked("eventType", "eq", "order"),))
    spend = GoalEvent("Order", order.where, measure=Measure("commerce.order.priceTotal"), value=500.0)
    assert words(Goal((order,), 30)) == "Order within 30 days"
    assert words(Goal((order,), 1, polarity="will_not_occur")) == "no Order within 1 day"
    assert words(Goal((order, spend), 7, combiner="any_of", gap_days=3)) == (
        "any of: Order; at least 500 of commerce.order.priceTotal over Order within 7 days, beginning 3 days later"
    )


@pytest.mark.parametrize(
    ("test", "code", "said"),
    [
        (Asked("eventTyp", "eq", "a"), "model.unknown-field", "Did you mean eventType?"),
        (Asked("eventType", "gt", "a"), "model.test", "It can be asked with exists"),
        (Asked("commerce.order.priceTotal", "eq", "12"), "model.test", "Give a value of that type"),
        (Asked("commerce.order.priceTotal", "between", (1,)), "model.test", "Give the least and the most"),
        (Asked("eventType", "in", ()), "model.test", "Such as"),
        (Asked("eventType", "exists", 3), "model.test", "Leave the value out"),
        (Asked("timestamp", "gte", "soon"), "model.test", "Give a value of that type"),
        (Asked("commerce.order.priceTotal", "gt", float("inf")), "model.test", "Give a value of that type"),
        (Asked("productListItems.quantity", "eq", 2**63), "model.test", "Give a value of that type"),
    ],
)
def test_faults_say_what_to_do(test: Asked, code: str, said: str) -> None:
    (found,) = faults(Kind("Odd", (test,)), SAMPLE)
    assert found.code == code
    assert said in (found.hint or "")
    assert "Odd" in found.message


def test_sums_are_of_numbers_and_compared_with_one() -> None:
    where = (Asked("eventType", "eq", "a"),)
    texts = faults(GoalEvent("S", where, measure=Measure("search.query"), value=None, at_least=2), SAMPLE)
    assert [error.code for error in texts] == ["model.test"] * 3
    total = Measure("productListItems.priceTotal")
    assert not faults(GoalEvent("S", where, measure=total, value=1.0), SAMPLE)
    for odd in (
        GoalEvent("S", where, measure=total, value=float("nan")),
        GoalEvent("S", where, measure=total, value=float("inf")),
        GoalEvent("S", where, value=5.0),
        GoalEvent(" ", where),
    ):
        assert [error.code for error in faults(odd, SAMPLE)] == ["model.test"]
