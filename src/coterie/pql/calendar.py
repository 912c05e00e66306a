"""Time of the language for a fixed evaluation instant: words, units, steps, and what `occurs` tails admit.

Instants are integers (ms), so every tail is a set of half-open ranges. A range is first given by `Edge`s, relative to
the times of the tail, so that engines can place them on a column too; `ranges` places them on known times.

A `zone` is the IANA name of the time zone whose calendar is meant: days, weeks, months and years begin with the local
day, and months and years are stepped on local time. Distances from the millisecond to the week have fixed lengths in
every zone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import assert_never

from coterie.core.clock import DAY
from coterie.pql.ast import BetweenTail, DirectionTail, DistanceTail, OnTail, RelativeUnit, Tail, TimeWord, Unit
from coterie.pql.local import UTC, from_local, reached, to_local

LENGTHS: dict[Unit, int] = {
    "millisecond": 1,
    "second": 1_000,
    "minute": 60_000,
    "hour": 3_600_000,
    "day": DAY,
    "week": 7 * DAY,
}
MONTHS: dict[Unit, int] = {"month": 1, "year": 12, "decade": 120, "century": 1_200, "millennium": 12_000}

Range = tuple[int | None, int | None]


@dataclass(frozen=True, slots=True)
class Interval:
    """A time: from `start` to before `end`, or an instant when `end` is None.

    `local` marks a day of a time zone, which may be shorter or longer than 24 hours.
    """

    start: int
    end: int | None = None
    local: bool = field(default=False, compare=False)

    @property
    def is_day(self) -> bool:
        """Whether it is one day."""
        return self.local or self.end == self.start + DAY


@dataclass(frozen=True, slots=True)
class Edge:
    """A place relative to one of the times of a tail.

    `last` chooses the second time of ``between``, `end` its end instead of its start; then `steps` units, `days` of the
    calendar and `extra` ms are added. In UTC a day is 24 hours and `days` is not used.
    """

    last: bool = False
    end: bool = False
    steps: int = 0
    unit: Unit = "millisecond"
    extra: int = 0
    days: int = 0


EdgeRange = tuple[Edge | None, Edge | None]


def _days(year: int, month: int, day: int) -> int:
    """Return the days from 1970-01-01 to a proleptic Gregorian date of any year; month 0 or 13 roll over."""
    year, month = year + (month - 1) // 12, (month - 1) % 12 + 1
    shifted = year - (month <= 2)
    era, of_era = divmod(shifted, 400)
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


def civil(at: int, zone: str = UTC) -> tuple[int, int, int]:
    """Return year, month and day of an instant."""
    return _civil((at if zone == UTC else to_local(at, zone)) // DAY)


def _civil(days: int) -> tuple[int, int, int]:
    era, of_era = divmod(days + 719_468, 146_097)
    year = (of_era - of_era // 1_460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153
    day = of_year - (153 * month + 2) // 5 + 1
    month = month + 3 if month < 10 else month - 9
    return year + era * 400 + (month <= 2), month, day


def day(year: int, month: int, of_month: int, zone: str = UTC) -> Interval | None:
    """Return the day of a date, or None when there is no such date."""
    if not (1 <= year <= 9999 and 1 <= month <= 12 and of_month >= 1):
        return None
    if of_month > _days(year, month + 1, 1) - _days(year, month, 1):
        return None
    return local_day(_days(year, month, of_month), zone)


def local_day(days: int, zone: str = UTC) -> Interval:
    """Return the day that lies so many days after 1970-01-01."""
    if zone == UTC:
        return Interval(days * DAY, days * DAY + DAY)
    return Interval(reached(days * DAY, zone), reached(days * DAY + DAY, zone), local=True)


def shift(at: int, steps: int, unit: Unit, zone: str = UTC) -> int:
    """Return the instant `steps` units later: fixed lengths up to the week, calendar steps with the day clamped."""
    if unit in LENGTHS:
        return at + steps * LENGTHS[unit]
    if zone != UTC:
        return from_local(shift(to_local(at, zone), steps, unit), zone) if steps else at
    year, month, of_month = civil(at)
    month += steps * MONTHS[unit]
    first = _days(year, month, 1)
    length = _days(year, month + 1, 1) - first
    return (first + min(of_month, length) - 1) * DAY + at % DAY


def unit_of(at: int, unit: Unit, zone: str = UTC, which: int = 0) -> Interval:
    """Return the calendar unit that holds an instant, or the one `which` units after it; weeks start on Monday."""
    local = at if zone == UTC else to_local(at, zone)
    if unit in LENGTHS and LENGTHS[unit] < DAY:
        start = at - local % LENGTHS[unit] + which * LENGTHS[unit]
        return Interval(start, start + LENGTHS[unit])
    if unit in ("day", "week"):
        days = 1 if unit == "day" else 7
        first = local // DAY
        first += days * which - (first + 3) % days
        if unit == "day":
            return local_day(first, zone)
        last = first + days
    else:
        year, month, _ = _civil(local // DAY)
        months = MONTHS[unit]
        begin = (year * 12 + month - 1) // months * months + which * months
        first, last = (_days(0, 1 + begin + step, 1) for step in (0, months))
    return Interval(reached(first * DAY, zone), reached(last * DAY, zone))


def interval(time: TimeWord | RelativeUnit, at: int, zone: str = UTC) -> Interval:
    """Return what a time word denotes at the evaluation instant."""
    if isinstance(time, RelativeUnit):
        return unit_of(at, time.unit, zone, {"last": -1, "this": 0, "next": 1}[time.which])
    if time.word == "now":
        return Interval(at)
    return unit_of(at, "day", zone, {"yesterday": -1, "today": 0, "tomorrow": 1}[time.word])


def edges(
    tail: Tail, first: Interval | None, last: Interval | None = None, *, zone: str = UTC
) -> tuple[EdgeRange, ...]:
    """Return the ranges a tail admits, relative to its times.

    Parameters
    ----------
    tail : Tail
        The tail of an `occurs` or `WHEN`.
    first, last : Interval or None
        Its times, or any intervals of the same form (instant, day, longer): only the form is looked at.
    zone : str
        The time zone of the calendar.

    Returns
    -------
    tuple of (Edge or None, Edge or None)
        Half-open ranges, None for no limit; they may be empty.
    """
    assert first is not None
    instant = first.end is None
    start, past = Edge(), (Edge(extra=1) if instant else Edge(end=True))
    match tail:
        case OnTail():
            return ((start, past),)
        case DirectionTail(direction):
            return {"before": ((None, start),), "after": ((past, None),), "from": ((start, None),)}[direction]
        case BetweenTail():
            assert last is not None
            return ((start, Edge(last=True, extra=1) if last.end is None else Edge(last=True, end=True)),)
        case DistanceTail(op, count, unit, direction):
            width = Edge(extra=1)
            if not instant and first.is_day:
                width = Edge(extra=DAY) if zone == UTC else Edge(days=1)
            return _distance(op, count, unit, direction, past if instant else start, width)
        case _:
            assert_never(tail)


def _distance(op: str, count: int, unit: Unit, direction: str, not_later: Edge, width: Edge) -> tuple[EdgeRange, ...]:
    def edge(steps: int, extra: int = 0, days: int = 0) -> Edge:
        return Edge(steps=steps, unit=unit, extra=extra, days=days)

    def ending(steps: int) -> Edge:
        return edge(steps, width.extra, width.days)

    near, far = edge(-count), edge(count)
    if op in ("=", "!="):
        points = {"before": (-count,), "after": (count,), "from": (-count, count)}[direction]
        if op == "=":
            return tuple((edge(point), ending(point)) for point in points)
        bounds: list[Edge | None] = [None]
        for point in points:
            bounds += [edge(point), ending(point)]
        bounds.append(None)
        return tuple(zip(bounds[::2], bounds[1::2], strict=True))
    strict = op in ("<", ">")
    if op in ("<", "<="):
        since, until = edge(-count, 1 if strict else 0), edge(count, 0 if strict else 1)
        match direction:
            case "before":
                return ((since, not_later),)
            case "after":
                return ((Edge(), until),)
            case _:
                return ((since, until),)
    below: EdgeRange = (None, near if strict else edge(-count, 1))
    above: EdgeRange = (edge(count, 1) if strict else far, None)
    return {"before": (below,), "after": (above,), "from": (below, above)}[direction]


def place(edge: Edge, first: Interval, last: Interval | None = None, *, zone: str = UTC) -> int:
    """Return the instant of an edge at known times."""
    time = (last if edge.last else first) or first
    base = time.end if edge.end and time.end is not None else time.start
    at = shift(base, edge.steps, edge.unit, zone)
    if edge.days:
        at = from_local(to_local(at, zone) + edge.days * DAY, zone)
    return at + edge.extra


def ranges(tail: Tail, first: Interval, last: Interval | None = None, *, zone: str = UTC) -> tuple[Range, ...]:
    """Return the half-open ranges of instants that a tail admits, empty ones left out."""

    def placed(edge: Edge | None) -> int | None:
        return None if edge is None else place(edge, first, last, zone=zone)

    pairs = [(placed(low), placed(high)) for low, high in edges(tail, first, last, zone=zone)]
    return tuple((low, high) for low, high in pairs if low is None or high is None or low < high)


def canonical_distance(count: int, unit: Unit) -> tuple[int, Unit]:
    """Return the same distance in the largest unit that measures it whole: 720 hours are 30 days, 12 months a year."""
    if unit in LENGTHS:
        total = count * LENGTHS[unit]
        candidates: tuple[Unit, ...] = ("day", "hour", "minute", "second")
        best: Unit = next((name for name in candidates if total % LENGTHS[name] == 0), "millisecond")
        return total // LENGTHS[best], best
    months = count * MONTHS[unit]
    return (months // 12, "year") if months % 12 == 0 else (months, "month")
