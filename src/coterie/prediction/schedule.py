"""When a model is to run: words for the usual intervals, or the five fields of cron.

Fields of cron are minute, hour, day of the month, month, day of the week (0 or 7 is Sunday), each ``*``, a number, a
range ``1-5``, a list ``1,15`` or steps ``*/10``. As in cron(5), when both days are given either of them will do. The
calendar is that of UTC.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from coterie.core.clock import DAY, to_datetime
from coterie.core.errors import Invalid

WORDS = {"daily": 1, "weekly": 7, "monthly": 30}
"""Words for intervals, with their lengths in days; ``once`` has none."""

ONCE, AUTO = "once", "auto"
_BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_NAMES = ("minute", "hour", "day of the month", "month", "day of the week")
_LONGEST = 366 * 4 + 2
"""Days within which a rule of cron that can ever hold does: the 29th of February comes every four years."""


class Cron(NamedTuple):
    """The values that each field allows; `days` and `weekdays` are None when any will do."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int] | None
    months: frozenset[int]
    weekdays: frozenset[int] | None

    def holds_on(self, day: datetime) -> bool:
        """Whether the rule allows a day."""
        if day.month not in self.months:
            return False
        of_month = self.days is not None and day.day in self.days
        of_week = self.weekdays is not None and day.isoweekday() % 7 in self.weekdays
        if self.days is None or self.weekdays is None:
            return (self.days is None or of_month) and (self.weekdays is None or of_week)
        return of_month or of_week


def check(schedule: str, *, words: tuple[str, ...]) -> None:
    """Raise ``model.schedule`` when a schedule is none of the words and no five fields of cron."""
    if schedule not in words:
        read(schedule, words)


def read(text: str, words: tuple[str, ...] = ()) -> Cron:
    """Read five fields of cron; raises ``model.schedule``."""
    fields = text.split()
    if len(fields) != len(_BOUNDS):
        known = ", ".join(words)
        raise _bad(text, f"expected {known + ', or ' if known else ''}five fields of cron, such as 0 6 * * 1")
    values = [_values(text, place, field) for place, field in enumerate(fields)]
    minutes, hours, days, months, weekdays = values
    return Cron(
        tuple(sorted(minutes)),
        tuple(sorted(hours)),
        None if fields[2] == "*" else frozenset(days),
        frozenset(months),
        None if fields[4] == "*" else frozenset(day % 7 for day in weekdays),
    )


def _values(text: str, place: int, field: str) -> set[int]:
    low, high = _BOUNDS[place]
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        if span == "*":
            first, last = str(low), str(high)
        elif not last:
            last = str(high) if step else first
        if not all(word.isascii() and word.isdigit() for word in (first, last, step or "1")):
            raise _bad(text, f"the {_NAMES[place]} {field!r} is not written as numbers, ranges, lists or steps")
        start, end, by = int(first), int(last), int(step or 1)
        if not low <= start <= end <= high or by < 1:
            raise _bad(text, f"the {_NAMES[place]} {field!r} is not between {low} and {high}")
        found.update(range(start, end + 1, by))
    return found


def _bad(text: str, why: str) -> Invalid:
    return Invalid(
        "model.schedule",
        f"schedule {text!r}: {why}.",
        hint="Write once, daily, weekly, monthly, or minute, hour, day, month and weekday, such as 0 6 * * 1.",
        where={"schedule": text},
    )


def next_after(schedule: str, last: int) -> int | None:
    """Return the first instant after `last` at which a schedule asks for a run; None when it never does.

    A word counts from the last run; months keep the day of the month, where there is such a day.

    Parameters
    ----------
    schedule : str
        ``once``, ``daily``, ``weekly``, ``monthly``, or five fields of cron.
    last : int
        The instant of the run before, ms.
    """
    match schedule:
        case "once":
            return None
        case "daily" | "weekly":
            return last + WORDS[schedule] * DAY
        case "monthly":
            moment = to_datetime(last)
            year, month = divmod(moment.year * 12 + moment.month, 12)
            day = min(moment.day, monthrange(year, month + 1)[1])
            return _instant(moment.replace(year=year, month=month + 1, day=day))
        case _:
            return _next_of(read(schedule), last)


def _next_of(cron: Cron, last: int) -> int | None:
    moment = to_datetime(last).replace(second=0, microsecond=0) + timedelta(minutes=1)
    day = moment.replace(hour=0, minute=0)
    for _ in range(_LONGEST):
        if cron.holds_on(day):
            for hour in cron.hours:
                for minute in cron.minutes:
                    found = day.replace(hour=hour, minute=minute)
                    if found >= moment:
                        return _instant(found)
        day += timedelta(days=1)
    return None


def interval(schedule: str, at: int) -> int:
    """Return how far apart runs are, ms: how old scores become before the next ones; a week for ``once``.

    Of cron it is the longest of the next few intervals.
    """
    if schedule == ONCE:
        return WORDS["weekly"] * DAY
    if schedule in WORDS:
        return WORDS[schedule] * DAY
    cron, gaps, instant = read(schedule), [DAY], at
    for _ in range(8):
        following = _next_of(cron, instant)
        if following is None:
            break
        if instant != at:
            gaps.append(following - instant)
        instant = following
    return max(gaps)


def _instant(moment: datetime) -> int:
    return round((moment - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(milliseconds=1))
