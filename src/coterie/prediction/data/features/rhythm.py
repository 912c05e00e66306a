"""At which intervals: days with an event, the gaps between them, and the silence against the usual gap."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from coterie.prediction.data.features.sheet import Columns, Sheet, ratio
from coterie.prediction.data.features.subjects import Subjects
from coterie.prediction.data.gathering import Gathered
from coterie.prediction.definition import Goal
from coterie.prediction.frame import Family, Feature

WINDOWS = (30, 90, 365)
"""Days in which those with an event are counted."""
WEEK = 7
_GAPS = ("mean", "median", "sd", "min", "max", "last")


def features(subjects: Subjects, goal: Goal) -> Iterator[Feature]:
    """Yield what is told of the rhythm of the main kinds of events."""
    for subject in subjects.counted:
        if not subject.main:
            continue
        key, name = subject.key, subject.name
        for days in _windows(subjects):
            yield Feature(f"{key}:days_{days}d", Family.FREQUENCY, name, subject.often, days)
        yield Feature(f"{key}:days_all", Family.FREQUENCY, name, subject.often)
        weekly = ("weekdays",) if _weekdays(goal) else ()
        for what in (*(f"gap_{what}" for what in _GAPS), "cv", "overdue", *weekly):
            yield Feature(f"{key}:{what}", Family.RHYTHM, name, f"rhythm:{name}")


def _windows(subjects: Subjects) -> list[int]:
    return [days for days in subjects.vocabulary.windows if days in WINDOWS]


def _weekdays(goal: Goal) -> list[int]:
    """Return the ages in days, modulo a week, of days of the past on the weekdays of the window; none for all of them.

    The day of the past of age `a` and that of the window `d` are of the same weekday where `a + 1 + d` are whole weeks.
    """
    if goal.window_days >= WEEK:
        return []
    return sorted((-1 - goal.gap_days - day) % WEEK for day in range(goal.window_days))


def statement(subjects: Subjects, goal: Goal, read_from: Gathered) -> str:
    """Return the statement that tells of the gaps before each cut-off; a row for each row and kind of events."""
    windows, weekdays = _windows(subjects), _weekdays(goal)
    within = "".join(f", count(*) FILTER (WHERE age < {days}) AS days_{days}" for days in windows)
    if weekdays:
        within += f", avg((age % {WEEK} IN ({', '.join(map(str, weekdays))}))::INTEGER) AS weekdays"
    return f"""
        SELECT "row", subject, count(*) AS days, count(gap) AS n, sum(gap) AS total, sum(gap * gap) AS squares,
               median(gap) AS middle, min(gap) AS least, max(gap) AS most, arg_min(gap, age) AS latest{within}
        FROM (
            SELECT r."row", g.subject, g.gap::BIGINT AS gap, g.age - r.back AS age
            FROM {read_from.row} r JOIN {read_from.gap} g ON g.person = r.person AND g.seen >= r.back
        ) GROUP BY "row", subject
    """


def fill(found: Columns, subjects: Subjects, goal: Goal, sheet: Sheet) -> None:
    """Fill in the features of this family by what its statement found."""
    windows = _windows(subjects)
    rows, kinds = found["row"], found["subject"]
    keys = [subject.key for subject in subjects.counted]
    counted = {"days_all": "days"} | {f"days_{days}d": f"days_{days}" for days in windows}
    for what, column in counted.items():
        names = [f"{key}:{what}" for key in keys]
        sheet.zero(names)
        sheet.scatter(rows, kinds, names, found[column])
    n, total, squares = (found[name].astype(np.float64) for name in ("n", "total", "squares"))
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / n
        spread = np.sqrt(np.maximum(squares / n - mean**2, 0))
    spread[n < 2] = np.nan  # one gap tells nothing of how much they vary
    told = dict(
        zip(_GAPS, (mean, found["middle"], spread, found["least"], found["most"], found["latest"]), strict=True)
    )
    for what, values in told.items():
        sheet.scatter(rows, kinds, [f"{key}:gap_{what}" for key in keys], values)
    if _weekdays(goal):
        sheet.scatter(rows, kinds, [f"{key}:weekdays" for key in keys], found["weekdays"])
    for subject in subjects.counted:
        if subject.main:
            key = subject.key
            sheet.column(f"{key}:cv")[:] = ratio(sheet.column(f"{key}:gap_sd"), sheet.column(f"{key}:gap_mean"))
            sheet.column(f"{key}:overdue")[:] = ratio(sheet.column(f"{key}:recency"), sheet.column(f"{key}:gap_median"))
