"""The calendar on columns, in a time zone: instants are ms, and a local time is written like one."""

from __future__ import annotations

from coterie.core.clock import DAY
from coterie.engine.sql.constructs import Sql, build, text, whole
from coterie.pql.local import UTC


def local(at: Sql, zone: str) -> Sql:
    """Return the local time at an instant."""
    return at if zone == UTC else build("local_time", at, text(zone))


def from_local(at: Sql, zone: str) -> Sql:
    """Return the instant of a local time: the first of two, and what lies as far after a gap if there is none."""
    return at if zone == UTC else build("instant_of_local", at, text(zone))


def part(name: str, at: Sql, zone: str) -> Sql:
    """Return the ``year``, ``month`` or ``day_of_month`` of an instant."""
    return build(name, local(at, zone))


def add_months(at: Sql, months: int, zone: str) -> Sql:
    """Return the instant so many months later, the day clamped to the last of its month."""
    return from_local(build("add_months", local(at, zone), whole(months)), zone)


def add_days(at: Sql, days: int, zone: str) -> Sql:
    """Return the instant so many days of the calendar later."""
    return from_local(build("+", local(at, zone), whole(days * DAY)), zone)
