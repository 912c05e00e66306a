"""When the events of a goal are expected: a discrete-time hazard, learnt from the same features.

The window is divided into weeks, a short one into days. For everybody for whom the events have not occurred by the
start of a week, the hazard is the chance that they do so in it; a logistic regression whose coefficients change with
time learns it from a row for each person and week (Singer and Willett 1993; Tutz and Schmid, Modeling Discrete
Time-to-Event Data, 2016). The curve of a person is then scaled, as proportional hazards are (Cox 1972), to end at the
main probability.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from coterie.prediction.data.cutoffs import Cutoffs
from coterie.prediction.frame import Examples, Frame
from coterie.prediction.learners.logistic import BATCH, Column, Design, columns_of
from coterie.prediction.modelling.trained import OutOfTime
from coterie.prediction.odds import Floats, probability
from coterie.prediction.why.explanation import Timing, TimingTest
from coterie.prediction.why.scale import spread

FILE = "survival.json"
DAILY = 14
"""Windows of up to so many days are divided into days."""
WEEK = 7
CELLS = 5_000_000
"""Cells of the table that coefficients are learnt from; rows are drawn when there would be more."""
LEVELLED = 100_000
"""People at most that the levels are learnt from: the coefficients tell people apart, the levels how many it is."""
PENALTY = 0.01
"""Scikit-learn's C."""
FREE = 10.0
"""The columns that tell the week are stretched by this, which takes the penalty off them."""
NEWTON = 20
"""Steps in which the levels are found."""


@dataclass(frozen=True)
class Survival:
    """A hazard for each period of the window.

    Parameters
    ----------
    ends : array of int, shape (periods,)
        The last day of each period, counted from the start of the window.
    columns : tuple of Column
        What the features are turned into.
    level : array of float, shape (periods,)
        Log-odds of the hazard where every column is at its centre.
    weights, drifts : array of float, shape (columns,)
        Coefficients in the middle of the window, and how they change over it.
    """

    ends: npt.NDArray[np.int64]
    columns: tuple[Column, ...]
    level: Floats
    weights: Floats
    drifts: Floats

    @cached_property
    def _design(self) -> Design:
        return Design(self.columns)

    def cumulated(self, frame: Frame) -> Floats:
        """Return the cumulated hazard at the end of each period, a row for each person: ``-ln P(not yet)``."""
        return np.logaddexp(0.0, self.odds(frame)).cumsum(axis=1)

    def odds(self, frame: Frame) -> Floats:
        """Return the log-odds of the hazard in each period, a row for each person."""
        made = np.empty((len(frame), len(self.ends)))
        times = clock(len(self.ends))
        for start in range(0, len(frame), BATCH):
            values = frame.values[start : start + BATCH]
            steady, drifting = np.zeros(len(values)), np.zeros(len(values))
            for z, weight, drift in zip(self._design.of(values).T, self.weights, self.drifts, strict=True):
                steady += weight * z
                drifting += drift * z
            made[start : start + BATCH] = self.level + steady[:, None] + drifting[:, None] * times
        return made

    def within(self, frame: Frame) -> Floats:
        """Return the probability that the events occur in the window, as the hazards alone have it."""
        return -np.expm1(-self.cumulated(frame)[:, -1])

    def expected_days(self, frame: Frame, at_end: Floats) -> npt.NDArray[np.int32]:
        """Return, if the events occur in the window, the day by which they have for half of such people.

        Parameters
        ----------
        frame : Frame
            Features, a row for each person.
        at_end : array of float, shape (n,)
            Probability of the events in the window, by the main model.
        """
        hazard = scaled(self.cumulated(frame), at_end)
        half = -np.log1p(-np.clip(at_end, 0.0, 1 - 1e-9) / 2)
        period = np.minimum((hazard < half[:, None]).sum(axis=1), len(self.ends) - 1)
        starts = np.concatenate([[0], self.ends[:-1]])
        before = np.where(period > 0, np.take_along_axis(hazard, np.maximum(period - 1, 0)[:, None], 1)[:, 0], 0.0)
        step = np.take_along_axis(hazard, period[:, None], 1)[:, 0] - before
        part = np.clip((half - before) / np.maximum(step, 1e-300), 0.0, 1.0)
        days = starts[period] + part * (self.ends[period] - starts[period])
        whole: npt.NDArray[np.int32] = np.clip(np.ceil(days - 1e-9), 1, self.ends[-1]).astype(np.int32)
        return whole

    def timing(self, frame: Frame, at_end: Floats) -> list[Timing]:
        """Return the curve of each person, day by day."""
        days = np.arange(1, int(self.ends[-1]) + 1)
        hazard = scaled(self.cumulated(frame), at_end)
        knots = np.concatenate([[0], self.ends])
        expected = self.expected_days(frame, at_end)
        return [
            Timing(
                tuple(days.tolist()),
                tuple(np.round(-np.expm1(-np.interp(days, knots, np.concatenate([[0.0], row]))), 6).tolist()),
                int(day),
            )
            for row, day in zip(hazard, expected, strict=True)
        ]

    def files(self) -> dict[str, bytes]:
        """Return what must be kept of it, by file name."""
        kept = {
            "ends": self.ends.tolist(),
            "columns": [[c.feature, c.part, c.centre, c.scale, c.value] for c in self.columns],
            "level": self.level.tolist(),
            "weights": self.weights.tolist(),
            "drifts": self.drifts.tolist(),
        }
        return {FILE: msgspec.json.encode(kept)}


