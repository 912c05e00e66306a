"""The time of the year: what a model would have missed at the same date a year before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coterie.prediction.data.cutoffs import YEAR, Cutoffs
from coterie.prediction.frame import Examples
from coterie.prediction.modelling import roles
from coterie.prediction.modelling.backtest import Tested
from coterie.prediction.modelling.calibration import shift
from coterie.prediction.modelling.distributions import psi
from coterie.prediction.modelling.evaluation import Season
from coterie.prediction.odds import Floats, log_loss, probability

TRUSTED = 0.5
"""The part of what was missed a year ago that is taken to come again: a judgement, not measured."""
CHANGED = 0.25
"""A stability index of the time people had been customers above which a year ago tells nothing of today."""
NEWNESS = (30, 90, 180, 365)
"""Days people had been customers, as they are compared: after a year one more makes little difference."""
LEAST_TESTS = 2


@dataclass(frozen=True)
class YearAgo:
    """People at the instants a year before the prediction and before the back-tests, and what the model is for.

    Parameters
    ----------
    examples : Examples
        They, with what came of it.
    seasonal : bool, optional
        Whether the business is seasonal, when somebody said so.
    """

    examples: Examples
    seasonal: bool | None = None


@dataclass(frozen=True)
class _Missed:
    predicted: float
    observed: float
    shift: float


def look_back(
    year_ago: YearAgo, examples: Examples, cutoffs: Cutoffs, tested: Tested, odds: Floats, seed: int
) -> Season | None:
    """Return what would have been missed at the same date a year ago, and whether log-odds are to be moved for it.

    A logistic regression of the other windows predicts that date, and half of the intercept that would have been right
    is what log-odds would be moved by. They are moved when somebody said that the business is seasonal, or when the
    same would have helped in each of at least two back-tests (each from what was known at it); never when people have
    been customers for other lengths of time than then.

    Parameters
    ----------
    year_ago : YearAgo
        The people a year ago.
    examples : Examples
        What the model learns from.
    cutoffs : Cutoffs
        Its cut-offs.
    tested, odds : Tested and array of float
        The back-tests and what was predicted there.
    seed : int
        Of what is drawn.

    Returns
    -------
    Season or None
        None when the history does not reach back to that date.
    """
    then = cutoffs.scoring - YEAR
    missed = _missed(year_ago.examples, examples, cutoffs, then, np.ones(len(examples), np.bool_), seed)
    if missed is None:
        return None
    moved = TRUSTED * missed.shift
    gains = _gains(year_ago, examples, cutoffs, tested, odds, seed)
    helped = len(gains) >= LEAST_TESTS and min(gains) > 0
    if _changed(year_ago.examples, examples, then):
        applied, reason = False, "people had been customers for other lengths of time a year ago than now"
    elif year_ago.seasonal is not None:
        applied = year_ago.seasonal
        reason = f"the model is stated to be {'seasonal' if applied else 'not seasonal'}"
    elif len(gains) < LEAST_TESTS:
        applied, reason = False, "the history does not reach back far enough to test it on past windows"
    else:
        applied = helped
        reason = (
            f"it would {'' if helped else 'not '}have helped in {'each' if helped else 'all'} of {len(gains)} windows"
        )
    newest = tested.of(0)
    weight = tested.weight[newest]
    return Season(
        cutoff=then,
        predicted=missed.predicted,
        observed=missed.observed,
        shift=moved,
        mean_without=float(np.average(probability(odds[newest]), weights=weight)) if len(newest) else None,
        mean_with=float(np.average(probability(odds[newest] + moved), weights=weight)) if len(newest) else None,
        applied=applied,
        reason=reason,
    )


def _gains(
    year_ago: YearAgo, examples: Examples, cutoffs: Cutoffs, tested: Tested, odds: Floats, seed: int
) -> list[float]:
    """Return by how much the log-loss of each back-test would have fallen, by what was known at it."""
    found = []
    for number, test in enumerate(tested.cutoffs):
        closed = next((fold.train for fold in cutoffs.folds if fold.test == test), ())
        known = np.isin(examples.frame.cutoffs, closed)
        missed = _missed(year_ago.examples, examples, cutoffs, test - YEAR, known, seed)
        if missed is not None:
            places = tested.of(number)
            label = tested.label[places]
            plain, moved = (log_loss(odds[places] + by, label) for by in (0.0, TRUSTED * missed.shift))
            found.append(float(np.average(plain - moved, weights=tested.weight[places])))
    return found


def _missed(
    past: Examples, examples: Examples, cutoffs: Cutoffs, then: int, known: npt.NDArray[np.bool_], seed: int
) -> _Missed | None:
    """Return what a model of the windows that do not overlap with that of an instant would have missed at it."""
    from coterie.prediction.learners import logistic

    asked = np.flatnonzero(past.frame.cutoffs == then)
    window = cutoffs.scoring - max(cutoffs.training, default=cutoffs.scoring)
    learnt = np.flatnonzero(known & (np.abs(examples.frame.cutoffs - then) >= window))
    if not len(asked) or not len(learnt) or len(np.unique(examples.label[learnt])) < 2:
        return None
    model = logistic.fit(
        examples.frame.features,
        examples.frame.values[learnt],
        examples.label[learnt],
        examples.weight[learnt],
        seed=seed,
    )
    odds = model.log_odds(past.frame.values[asked])
    label, weight = past.label[asked], past.weight[asked]
    return _Missed(
        float(np.average(probability(odds), weights=weight)),
        float(np.average(label, weights=weight)),
        shift(odds, label, weight),
    )


def _changed(past: Examples, examples: Examples, then: int) -> bool:
    """Return whether people have been customers for other lengths of time than then, as far as could be known then."""
    column = roles.tenure(examples.frame.features)
    if column is None:
        return True
    before = past.frame.values[past.frame.cutoffs == then, column].astype(np.float64)
    now = examples.frame.values[examples.frame.cutoffs == examples.frame.cutoffs.max(), column].astype(np.float64)
    before, now = before[~np.isnan(before)], now[~np.isnan(now)]
    if not len(before) or not len(now):
        return True
    edges = [days for days in NEWNESS if days < 0.95 * float(before.max())]
    shares = [
        np.bincount(np.digitize(values, edges), minlength=len(edges) + 1) / len(values) for values in (before, now)
    ]
    return psi(shares[0], shares[1]) > CHANGED
