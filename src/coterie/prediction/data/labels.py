"""What came of people after a cut-off: whether, and on which day of the window, the events of the goal occurred."""

from __future__ import annotations

from collections.abc import Mapping
from operator import eq, ge, gt, le, lt
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from coterie.core.clock import DAY
from coterie.prediction.data.events import UNITS
from coterie.prediction.data.features.sheet import read
from coterie.prediction.data.population import Rows
from coterie.prediction.definition import Goal, GoalEvent
from coterie.prediction.frame import Outcomes

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_NEVER = np.int32(np.iinfo(np.int32).max)
_OPS: Final[Mapping[str, Any]] = {"gt": gt, "gte": ge, "lt": lt, "lte": le, "eq": eq}


def outcomes(con: DuckDBPyConnection, goal: Goal, rows: Rows, anchor: int) -> Outcomes:
    """Return what came of people, by the events of the goal in `prediction_mark`.

    Parameters
    ----------
    con : DuckDBPyConnection
        Connection to the history.
    goal : Goal
        The goal.
    rows : Rows
        People at cut-offs.
    anchor : int
        The instant from which the age of events is told, ms.
    """
    back = ((anchor - rows.cutoffs) // DAY).astype(np.int32)
    number = np.arange(len(rows), dtype=np.int32)
    con.register("prediction_asked", {"row": number, "person": rows.people, "back": back})
    days = np.stack([_of_event(con, goal, place, event, len(rows)) for place, event in enumerate(goal.events)])
    con.unregister("prediction_asked")
    day = days.max(axis=0) if goal.combiner == "all_of" else days.min(axis=0)
    hit = day != _NEVER
    label = hit if goal.polarity == "will_occur" else ~hit
    return Outcomes(rows.people, rows.cutoffs, hit, label, np.where(hit, day, -1).astype(np.int32))


def _of_event(con: DuckDBPyConnection, goal: Goal, place: int, event: GoalEvent, rows: int) -> npt.NDArray[np.int32]:
    """Return the day of the window on which an event of the goal was met."""
    total = "count(*)" if event.measure is None else f"coalesce(sum(v{goal.measured.index(event.measure.sum)}), 0)"
    # the day of the window of an event `age` days before the anchor, of a cut-off `back` days before it
    day = f"(r.back - m.age - 1 - {goal.gap_days})"
    found = read(
        con,
        f"""
        SELECT r."row", {day} AS "day", {total} AS total
        FROM prediction_asked r JOIN prediction_mark m ON m.person = r.person
            AND m.age < r.back - {goal.gap_days} AND m.age >= r.back - {goal.lead_days}
        WHERE m.k{place} GROUP BY r."row", "day" ORDER BY r."row", "day"
        """,
    )
    op, bound = ("gte", event.at_least) if event.measure is None else (event.op, round((event.value or 0) * UNITS))
    holds = _OPS[op]
    met = np.full(rows, goal.window_days - 1 if holds(0, bound) else _NEVER, dtype=np.int32)
    numbers, totals = found["row"], found["total"].astype(np.float64)
    if not len(numbers):
        return met
    starts = np.flatnonzero(np.r_[True, numbers[1:] != numbers[:-1]])
    sums = np.cumsum(totals)
    lengths = np.diff(np.r_[starts, len(numbers)])
    before = np.repeat(sums[starts] - totals[starts], lengths)
    so_far = sums - before
    touched, ends = numbers[starts], starts + lengths - 1
    at_end = holds(so_far[ends], bound)
    if op in ("gte", "gt") and not holds(0, bound):
        # met from the first day on which the sum was reached; what is given back later can undo it
        days = np.where(holds(so_far, bound), found["day"], _NEVER)
        first = np.minimum.reduceat(days, starts)
    else:  # it holds of nothing too, or may be undone by more: known at the end alone
        first = np.full(len(starts), goal.window_days - 1)
    met[touched] = np.where(at_end, first, _NEVER)
    return met
