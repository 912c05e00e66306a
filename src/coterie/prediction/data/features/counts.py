"""How often and how lately: counts in windows, time since the last and the first, pace, and its change."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from coterie.core.clock import DAY
from coterie.prediction.data.features.sheet import Columns, Sheet, ratio
from coterie.prediction.data.features.subjects import Subject, Subjects
from coterie.prediction.data.gathering import Gathered
from coterie.prediction.frame import Family, Feature


def features(subjects: Subjects) -> Iterator[Feature]:
    """Yield what is told of every subject."""
    for subject in subjects.counted:
        yield from _of(subject)
    windows = tuple(days for days in subjects.vocabulary.windows if days == 90)
    for category in subjects.vocabulary.categories:
        field, code = category.field, f"variety:{category.field}"
        for days in windows:
            yield Feature(f"{field}:distinct_{days}d", Family.CATEGORIES, field, code, days)
        yield Feature(f"{field}:distinct", Family.CATEGORIES, field, code)


def _of(subject: Subject) -> Iterator[Feature]:
    key, name, exposure = subject.key, subject.name, subject.exposure
    often = Family.CATEGORIES if subject.value else Family.FREQUENCY
    since = Family.CATEGORIES if subject.value else Family.RECENCY
    for days in subject.windows:
        yield Feature(f"{key}:n_{days}d", often, name, subject.often, days, exposure=exposure)
    yield Feature(f"{key}:n_all", often, name, subject.often, exposure=exposure)
    yield Feature(f"{key}:recency", since, name, subject.since, exposure=exposure)
    if subject.main:
        yield Feature(f"{key}:tenure", Family.TENURE, name, "tenure")
        yield Feature(f"{key}:recency_of_tenure", Family.TENURE, name, subject.since)
        yield Feature(f"{key}:rate", Family.FREQUENCY, name, subject.often)
    for short, long in subject.trends:
        yield Feature(f"{key}:trend_{short}_{long}", Family.TREND, name, f"trend:{name}", long, exposure=exposure)


def statement(subjects: Subjects, read_from: Gathered) -> str:
    """Return the statement that counts what happened before each cut-off; a row for each row and subject."""
    windows = subjects.vocabulary.windows
    within = "".join(f", sum(n) FILTER (WHERE age < {days}) AS n_{days}" for days in windows)
    return f"""
        SELECT "row", subject, min(latest) AS latest, max(earliest) AS earliest, sum(n) AS n{within}
        FROM (
            SELECT r."row", d.subject, d.n, d.age - r.back AS age, d.latest - r.back::BIGINT * {DAY} AS latest,
                   d.earliest - r.back::BIGINT * {DAY} AS earliest
            FROM {read_from.row} r JOIN {read_from.day} d ON d.person = r.person AND d.seen >= r.back
        ) GROUP BY "row", subject
    """


def fill(found: Columns, subjects: Subjects, sheet: Sheet) -> None:
    """Fill in the features of this family by what its statement found."""
    windows = subjects.vocabulary.windows
    rows, kinds = found["row"], found["subject"]
    fields = [category.field for category in subjects.vocabulary.categories]
    keys = [subject.key for subject in subjects.counted]

    def names(what: str, distinct: str) -> list[str]:
        return [*(f"{key}:{what}" for key in keys), *(f"{field}:{distinct}" for field in fields)]

    counts = {"n_all": ("n", "distinct")} | {f"n_{days}d": (f"n_{days}", f"distinct_{days}d") for days in windows}
    for what, (column, distinct) in counts.items():
        columns = names(what, distinct)
        sheet.zero(columns)
        sheet.scatter(rows, kinds, columns, np.nan_to_num(found[column]))
    never = "-"
    sheet.scatter(rows, kinds, names("recency", never), found["latest"] / DAY)
    sheet.scatter(rows, kinds, names("tenure", never), found["earliest"] / DAY)
    for subject in subjects.counted:
        _derive(subject, sheet)


def _derive(subject: Subject, sheet: Sheet) -> None:
    key = subject.key
    if subject.main:
        tenure = sheet.column(f"{key}:tenure")
        sheet.column(f"{key}:recency_of_tenure")[:] = ratio(sheet.column(f"{key}:recency"), tenure)
        # whoever came a minute ago has no pace of 1,440 a day
        sheet.column(f"{key}:rate")[:] = sheet.column(f"{key}:n_all") / np.maximum(tenure, 1)
    for short, long in subject.trends:
        recent, before = (sheet.column(f"{key}:n_{days}d") / np.float32(days) for days in (short, long))
        sheet.column(f"{key}:trend_{short}_{long}")[:] = ratio(recent, before)
