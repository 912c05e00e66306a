"""A time zone is part of a condition exactly when the condition reads the calendar."""

from __future__ import annotations

import pytest

from coterie.pql import parse
from coterie.pql.conditions import conditions_of
from coterie.pql.normal import normalise
from coterie.testing import SAMPLE

CALENDAR = (
    "xEvent[timestamp occurs today]",
    "xEvent[timestamp occurs this month].count() >= 2",
    "xEvent[timestamp occurs <= 1 month before now]",
    "xEvent[timestamp occurs <= 7 days before today]",
    "xEvent[timestamp occurs on date(2026, 6, 15)]",
    "xEvent[timestamp.getMonth() = 12]",
    "currentMonth() = 12",
    "person.birthDate.getMonth() = currentMonth()",
    "person.birthDate occurs >= 30 days before now",
    'chain(xEvent, timestamp, [A: WHAT(eventType = "a"), B: WHAT(eventType = "b") WHEN(<= 1 year after A)])',
    "exists E from xEvent where E.timestamp occurs after person.birthDate",
    'orders.exists(total > $1.loyalty.points or $1.person.birthDate occurs before now)',
)
TIMELESS = (
    "loyalty.points > 3",
    "xEvent[timestamp occurs <= 30 days before now].count() >= 3",
    "xEvent[timestamp occurs <= 4 weeks before now]",
    "xEvent.exists(timestamp occurs before now)",
    'chain(xEvent, timestamp, [A: WHAT(eventType = "a"), B: WHAT(eventType = "b") WHEN(<= 2 days after A)])',
    'inSegment("a")',
)


@pytest.mark.parametrize("pql", CALENDAR)
def test_what_reads_the_calendar_differs_by_zone(pql):
    (utc,), (paris,) = (conditions_of(normalise(parse(pql), SAMPLE, zone)) for zone in ("UTC", "Europe/Paris"))
    assert utc.text == paris.text
    assert paris.zone == "Europe/Paris"
    assert utc != paris
    assert utc.key != paris.key


@pytest.mark.parametrize("pql", TIMELESS)
def test_what_does_not_is_shared_by_all_zones(pql):
    (utc,), (paris,) = (conditions_of(normalise(parse(pql), SAMPLE, zone)) for zone in ("UTC", "Europe/Paris"))
    assert utc == paris
    assert utc.key == paris.key
