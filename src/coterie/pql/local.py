"""Local time: what clocks of a time zone show at an instant, and when they show it.

A local time is written like an instant: milliseconds from the local 1970-01-01T00:00. Where clocks go forward some
local times do not exist; where they go back some exist twice. Years that the machine's tables do not cover are read as
ones that they do: the calendar repeats every 400 years.
"""

from __future__ import annotations

from datetime import UTC as _UTC
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from coterie.core import clock
from coterie.core.clock import DAY
from coterie.core.errors import Invalid

UTC: Final = "UTC"
_CYCLE = 146_097 * DAY
_FIRST, _LAST = -719_162 * DAY, 2_932_896 * DAY  # 0001-01-01 and 9999-12-31
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 (a local time)


@lru_cache(maxsize=64)
def zone_of(name: str) -> ZoneInfo:
    """Return the time zone of an IANA name; raises ``pql.zone`` when there is none."""
    try:
        return clock.zone(name)
    except Invalid as error:
        raise Invalid("pql.zone", error.message, hint=error.hint, where={"zone": name}) from error


def _within(at: int) -> int:
    """Return a time of a year that the tables cover, whole cycles away."""
    if at < _FIRST + 2 * DAY:
        return at + -((at - _FIRST - 2 * DAY) // _CYCLE) * _CYCLE
    if at > _LAST - 2 * DAY:
        return at - ((at - _LAST + 2 * DAY) // _CYCLE + 1) * _CYCLE
    return at


def offset(at: int, zone: str) -> int:
    """Return by how many milliseconds local time is ahead of UTC at an instant."""
    if zone == UTC:
        return 0
    seconds = _within(at) // 1_000
    moment = (_EPOCH + timedelta(seconds=seconds)).replace(tzinfo=_UTC).astimezone(zone_of(zone))
    return _milliseconds(moment)


def _milliseconds(moment: datetime) -> int:
    ahead = moment.utcoffset()
    assert ahead is not None
    return ahead.days * DAY + ahead.seconds * 1_000


def to_local(at: int, zone: str) -> int:
    """Return the local time at an instant."""
    return at + offset(at, zone)


def instants(local: int, zone: str) -> tuple[int, int]:
    """Return the first and the last instant at which clocks show a local time.

    Of one that does not exist, the first is moved forward by the gap and the last back by it.
    """
    if zone == UTC:
        return local, local
    shown = _EPOCH + timedelta(seconds=_within(local) // 1_000)
    one, two = (_milliseconds(shown.replace(tzinfo=zone_of(zone), fold=fold)) for fold in (0, 1))
    return local - one, local - two


def from_local(local: int, zone: str) -> int:
    """Return the instant of a local time: the first one if there are two, moved forward by the gap if there is none."""
    return instants(local, zone)[0]


def reached(local: int, zone: str) -> int:
    """Return the first instant at which clocks show a local time or, where that does not exist, a later one."""
    first, last = instants(local, zone)
    return first if last >= first else change(last, first, zone)


def change(low: int, high: int, zone: str) -> int:
    """Return the first instant after `low` with the offset of `high`; between them it changes once."""
    after = offset(high, zone)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if offset(middle, zone) == after else (middle, high)
    return high
