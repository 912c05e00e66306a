"""When: the days of the week and the hours at which people come, and the season."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from coterie.prediction.data.features.sheet import Columns, Sheet
from coterie.prediction.data.gathering import Gathered
from coterie.prediction.data.vocabulary import Vocabulary
from coterie.prediction.frame import Family, Feature


def features(vocabulary: Vocabulary) -> Iterator[Feature]:
    """Yield what is told of the times at which people come."""
    yield Feature("habit:weekend", Family.HABIT, "weekend", "habit")
    if vocabulary.hours:
        yield Feature("habit:hour", Family.HABIT, "hour", "habit")
    if vocabulary.months:
        yield Feature("habit:month", Family.HABIT, "month", "habit")


def statement(read_from: Gathered) -> str:
    """Return the statement that adds up the times before each cut-off; a row for each row."""
    return f"""
        SELECT r."row", sum(h.n) AS n, sum(h.weekend) AS weekend, sum(h.hours) AS hours
        FROM {read_from.row} r JOIN {read_from.habit} h ON h.person = r.person AND h.seen >= r.back GROUP BY r."row"
    """


def fill(found: Columns, vocabulary: Vocabulary, sheet: Sheet, cutoffs: npt.NDArray[np.int64]) -> None:
    """Fill in the features of this family by what its statement found."""
    rows, n = found["row"], found["n"].astype(np.float64)
    sheet.column("habit:weekend")[rows] = found["weekend"] / n
    if vocabulary.hours:
        sheet.column("habit:hour")[rows] = found["hours"] / n
    if vocabulary.months:
        months = cutoffs.astype("datetime64[ms]").astype("datetime64[M]").astype(np.int64) % 12 + 1
        sheet.column("habit:month")[:] = months
