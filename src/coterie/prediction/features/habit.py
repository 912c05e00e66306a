"""When: the days of the week and the hours at which people come, and the season."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from coterie.prediction.features.sheet import Sheet, read
from coterie.prediction.frame import Family, Feature
from coterie.prediction.vocabulary import Vocabulary

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

STATEMENT = """
    SELECT r."row", sum(h.n) AS n, sum(h.weekend) AS weekend, sum(h.hours) AS hours
    FROM prediction_row r JOIN prediction_habit h ON h.person = r.person AND h.seen >= r.back GROUP BY r."row"
"""


def features(vocabulary: Vocabulary) -> Iterator[Feature]:
    """Yield what is told of the times at which people come."""
    yield Feature("habit:weekend", Family.HABIT, "weekend", "habit")
    if vocabulary.hours:
        yield Feature("habit:hour", Family.HABIT, "hour", "habit")
    if vocabulary.months:
        yield Feature("habit:month", Family.HABIT, "month", "habit")


def fill(con: DuckDBPyConnection, vocabulary: Vocabulary, sheet: Sheet, cutoffs: npt.NDArray[np.int64]) -> None:
    """Fill in the features of this family from `prediction_row` and `prediction_habit`."""
    found = read(con, STATEMENT)
    rows, n = found["row"], found["n"].astype(np.float64)
    sheet.column("habit:weekend")[rows] = found["weekend"] / n
    if vocabulary.hours:
        sheet.column("habit:hour")[rows] = found["hours"] / n
    if vocabulary.months:
        months = cutoffs.astype("datetime64[ms]").astype("datetime64[M]").astype(np.int64) % 12 + 1
        sheet.column("habit:month")[:] = months