def read(files: Mapping[str, bytes]) -> Survival:
    """Read what `Survival.files` returned."""
    kept: dict[str, Any] = msgspec.json.decode(files[FILE])
    return Survival(
        np.array(kept["ends"], np.int64),
        tuple(Column(*column) for column in kept["columns"]),
        np.array(kept["level"]),
        np.array(kept["weights"]),
        np.array(kept["drifts"]),
    )


def periods(window_days: int) -> npt.NDArray[np.int64]:
    """Return the last day of each period of a window.

    Examples
    --------
    >>> periods(3).tolist(), periods(30).tolist()
    ([1, 2, 3], [7, 14, 21, 28, 30])
    """
    step = 1 if window_days <= DAILY else WEEK
    ends = np.arange(step, window_days, step)
    return np.append(ends, window_days).astype(np.int64)


def clock(number: int) -> Floats:
    """Return where each of so many periods lies, from -1 at the start of the window to 1 at its end."""
    return np.linspace(-1.0, 1.0, number) if number > 1 else np.zeros(1)


def scaled(cumulated: Floats, at_end: Floats) -> Floats:
    """Return cumulated hazards that end where the main probability has it."""
    wanted = -np.log1p(-np.clip(at_end, 0.0, 1 - 1e-9))
    return cumulated * (wanted / np.maximum(cumulated[:, -1], 1e-300))[:, None]


