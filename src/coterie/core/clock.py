"""Instants and the clock. An instant is an `int`: milliseconds since 1970-01-01T00:00:00Z."""

from __future__ import annotations

import re
import time
from datetime import UTC, date, datetime
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from coterie.core.errors import Invalid

DAY = 86_400_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DATE_ONLY = re.compile(r"\d{4}-\d{2}-\d{2}")


class Clock(Protocol):
    """Source of the present instant; injected so that every run can be repeated."""

    def now(self) -> int:
        """Return the present instant in milliseconds."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> int:
        """Return the present instant in milliseconds."""
        return time.time_ns() // 1_000_000


class FixedClock:
    """A clock that stands still until it is set.

    Parameters
    ----------
    at : int or str
        Instant in milliseconds, or ISO 8601 text.
    """

    def __init__(self, at: int | str) -> None:
        self.at = parse_instant(at) if isinstance(at, str) else at

    def now(self) -> int:
        """Return the instant the clock was set to."""
        return self.at


def zone(name: str) -> ZoneInfo:
    """Return the IANA time zone called `name`; raises ``time.unknown-zone``."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, IsADirectoryError) as error:
        raise Invalid(
            "time.unknown-zone",
            f"unknown time zone {name!r}.",
            hint="Use an IANA name such as Europe/Paris.",
            where={"zone": name},
        ) from error


def parse_instant(text: str, zone_name: str = "UTC") -> int:
    """Read ISO 8601 text as an instant.

    Parameters
    ----------
    text : str
        A date (`2026-06-15`, the start of that day) or a date and time, with or without offset.
    zone_name : str
        Zone of a text without offset.

    Returns
    -------
    int
        Milliseconds since the epoch, rounded down.

    Raises
    ------
    Invalid
        ``time.unreadable`` when the text is no ISO 8601 date or time.
    """
    try:
        if _DATE_ONLY.fullmatch(text):
            day = date.fromisoformat(text)
            moment = datetime(day.year, day.month, day.day)  # noqa: DTZ001 (the zone is added below)
        else:
            moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise Invalid(
            "time.unreadable",
            f"{text!r} is not an ISO 8601 date or time.",
            hint="Write it like 2026-06-15 or 2026-06-15T12:00:00Z.",
        ) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone(zone_name))
    delta = moment.astimezone(UTC) - _EPOCH
    return delta.days * DAY + delta.seconds * 1000 + delta.microseconds // 1000


def to_datetime(at: int) -> datetime:
    """Return the instant as an aware UTC datetime."""
    return datetime.fromtimestamp(at // 1000, UTC).replace(microsecond=at % 1000 * 1000)


def format_instant(at: int) -> str:
    """Return the instant as ISO 8601 text in UTC, with milliseconds only when there are any."""
    moment = to_datetime(at)
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + (f".{at % 1000:03d}Z" if at % 1000 else "Z")


def format_date(at: int) -> str:
    """Return the UTC day that holds the instant as ``YYYY-MM-DD``."""
    return to_datetime(at).strftime("%Y-%m-%d")
