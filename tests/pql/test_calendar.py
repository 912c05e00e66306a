"""Section 10 of the language: what times denote, calendar steps, what tails admit."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coterie.core.clock import DAY, format_instant, parse_instant
from coterie.pql import parse
from coterie.pql.ast import Occurs, RelativeUnit, TimeWord
from coterie.pql.calendar import Interval, canonical_distance, civil, day, interval, ranges, shift, unit_of

NOW = parse_instant("2026-06-15T12:00:00Z")  # a Monday


def text(at: int | None) -> str | None:
    return None if at is None else format_instant(at)


def spans(tail: str, now: int = NOW) -> list[tuple[str | None, str | None]]:
    """Return the ranges that a tail of words admits."""
    expr = parse(f"x occurs {tail}")
    assert isinstance(expr, Occurs)
    named = expr.tail
    times = [named.first, named.last] if hasattr(named, "first") else [named.time]
    return [(text(low), text(high)) for low, high in ranges(named, *(interval(time, now) for time in times))]


@pytest.mark.parametrize(
    ("word", "start", "end"),
    [
        ("today", "2026-06-15T00:00:00Z", "2026-06-16T00:00:00Z"),
        ("yesterday", "2026-06-14T00:00:00Z", "2026-06-15T00:00:00Z"),
        ("tomorrow", "2026-06-16T00:00:00Z", "2026-06-17T00:00:00Z"),
        ("this hour", "2026-06-15T12:00:00Z", "2026-06-15T13:00:00Z"),
        ("this week", "2026-06-15T00:00:00Z", "2026-06-22T00:00:00Z"),
        ("last week", "2026-06-08T00:00:00Z", "2026-06-15T00:00:00Z"),
        ("last month", "2026-05-01T00:00:00Z", "2026-06-01T00:00:00Z"),
        ("next month", "2026-07-01T00:00:00Z", "2026-08-01T00:00:00Z"),
        ("this year", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        ("last decade", "2010-01-01T00:00:00Z", "2020-01-01T00:00:00Z"),
        ("this century", "2000-01-01T00:00:00Z", "2100-01-01T00:00:00Z"),
        ("this millennium", "2000-01-01T00:00:00Z", "3000-01-01T00:00:00Z"),
    ],
)
def test_words_denote_whole_units(word, start, end):
    which, _, unit = word.partition(" ")
    found = interval(RelativeUnit(which, unit) if unit else TimeWord(which), NOW)
    assert (text(found.start), text(found.end)) == (start, end)
    assert spans(word) == [(start, end)]


def test_now_is_an_instant():
    assert interval(TimeWord("now"), NOW) == Interval(NOW)


@pytest.mark.parametrize(
    ("at", "steps", "unit", "expected"),
    [
        ("2026-03-31T10:00:00Z", -1, "month", "2026-02-28T10:00:00Z"),
        ("2024-03-31T10:00:00Z", -1, "month", "2024-02-29T10:00:00Z"),
        ("2024-02-29T00:00:00Z", 1, "year", "2025-02-28T00:00:00Z"),
        ("2024-02-29T00:00:00Z", 4, "year", "2028-02-29T00:00:00Z"),
        ("2024-02-29T00:00:00Z", -1, "century", "1924-02-29T00:00:00Z"),
        ("2000-02-29T00:00:00Z", -1, "century", "1900-02-28T00:00:00Z"),
        ("2026-12-31T23:59:59Z", 2, "month", "2027-02-28T23:59:59Z"),
        ("2026-06-15T12:00:00Z", -2, "week", "2026-06-01T12:00:00Z"),
        ("2026-06-15T12:00:00Z", 36, "hour", "2026-06-17T00:00:00Z"),
    ],
)
def test_steps_keep_the_day_or_take_the_last_of_the_month(at, steps, unit, expected):
    assert text(shift(parse_instant(at), steps, unit)) == expected


NOON, DAY_START = "2026-06-15T12:00:00Z", "2026-06-15T00:00:00Z"


def after(instant: str) -> str:
    """Return the next millisecond."""
    return format_instant(parse_instant(instant) + 1)


@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        ("before now", [(None, NOON)]),
        ("after now", [(after(NOON), None)]),
        ("from now", [(NOON, None)]),
        ("now", [(NOON, after(NOON))]),
        ("before today", [(None, DAY_START)]),
        ("after today", [("2026-06-16T00:00:00Z", None)]),
        ("from today", [(DAY_START, None)]),
        ("between yesterday and today", [("2026-06-14T00:00:00Z", "2026-06-16T00:00:00Z")]),
        ("between yesterday and now", [("2026-06-14T00:00:00Z", after(NOON))]),
        ("<= 30 days before now", [("2026-05-16T12:00:00Z", after(NOON))]),
        ("< 30 days before now", [(after("2026-05-16T12:00:00Z"), after(NOON))]),
        ("> 30 days before now", [(None, "2026-05-16T12:00:00Z")]),
        (">= 30 days before now", [(None, after("2026-05-16T12:00:00Z"))]),
        ("= 30 days before now", [("2026-05-16T12:00:00Z", after("2026-05-16T12:00:00Z"))]),
        ("!= 30 days before now", [(None, "2026-05-16T12:00:00Z"), (after("2026-05-16T12:00:00Z"), None)]),
        ("= 10 days before today", [("2026-06-05T00:00:00Z", "2026-06-06T00:00:00Z")]),
        ("!= 10 days before today", [(None, "2026-06-05T00:00:00Z"), ("2026-06-06T00:00:00Z", None)]),
        ("= 1 month before this month", [("2026-05-01T00:00:00Z", after("2026-05-01T00:00:00Z"))]),
        ("<= 3 days after today", [(DAY_START, after("2026-06-18T00:00:00Z"))]),
        ("< 3 days after today", [(DAY_START, "2026-06-18T00:00:00Z")]),
        ("> 3 days after today", [(after("2026-06-18T00:00:00Z"), None)]),
        (">= 3 days after today", [("2026-06-18T00:00:00Z", None)]),
        ("<= 3 days from now", [("2026-06-12T12:00:00Z", after("2026-06-18T12:00:00Z"))]),
        ("< 3 days from now", [(after("2026-06-12T12:00:00Z"), "2026-06-18T12:00:00Z")]),
        ("> 3 days from now", [(None, "2026-06-12T12:00:00Z"), (after("2026-06-18T12:00:00Z"), None)]),
        (
            ">= 1 month from now",
            [(None, after("2026-05-15T12:00:00Z")), ("2026-07-15T12:00:00Z", None)],
        ),
        (
            "= 1 day from now",
            [
                ("2026-06-14T12:00:00Z", after("2026-06-14T12:00:00Z")),
                ("2026-06-16T12:00:00Z", after("2026-06-16T12:00:00Z")),
            ],
        ),
        ("< 0 days before now", []),
        ("<= 0 days before now", [(NOON, after(NOON))]),
        ("between tomorrow and yesterday", []),
    ],
)
def test_tails_admit_the_ranges_of_the_table(tail, expected):
    assert spans(tail) == expected


def test_a_window_before_a_day_leaves_the_day_out():
    """The worked example: run on 28 August, the last month is 28 July to 27 August."""
    found = spans("<= 1 month before today", parse_instant("2026-08-28T15:00:00Z"))
    assert found == [("2026-07-28T00:00:00Z", "2026-08-28T00:00:00Z")]


def test_impossible_dates_are_none():
    assert day(2026, 2, 29) is None
    assert day(2026, 13, 1) is None
    assert day(2024, 2, 29) == Interval(parse_instant("2024-02-29"), parse_instant("2024-03-01"))


@given(st.datetimes(timezones=st.just(UTC)))
def test_civil_days_are_those_of_the_standard_library(moment):
    at = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    assert civil(at) == (moment.year, moment.month, moment.day)
    monday = date(moment.year, moment.month, moment.day)
    if monday.toordinal() > 7:
        monday -= timedelta(days=monday.weekday())
        assert civil(unit_of(at, "week").start) == (monday.year, monday.month, monday.day)


@given(st.integers(-(10**15), 10**15), st.integers(0, 10**6))
def test_steps_of_any_size_are_taken(at, steps):
    assert shift(at, steps, "year") >= at
    assert shift(at, -steps, "month") <= at
    assert civil(shift(at, steps, "millennium"))[0] == civil(at)[0] + 1000 * steps


@pytest.mark.parametrize(
    ("count", "unit", "expected"),
    [
        (720, "hour", (30, "day")),
        (4, "week", (28, "day")),
        (90, "minute", (90, "minute")),
        (1500, "millisecond", (1500, "millisecond")),
        (12, "month", (1, "year")),
        (18, "month", (18, "month")),
        (1, "millennium", (1000, "year")),
        (0, "hour", (0, "day")),
    ],
)
def test_distances_take_the_largest_whole_unit(count, unit, expected):
    assert canonical_distance(count, unit) == expected
    assert shift(0, count, unit) == shift(0, *expected)


def test_a_day_is_fixed():
    assert shift(NOW, 1, "day") == NOW + DAY