def fit(examples: Examples, window_days: int, *, seed: int) -> Survival:
    """Learn the hazards.

    Parameters
    ----------
    examples : Examples
        Features, and the day on which the events had occurred.
    window_days : int
        Length of the window.
    seed : int
        Of the choice of rows when there are more than enough.
    """
    frame = examples.frame
    ends = periods(window_days)
    number = len(ends)
    weight = examples.weight / examples.weight.mean()
    columns = tuple(
        column
        for place, feature in enumerate(frame.features)
        for column in columns_of(place, feature, frame.values[:, place], weight)
    )
    occurred = examples.day >= 0
    last = np.where(occurred, np.searchsorted(ends, np.maximum(examples.day, 0) + 1), number - 1)
    rows, period, label = _at_risk(last, occurred, CELLS // (number + 2 * len(columns) + 1), seed)
    if label.all() or not label.any():
        return _flat(ends, label)
    times = clock(number)[period]
    design = np.zeros((len(rows), number - 1 + 2 * len(columns)))
    later = np.flatnonzero(period > 0)
    design[later, period[later] - 1] = FREE
    of, where = np.unique(rows, return_inverse=True)
    drawn = frame.values[of]
    for place, column in enumerate(columns):
        z = Design((column,)).of(drawn)[where, 0]
        design[:, number - 1 + 2 * place] = z
        design[:, number + 2 * place] = z * times
    fitted = LogisticRegression(C=PENALTY, solver="newton-cholesky", max_iter=50, tol=1e-6)
    fitted.fit(design, label, sample_weight=weight[rows])
    found = np.array(fitted.coef_[0], np.float64)
    level = float(fitted.intercept_[0]) + np.concatenate([[0.0], FREE * found[: number - 1]])
    learnt = Survival(ends, columns, level, found[number - 1 :: 2].copy(), found[number::2].copy())
    return _levelled(learnt, examples, last, occurred)


def back_test(
    examples: Examples, cutoffs: Cutoffs, window_days: int, out_of_time: OutOfTime, seed: int
) -> TimingTest | None:
    """Return whether timing held at the newest back-test, learnt from windows that had closed by it; None without one.

    Parameters
    ----------
    examples : Examples
        People at the training cut-offs, with what came of it.
    cutoffs : Cutoffs
        Those cut-offs, and the folds.
    window_days : int
        Length of the window.
    out_of_time : OutOfTime
        What the main model predicted at the back-tests.
    seed : int
        Of the choice of rows.
    """
    tested = out_of_time.tested
    if not cutoffs.by_time or not tested.cutoffs:
        return None
    closed = next((fold.train for fold in cutoffs.folds if fold.test == tested.cutoffs[0]), ())
    before = examples.take(np.isin(examples.frame.cutoffs, closed))
    if not before.hit.any():
        return None
    places = tested.of(0)
    survival = fit(before, window_days, seed=seed)
    return assess(survival, examples.take(tested.rows[places]), out_of_time.probability[places])


def assess(survival: Survival, examples: Examples, at_end: Floats | None = None) -> TimingTest:
    """Return whether the timing held for people whom nothing was learnt from.

    Parameters
    ----------
    survival : Survival
        What was learnt before.
    examples : Examples
        People, and what came of them.
    at_end : array of float, optional
        Probability of the events in the window, by the main model.
    """
    weight = examples.weight / examples.weight.sum()
    expected = weight @ -np.expm1(-survival.cumulated(examples.frame))
    occurred = [float(weight @ ((examples.day >= 0) & (examples.day < end))) for end in survival.ends]
    return TimingTest(
        tuple(survival.ends.tolist()),
        tuple(np.round(expected, 6).tolist()),
        tuple(round(share, 6) for share in occurred),
        len(examples),
        None if at_end is None else round(float(expected[-1] - weight @ at_end), 6),
    )


def _at_risk(
    last: npt.NDArray[np.int64], occurred: npt.NDArray[np.bool_], most: int, seed: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    """Return rows of people and periods in which the events may still occur for them, and whether they do.

    Of more than `most`, as many with the events as without are drawn if there are: that moves the levels alone
    (Prentice and Pyke 1979), which are learnt from all.
    """
    bounds = np.cumsum(last + 1)
    hits = np.where(occurred, bounds - 1, -1)
    hits = hits[hits >= 0]
    whole = int(bounds[-1]) if len(bounds) else 0
    if whole > most:
        random = np.random.default_rng(seed)
        kept = random.choice(hits, min(len(hits), most // 2), replace=False)
        others = np.setdiff1d(np.arange(whole), hits)
        others = random.choice(others, min(len(others), most - len(kept)), replace=False)
        places = np.sort(np.concatenate([kept, others]))
    else:
        places = np.arange(whole)
    people = np.searchsorted(bounds, places, side="right")
    return people, places - (bounds - last - 1)[people], np.isin(places, hits)


def _levelled(
    survival: Survival, examples: Examples, last: npt.NDArray[np.int64], occurred: npt.NDArray[np.bool_]
) -> Survival:
    """Return hazards whose sum in each period is the number of people for whom the events occurred in it."""
    rows = spread(len(examples), LEVELLED)
    odds = survival.odds(examples.frame.take(rows))
    periods_ = np.arange(len(survival.ends))
    weight = np.where(periods_ <= last[rows, None], examples.weight[rows, None], 0.0)
    hits = ((periods_ == last[rows, None]) & occurred[rows, None]) * weight
    wanted = np.maximum(hits.sum(axis=0), 0.5)
    shift = np.zeros(len(periods_))
    for _ in range(NEWTON):
        hazard = probability(odds + shift)
        slope = (weight * hazard * (1 - hazard)).sum(axis=0)
        step = (wanted - (weight * hazard).sum(axis=0)) / np.maximum(slope, 1e-9)
        shift += np.clip(step, -1.0, 1.0)
    return replace(survival, level=survival.level + shift)


def _flat(ends: npt.NDArray[np.int64], label: npt.NDArray[np.bool_]) -> Survival:
    """Return the same hazard for everybody: there is nothing to tell people apart by."""
    share = (label.sum() + 0.5) / (len(label) + 1.0)
    level = np.full(len(ends), float(np.log(share) - np.log1p(-share)))
    return Survival(ends, (), level, np.zeros(0), np.zeros(0))
