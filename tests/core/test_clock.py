"""Instants: reading, writing, zones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coterie.core.clock import DAY, FixedClock, format_date, format_instant, parse_instant
from coterie.core.errors import Invalid


@pytest.mark.parametrize(
    ("text", "zone", "at"),
    [
        ("1970-01-01", "UTC", 0),
        ("1970-01-02T00:00:00Z", "UTC", DAY),
        ("1970-01-01T02:00:00+02:00", "Europe/Paris", 0),
        ("2026-07-01", "Europe/Paris", 1_782_856_800_000),
        ("1969-12-31T23:59:59.999Z", "UTC", -1),
    ],
)
def test_reading(text, zone, at):
    assert parse_instant(text, zone) == at


@given(st.integers(-(10**12), 4 * 10**12))
def test_writing_and_reading_again_gives_the_same_instant(at):
    assert parse_instant(format_instant(at)) == at
    assert parse_instant(format_date(at)) == at // DAY * DAY
    assert FixedClock(format_instant(at)).now() == at


@pytest.mark.parametrize(
    ("text", "zone", "code"),
    [
        ("yesterday", "UTC", "time.unreadable"),
        ("2026-02-30", "UTC", "time.unreadable"),
        ("2026-02-03", "Mars/Base", "time.unknown-zone"),
    ],
)
def test_what_cannot_be_read_says_so(text, zone, code):
    with pytest.raises(Invalid) as caught:
        parse_instant(text, zone)
    assert caught.value.code == code
    assert caught.value.hint
