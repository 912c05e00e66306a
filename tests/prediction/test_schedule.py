"""When models are to run."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coterie.core.clock import DAY, format_instant, parse_instant
from coterie.core.errors import Invalid
from coterie.prediction import schedule


@pytest.mark.parametrize(
    ("rule", "last", "following"),
    [
        ("daily", "2026-06-15T12:00:00Z", "2026-06-16T12:00:00Z"),
        ("weekly", "2026-06-15T12:00:00Z", "2026-06-22T12:00:00Z"),
        ("monthly", "2026-06-15T12:00:00Z", "2026-07-15T12:00:00Z"),
        ("monthly", "2026-01-31T08:30:00Z", "2026-02-28T08:30:00Z"),
        ("monthly", "2026-12-05T00:00:00Z", "2027-01-05T00:00:00Z"),
        ("0 6 * * 1", "2026-06-15T12:00:00Z", "2026-06-22T06:00:00Z"),  # 2026-06-15 is a Monday
        ("0 6 * * 1", "2026-06-15T05:59:59Z", "2026-06-15T06:00:00Z"),
        ("*/20 * * * *", "2026-06-15T12:40:00Z", "2026-06-15T13:00:00Z"),
        ("15,45 8-9 * * 1-5", "2026-06-19T09:45:00Z", "2026-06-22T08:15:00Z"),
        ("0 0 1 * *", "2026-06-15T12:00:00Z", "2026-07-01T00:00:00Z"),
        ("0 0 13 * 5", "2026-06-13T00:00:00Z", "2026-06-19T00:00:00Z"),  # the 13th or a Friday
        ("0 0 29 2 *", "2026-06-15T00:00:00Z", "2028-02-29T00:00:00Z"),
        ("0 0 * * 7", "2026-06-15T00:00:00Z", "2026-06-21T00:00:00Z"),
    ],
)
def test_the_next_instant(rule, last, following):
    assert format_instant(schedule.next_after(rule, parse_instant(last))) == following


def test_what_never_comes():
    assert schedule.next_after("once", 0) is None
    assert schedule.next_after("0 0 31 2 *", 0) is None


@pytest.mark.parametrize(
    "rule", ["hourly", "0 6 * *", "60 * * * *", "* * 0 * *", "a * * * *", "5-1 * * * *", "*/0 * * * *"]
)
def test_what_is_no_schedule(rule):
    with pytest.raises(Invalid) as error:
        schedule.check(rule, words=("once", "daily", "weekly", "monthly"))
    assert error.value.code == "model.schedule"


def test_how_far_apart_runs_are():
    at = parse_instant("2026-06-15T12:00:00Z")
    assert schedule.interval("weekly", at) == 7 * DAY
    assert schedule.interval("0 6 * * 1", at) == 7 * DAY
    assert schedule.interval("0 6 * * 1,2", at) == 6 * DAY
    assert schedule.interval("0 * * * *", at) == DAY
    assert schedule.interval("0 0 1 * *", at) == 31 * DAY


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(
        st.integers(0, 59),
        st.integers(0, 23),
        st.sampled_from(["*", "1", "10-12", "*/7"]),
        st.sampled_from(["*", "2", "6,7"]),
        st.sampled_from(["*", "0", "3", "1-5"]),
    ),
    st.integers(0, 400),
)
def test_no_instant_is_passed_over(fields, days):
    """Against looking at every minute of the days on which the rule could hold."""
    rule = " ".join(map(str, fields))
    last = parse_instant("2026-01-01T00:00:00Z") + days * DAY + 7 * 3_600_000
    found = schedule.next_after(rule, last)
    cron = schedule.read(rule)
    moment = datetime.fromtimestamp(last / 1000, UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
    while not (moment.hour in cron.hours and moment.minute in cron.minutes and cron.holds_on(moment)):
        moment += timedelta(minutes=1) if moment.hour in cron.hours else timedelta(minutes=60 - moment.minute)
    assert found == round(moment.timestamp() * 1000)
