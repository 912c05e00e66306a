"""Time of the language for a fixed evaluation instant: words, units, steps, and what `occurs` tails admit.

Instants are integers (ms), so every tail is a set of half-open ranges. A range is first given by `Edge`s, relative to
the times of the tail, so that engines can place them on a column too; `ranges` places them on known times.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from coterie.core.clock import DAY
from coterie.pql.ast import BetweenTail, DirectionTail, DistanceTail, OnTail, RelativeUnit, Tail, TimeWord, Unit

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
    """A time: from `start` to before `end`, or an instant when `end` is None."""

    start: int
    end: int | None = None


@dataclass(frozen=True, slots=True)
class Edge:
    """A place relative to one of the times of a tail.

    `last` chooses the second time of ``between``, `end` its end instead of its start; then `steps` units and
    `extra` ms are added.
    """

    last: bool = False
    end: bool = False
    steps: int = 0
    unit: Unit = "millisecond"
    extra: int = 0


EdgeRange = tuple[Edge | None, Edge | None]


def _days(year: int, month: int, day: int) -> int:
    """Return the days from 1970-01-01 to a proleptic Gregorian date of any year; month 0 or 13 roll over."""
    year, month = year + (month - 1) // 12, (month - 1) % 12 + 1
    shifted = year - (month <= 2)
    era, of_era = divmod(shifted, 400)
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


def civil(at: int) -> tuple[int, int, int]:
    """Return year, month and day of an instant in UTC."""
    era, of_era = divmod(at // DAY + 719_468, 146_097)
    year = (of_era - of_era // 1_460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153
    day = of_year - (153 * month + 2) // 5 + 1
    month = month + 3 if month < 10 else month - 9
    return year + era * 400 + (month <= 2), month, day


def day(year: int, month: int, of_month: int) -> Interval | None:
    """Return the UTC day of a date, or None when there is no such date."""
    if not (1 <= year <= 9999 and 1 <= month <= 12 and of_month >= 1):
        return None
    if of_month > _days(year, month + 1, 1) - _days(year, month, 1):
        return None
    start = _days(year, month, of_month) * DAY
    return Interval(start, start + DAY)


def shift(at: int, steps: int, unit: Unit) -> int:
    """Return the instant `steps` units later: fixed lengths up to the week, calendar steps with the day clamped."""
    if unit in LENGTHS:
        return at + steps * LENGTHS[unit]
    year, month, of_month = civil(at)
    month += steps * MONTHS[unit]
    first = _days(year, month, 1)
    length = _days(year, month + 1, 1) - first
    return (first + min(of_month, length) - 1) * DAY + at % DAY


def unit_start(at: int, unit: Unit) -> int:
    """Return the start of the calendar unit that holds an instant; weeks start on Monday."""
    if unit == "week":
        days = at // DAY
        return (days - (days + 3) % 7) * DAY
    if unit in LENGTHS:
        return at - at % LENGTHS[unit]
    year, month, _ = civil(at)
    if unit == "month":
        return _days(year, month, 1) * DAY
    return _days(year - year % (MONTHS[unit] // 12), 1, 1) * DAY


def interval(time: TimeWord | RelativeUnit, at: int) -> Interval:
    """Return what a time word denotes at the evaluation instant."""
    if isinstance(time, RelativeUnit):
        start = unit_start(at, time.unit)
        start = shift(start, {"last": -1, "this": 0, "next": 1}[time.which], time.unit)
        return Interval(start, shift(start, 1, time.unit))
    if time.word == "now":
        return Interval(at)
    start = unit_start(at, "day") + {"yesterday": -DAY, "today": 0, "tomorrow": DAY}[time.word]
    return Interval(start, start + DAY)


def edges(tail: Tail, first: Interval | None, last: Interval | None = None) -> tuple[EdgeRange, ...]:
    """Return the ranges a tail admits, relative to its times.

    Parameters
    ----------
    tail : Tail
        The tail of an `occurs` or `WHEN`.
    first, last : Interval or None
        Its times, or any intervals of the same form (instant, day, longer): only the form is looked at.

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
            is_day = not instant and first.end == first.start + DAY
            return _distance(op, count, unit, direction, past if instant else start, DAY if is_day else 1)
        case _:
            assert_never(tail)


def _distance(op: str, count: int, unit: Unit, direction: str, not_later: Edge, width: int) -> tuple[EdgeRange, ...]:
    def edge(steps: int, extra: int = 0) -> Edge:
        return Edge(steps=steps, unit=unit, extra=extra)

    near, far = edge(-count), edge(count)
    if op in ("=", "!="):
        points = {"before": (-count,), "after": (count,), "from": (-count, count)}[direction]
        if op == "=":
            return tuple((edge(point), edge(point, width)) for point in points)
        bounds: list[Edge | None] = [None]
        for point in points:
            bounds += [edge(point), edge(point, width)]
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


def ranges(tail: Tail, first: Interval, last: Interval | None = None) -> tuple[Range, ...]:
    """Return the half-open ranges of instants that a tail admits, empty ones left out."""

    def place(edge: Edge | None) -> int | None:
        if edge is None:
            return None
        time = (last if edge.last else first) or first
        base = time.end if edge.end and time.end is not None else time.start
        return shift(base, edge.steps, edge.unit) + edge.extra

    placed = [(place(low), place(high)) for low, high in edges(tail, first, last)]
    return tuple((low, high) for low, high in placed if low is None or high is None or low < high)


def canonical_distance(count: int, unit: Unit) -> tuple[int, Unit]:
    """Return the same distance in the largest unit that measures it whole: 720 hours are 30 days, 12 months a year."""
    if unit in LENGTHS:
        total = count * LENGTHS[unit]
        candidates: tuple[Unit, ...] = ("day", "hour", "minute", "second")
        best: Unit = next((name for name in candidates if total % LENGTHS[name] == 0), "millisecond")
        return total // LENGTHS[best], best
    months = count * MONTHS[unit]
    return (months // 12, "year") if months % 12 == 0 else (months, "month")
