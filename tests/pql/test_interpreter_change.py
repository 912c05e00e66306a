"""When truth changes with no new data: the instants themselves, and that nothing changes before them."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.properties.rules import rules
from tests.properties.worlds import world

from coterie.core.clock import DAY, format_instant, parse_instant
from coterie.pql import parse, to_text
from coterie.pql.interpreter import change, holds, next_change
from coterie.testing import SAMPLE

FOREVER = 1 << 62
NOW = parse_instant("2026-06-15T12:00:00Z")  # a Monday
ANNA = {
    "person": {"birthDate": "2008-06-20"},
    "segmentMembership": {
        "ups": {"trial": {"status": "realized", "validUntil": "2026-07-01T00:00:00Z"}, "gold": {"status": "realized"}}
    },
    "events": [
        {"_id": "1", "timestamp": "2026-05-20T10:00:00Z", "eventType": "buy"},
        {"_id": "2", "timestamp": "2026-06-10T09:00:00Z", "eventType": "buy"},
        {"_id": "3", "timestamp": "2026-06-20T09:00:00Z", "eventType": "plan"},
    ],
}


@pytest.mark.parametrize(
    ("rule", "zone", "expected"),
    [
        ('xEvent[eventType = "buy" and timestamp occurs <= 30 days before now]', "UTC", "2026-07-10T09:00:00.001Z"),
        ('xEvent[eventType = "buy" and timestamp occurs < 30 days before now]', "UTC", "2026-07-10T09:00:00Z"),
        ("xEvent[timestamp occurs <= 30 days before now].count() >= 2", "UTC", "2026-06-19T10:00:00.001Z"),
        ('not xEvent[eventType = "buy" and timestamp occurs <= 30 days before now]', "UTC", "2026-07-10T09:00:00.001Z"),
        ('xEvent[timestamp occurs <= 1 month before now].count() = 1', "UTC", "2026-07-10T09:00:00.001Z"),
        ('xEvent[eventType = "plan" and timestamp occurs <= 5 days after now]', "UTC", "2026-06-20T09:00:00.001Z"),
        ('xEvent[eventType = "plan" and timestamp <= now]', "UTC", "2026-06-20T09:00:00Z"),
        ('xEvent[eventType = "plan" and timestamp < now]', "UTC", "2026-06-20T09:00:00.001Z"),
        ('xEvent[eventType = "plan" and timestamp occurs today]', "UTC", "2026-06-20T00:00:00Z"),
        ('xEvent[eventType = "plan" and timestamp occurs this week]', "UTC", "2026-06-22T00:00:00Z"),
        ('xEvent[eventType = "plan" and timestamp occurs this hour]', "UTC", "2026-06-20T09:00:00Z"),
        ('xEvent[eventType = "plan" and timestamp occurs last month]', "UTC", "2026-07-01T00:00:00Z"),
        ('xEvent[timestamp.getMonth() = now.getMonth()]', "UTC", "2026-07-01T00:00:00Z"),
        ('xEvent[timestamp.getMonth() = currentMonth()].count() = 1', "UTC", "2027-05-01T00:00:00Z"),
        ("currentYear() = 2030", "UTC", "2030-01-01T00:00:00Z"),
        ("person.birthDate occurs >= 18 years before today", "UTC", "2026-06-20T00:00:00Z"),
        ("person.birthDate occurs >= 30 years before today", "UTC", "2038-06-20T00:00:00Z"),
        ("person.birthDate occurs >= 18 years before now", "UTC", "2026-06-20T00:00:00Z"),
        ("person.birthDate occurs >= 18 years before today", "Asia/Tokyo", "2026-06-19T15:00:00Z"),
        ("person.birthDate occurs >= 18 years before now", "America/New_York", "2026-06-20T04:00:00Z"),
        ("person.birthDate.getMonth() = today.getMonth() and person.birthDate.getDayOfMonth() = today.getDayOfMonth()",
         "Europe/Paris", "2026-06-19T22:00:00Z"),
        ('inSegment("trial")', "UTC", "2026-07-01T00:00:00Z"),
        ('inSegment("gold")', "UTC", None),
        ('inSegment("gold") or inSegment("trial")', "UTC", None),
        ('inSegment("gold") and inSegment("trial")', "UTC", "2026-07-01T00:00:00Z"),
        ('xEvent[eventType = "buy"].count() = 2', "UTC", None),
        ("person.birthDate occurs before date(2010, 1, 1)", "UTC", None),
        ("xEvent[timestamp occurs > 30 days before now].count() >= 3", "UTC", "2026-07-20T09:00:00.001Z"),
        ('chain(xEvent, timestamp, [A: WHAT(true) WHEN(<= 30 days before now), B: WHAT(eventType = "buy")])',
         "UTC", "2026-06-19T10:00:00.001Z"),
        ('chain(xEvent, timestamp, [A: WHAT(eventType = "buy"), B: WHAT(eventType = "plan") WHEN(between A and now)])',
         "UTC", "2026-06-20T09:00:00Z"),
        ("now occurs before date(2026, 8, 1)", "UTC", "2026-08-01T00:00:00Z"),
        ("today occurs this month", "UTC", None),
        ("today = date(2026, 6, 18)", "Europe/Paris", "2026-06-17T22:00:00Z"),
        ("now > today", "UTC", "2026-06-16T00:00:00Z"),
        ("xEvent.max(timestamp) > now", "UTC", "2026-06-20T09:00:00Z"),
        ("[now, date(2026, 7, 1)].max() = date(2026, 7, 1)", "UTC", "2026-07-01T00:00:00.001Z"),
    ],
)  # fmt: skip
def test_the_next_change_is_found(rule, zone, expected):
    found = next_change(parse(rule), ANNA, NOW, SAMPLE, zone=zone)
    if rule == "today occurs this month":  # true for good, but every day has to be looked at: look again then
        assert found is not None
        assert found > NOW + 300 * DAY
    else:
        assert (found and format_instant(found)) == expected


def moments(found, at, profile, random):
    """Return instants after `at` and before what was found, near to where answers about time change."""
    last = at + 800 * DAY if found is None else found - 1
    times = [event["timestamp"] for event in profile["events"]]
    times = [parse_instant(time) if isinstance(time, str) else time for time in times]
    near = [at, *times, *(time + days * DAY for time in times for days in (1, 7, 30, 365, -1, -7, -30))]
    near += [at - at % DAY + days * DAY for days in (1, 2, 16, 31, 199, 200, 565)] + [last]
    near += [random.randrange(at + 1, last + 1) for _ in range(20)] if last > at else []
    all_of_them = sorted({time + extra for time in near for extra in (-1, 0, 1) if at < time + extra <= last})
    return [*random.sample(all_of_them, min(40, len(all_of_them))), last]


@pytest.mark.parametrize("zone", ["UTC", "Europe/Paris", "America/Santiago"])
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1 << 32))
def test_nothing_changes_before_what_was_found_and_it_does_then(zone, seed):
    random = Random(seed)
    place = world(random, people=2)
    for rule in rules(place, random, 6):
        for profile in place.profiles:
            found = next_change(rule, profile, place.at, place.union, zone=zone)
            before = holds(rule, profile, place.at, place.union, zone=zone)
            for moment in moments(found, place.at, profile, random):
                assert holds(rule, profile, moment, place.union, zone=zone) == before, (to_text(rule), moment)
            if found is not None and holds(rule, profile, found, place.union, zone=zone) == before:
                assert looked_further(rule, profile, place, zone) > found, (to_text(rule), found)


def looked_further(rule, profile, place, zone):
    """Return what is found by a search that goes on for longer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(change, "MOST", change.MOST + 1)
        patch.setattr(change, "FARTHEST", FOREVER)
        return next_change(rule, profile, place.at, place.union, zone=zone) or FOREVER
