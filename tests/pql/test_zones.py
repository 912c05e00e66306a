"""Time zones: clocks that go forward and back, days that are no 24 hours, and rules that mean local days."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coterie.core.clock import DAY, format_instant, parse_instant
from coterie.core.errors import Invalid
from coterie.pql import parse
from coterie.pql.ast import RelativeUnit, TimeWord
from coterie.pql.calendar import civil, day, interval, shift, unit_of
from coterie.pql.interpreter import holds, value
from coterie.pql.local import from_local, instants, offset, reached, to_local
from coterie.testing import SAMPLE

ZONES = ["Europe/Paris", "America/Santiago", "America/Toronto", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia"]
INSTANTS = st.integers(parse_instant("1900-01-01"), parse_instant("2080-01-01"))


def at(text: str) -> int:
    return parse_instant(text)


@given(INSTANTS, st.sampled_from(ZONES))
def test_local_time_is_that_of_the_tables(moment, zone):
    expected = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=moment)
    shown = expected.astimezone(ZoneInfo(zone)).replace(tzinfo=UTC)
    assert to_local(moment, zone) == (shown - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    assert moment in instants(to_local(moment, zone), zone)


@given(INSTANTS, st.sampled_from(ZONES))
def test_a_day_begins_with_its_first_instant(moment, zone):
    start = unit_of(moment, "day", zone).start
    local = civil(start, zone)
    assert civil(start - 1, zone) != local
    if civil(moment, zone) == local:  # but where the clock goes back over midnight, days interleave
        assert start <= moment
    assert local == civil(moment, zone)


@pytest.mark.parametrize(
    ("local", "zone", "first", "beginning"),
    [
        ("2026-03-29T02:30:00Z", "Europe/Paris", "2026-03-29T01:30:00Z", "2026-03-29T01:00:00Z"),
        ("2026-10-25T02:30:00Z", "Europe/Paris", "2026-10-25T00:30:00Z", "2026-10-25T00:30:00Z"),
        ("1919-03-31T00:00:00Z", "America/Toronto", "1919-03-31T05:00:00Z", "1919-03-31T04:30:00Z"),
        ("2026-06-15T12:00:00Z", "Asia/Kolkata", "2026-06-15T06:30:00Z", "2026-06-15T06:30:00Z"),
    ],
)
def test_what_does_not_exist_moves_forward_and_of_two_the_first_counts(local, zone, first, beginning):
    assert format_instant(from_local(at(local), zone)) == first
    assert format_instant(reached(at(local), zone)) == beginning


@pytest.mark.parametrize(
    ("time", "now", "zone", "start", "end"),
    [
        (TimeWord("today"), "2026-03-29T12:00Z", "Europe/Paris", "2026-03-28T23:00Z", "2026-03-29T22:00Z"),
        (TimeWord("today"), "2026-10-25T12:00Z", "Europe/Paris", "2026-10-24T22:00Z", "2026-10-25T23:00Z"),
        (TimeWord("yesterday"), "2026-06-15T22:30Z", "Europe/Paris", "2026-06-14T22:00Z", "2026-06-15T22:00Z"),
        (RelativeUnit("this", "month"), "2026-06-30T23:00Z", "Europe/Paris", "2026-06-30T22:00Z", "2026-07-31T22:00Z"),
        (RelativeUnit("last", "week"), "2026-03-30T12:00Z", "Europe/Paris", "2026-03-22T23:00Z", "2026-03-29T22:00Z"),
        (RelativeUnit("this", "year"), "2025-12-31T23:30Z", "Europe/Paris", "2025-12-31T23:00Z", "2026-12-31T23:00Z"),
        (RelativeUnit("this", "hour"), "2026-06-15T12:10Z", "Asia/Kolkata", "2026-06-15T11:30Z", "2026-06-15T12:30Z"),
        (TimeWord("today"), "2026-09-06T12:00Z", "America/Santiago", "2026-09-06T04:00Z", "2026-09-07T03:00Z"),
    ],
)  # fmt: skip
def test_words_denote_local_units(time, now, zone, start, end):
    found = interval(time, at(now), zone)
    assert (found.start, found.end) == (at(start), at(end))


@pytest.mark.parametrize(
    ("moment", "steps", "unit", "zone", "expected"),
    [
        ("2026-04-29T00:30:00Z", -1, "month", "Europe/Paris", "2026-03-29T01:30:00Z"),  # 02:30 does not exist
        ("2026-11-25T01:30:00Z", -1, "month", "Europe/Paris", "2026-10-25T00:30:00Z"),  # 02:30 exists twice
        ("2026-03-30T22:30:00Z", -1, "month", "Europe/Paris", "2026-02-27T23:30:00Z"),  # 31 March there: the last day
        ("2026-03-30T22:30:00Z", -1, "day", "Europe/Paris", "2026-03-29T22:30:00Z"),
        ("2026-10-25T01:30:00Z", 0, "month", "Europe/Paris", "2026-10-25T01:30:00Z"),  # the second 02:30 stays
        ("2026-03-29T12:00:00Z", -1, "day", "Europe/Paris", "2026-03-28T12:00:00Z"),  # 24 hours, 13:00 there
    ],
)
def test_months_step_on_the_local_calendar_and_days_are_24_hours(moment, steps, unit, zone, expected):
    assert format_instant(shift(at(moment), steps, unit, zone)) == expected


@given(INSTANTS, st.integers(-500, 500), st.sampled_from(["month", "year"]))
def test_utc_is_a_zone_like_others(moment, steps, unit):
    assert shift(moment, steps, unit, "UTC") == shift(moment, steps, unit, "Etc/UTC")
    assert unit_of(moment, unit, "UTC").start == unit_of(moment, unit, "Etc/UTC").start
    assert civil(moment, "UTC") == civil(moment, "Etc/UTC")


@pytest.mark.parametrize("zone", ZONES)
def test_years_without_tables_are_read_as_others(zone):
    first, last = day(1, 1, 1, zone), day(9999, 12, 31, zone)
    assert first is not None
    assert last is not None
    assert first.end is not None
    assert first.end - first.start == DAY
    assert civil(first.start, zone) == (1, 1, 1)
    assert civil(last.start, zone) == (9999, 12, 31)
    assert civil(shift(last.start, 5_000, "year", zone), zone) == (14999, 12, 31)
    assert abs(offset(-(1 << 50), zone)) < DAY


@pytest.mark.parametrize(
    ("rule", "zone", "expected"),
    [
        ("person.birthDate occurs today", "Europe/Paris", True),
        ("person.birthDate occurs today", "UTC", False),  # still the 15th
        ("xEvent[timestamp occurs today].count() = 2", "Europe/Paris", True),
        ("xEvent[timestamp occurs today].count() = 1", "UTC", True),
        ("currentDayOfMonth() = 16", "Europe/Paris", True),
        ("xEvent.head().timestamp.getDayOfMonth() = 16", "Europe/Paris", True),
        ("xEvent.head().timestamp.getDayOfMonth() = 15", "UTC", True),
        ("person.birthDate.getDayOfMonth() = 16", "America/New_York", True),  # a date is that day everywhere
        ("person.birthDate = date(2026, 6, 16)", "Asia/Tokyo", True),
        ('person.birthDate = "2026-06-16"', "Asia/Tokyo", True),
        ("xEvent[timestamp occurs on date(2026, 6, 16)].count() = 2", "Europe/Paris", True),
        ("xEvent[timestamp occurs <= 24 hours before now].count() = 2", "Europe/Paris", True),  # the same everywhere
        ("xEvent[timestamp occurs <= 24 hours before now].count() = 2", "UTC", True),
        ("xEvent[timestamp occurs = 0 days before today].count() = 2", "Europe/Paris", True),
    ],
)
def test_rules_mean_local_days(rule, zone, expected):
    person = {
        "person": {"birthDate": "2026-06-16"},
        "events": [
            {"_id": "1", "timestamp": "2026-06-15T22:00:00Z"},
            {"_id": "2", "timestamp": "2026-06-15T22:20:00Z"},
            {"_id": "3", "timestamp": "2026-06-16T22:00:00Z"},
        ],
    }
    if "today].count() = 1" in rule:
        person["events"].pop(1)
        person["events"].pop(1)
    assert holds(parse(rule), person, at("2026-06-15T22:30:00Z"), SAMPLE, zone=zone) is expected


def test_days_are_written_as_they_are_there():
    now = at("2026-06-15T22:30:00Z")
    assert value(parse("today"), {}, now, SAMPLE, zone="Europe/Paris") == "2026-06-16"
    assert value(
        parse("person.birthDate"), {"person": {"birthDate": "1990-05-17"}}, now, SAMPLE, zone="Asia/Tokyo"
    ) == ("1990-05-17")


def test_an_unknown_zone_is_refused():
    with pytest.raises(Invalid) as caught:
        holds(parse("loyalty.points = 1"), {}, 0, SAMPLE, zone="Mars/Olympus")
    assert caught.value.code == "pql.zone"
    with pytest.raises(Invalid):
        civil(0, "../etc/passwd")
