"""How involved rules are, and what published limits would say of them."""

from __future__ import annotations

import pytest

from coterie.pql import eligibility, parse
from coterie.pql.analysis import analyse_condition
from coterie.pql.complexity import complexity, event_types, negated_events
from coterie.pql.conditions import conditions_of
from coterie.pql.normal import normalise
from coterie.testing.sample import SAMPLE

CHAIN = 'chain(xEvent, timestamp, [A: WHAT(eventType = "a"), B: WHAT(eventType = "b") COUNT(2)])'
IN_DAY = "timestamp occurs <= 24 hours before now"


def rule_of(text):
    return normalise(parse(text), SAMPLE)


@pytest.mark.parametrize(
    ("text", "elements", "aggregates", "depth"),
    [
        ('loyalty.tier = "gold"', 0, 0, 0),
        ("orders.count() > 1 and orders.sum(total) > 4", 0, 2, 1),
        ("(sum O.total over O from orders) > 4", 0, 1, 1),
        ("orders[items[qty > 1]].count() >= 1", 0, 1, 2),
        (CHAIN, 2, 0, 1),
        (f"{CHAIN} and {CHAIN} or orders.exists(total > 1)", 4, 0, 1),
    ],
)
def test_elements_aggregates_and_depth(text, elements, aggregates, depth):
    found = complexity(parse(text), rule_of(text))
    assert (found.chain_elements, found.aggregates, found.depth) == (elements, aggregates, depth)


@pytest.mark.parametrize(
    ("text", "negated"),
    [
        ('xEvent[eventType = "a"].count() > 0', 0),
        ('not (xEvent[eventType = "a"].count() > 0)', 1),
        ('xEvent[eventType = "a"].count() < 3', 1),
        ('not (xEvent[eventType = "a"].count() < 3)', 0),
        ('not (loyalty.tier = "gold")', 0),
        ('exists A from xEvent where A.eventType = "a" and not(exists B from xEvent where B._id != A._id)', 1),
        ('chain(xEvent, timestamp, [A: WHAT(eventType = "a"), N: EXCLUDE(eventType = "b")])', 1),
    ],
)
def test_what_must_not_have_happened(text, negated):
    assert len(negated_events(rule_of(text))) == negated
    assert complexity(parse(text), rule_of(text)).negated_events is bool(negated)


@pytest.mark.parametrize(
    ("text", "types"),
    [
        ('xEvent[eventType = "a" and device.type = "x"].count() > 1', {"a"}),
        ('xEvent[eventType in ["a", "b"]].count() > 1 and not (xEvent.exists(eventType = "c"))', {"a", "b", "c"}),
        ('xEvent[eventType = "a" or eventType = "b" and device.type = "x"].count() > 1', {"a", "b"}),
        ('xEvent[eventType = "a" or device.type = "x"].count() > 1', None),
        ("xEvent.count() > 1", None),
        ('xEvent[eventType = "a"].count() > xEvent.count() - 2', None),
        (CHAIN, {"a", "b"}),
    ],
)
def test_types_outside_of_which_no_event_matters(text, types):
    assert event_types(conditions_of(rule_of(text))) == types


HOUR = 3_600_000


@pytest.mark.parametrize(
    ("elements", "hours"),
    [
        ('A: WHAT(eventType = "a"), B: WHAT(eventType = "b")', None),
        ('A: WHAT(eventType = "a") WHEN(<= 5 hours before now), B: WHAT(eventType = "b")', 5),
        ('A: WHAT(eventType = "a"), B: WHAT(eventType = "b") WHEN(<= 5 hours before now)', None),
        ('A: WHAT(eventType = "a"), B: WHAT(eventType = "b") WHEN(<= 5 hours before now and <= 2 hours after A)', 7),
        ('A: WHAT(eventType = "a"), B: WHAT(eventType = "b") WHEN(<= 2 hours after A)', None),
        (
            'A: WHAT(eventType = "a") COUNT(2), B: WHAT(true) WHEN(<= 5 hours before now and <= 2 hours after A)',
            None,
        ),
        ('A: WHAT(eventType = "a") WHEN(<= 5 hours before now), N: EXCLUDE(eventType = "b")', 5),
        ('N: EXCLUDE(eventType = "b"), A: WHAT(eventType = "a") WHEN(<= 5 hours before now)', None),
    ],
)
def test_steps_of_a_sequence_bound_the_age_of_one_another(elements, hours):
    (condition,) = conditions_of(rule_of(f"chain(xEvent, timestamp, [{elements}])"))
    assert analyse_condition(condition).look_back == (None if hours is None else hours * HOUR)


@pytest.mark.parametrize(
    ("text", "streaming", "edge"),
    [
        ('loyalty.tier = "gold" and inSegment("x")', [], []),
        (f'xEvent[eventType = "a" and {IN_DAY}].count() >= 1 and loyalty.points > 3', [], []),
        ('xEvent[eventType = "a"].count() >= 1', ["no window"], ["no window"]),
        (
            'xEvent[eventType = "a" and timestamp occurs <= 30 days before now].count() >= 1',
            ["longer than 24 hours"],
            ["longer than 24 hours"],
        ),
        (
            f'xEvent[eventType = "a" and {IN_DAY}].count() >= 2',
            ["several events together"],
            ["several events together"],
        ),
        (
            f'xEvent[eventType = "a" and {IN_DAY}].count() >= 1 and inSegment("x")',
            ["members of x"],
            ["members of x"],
        ),
        (
            f'xEvent.exists(eventType = "a" and {IN_DAY}) and xEvent.exists(eventType = "b" and {IN_DAY})',
            ["without a strict order"],
            ["without a strict order"],
        ),
        (f'not (xEvent.exists(eventType = "a" and {IN_DAY}))', ["must not be there"], ["must not be there"]),
        ("person.birthDate.getMonth() = currentMonth()", ["without the year"], ["without the year"]),
        (
            f'chain(xEvent, timestamp, [A: WHAT(eventType = "a" and {IN_DAY}), B: WHAT(eventType = "b" and {IN_DAY})])',
            [],
            ["several events"],
        ),
    ],
)
def test_published_limits(text, streaming, edge):
    rule = rule_of(text)
    for reasons, expected in ((eligibility.streaming(rule), streaming), (eligibility.edge(rule), edge)):
        assert len(reasons) == len(expected), reasons
        assert all(part in reason for part, reason in zip(expected, reasons, strict=True))
