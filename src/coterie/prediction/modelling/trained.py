"""A model that has been trained: what scores people and says what their features contribute."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from coterie.prediction import odds as odds_
from coterie.prediction.frame import Feature, Frame
from coterie.prediction.learners.learner import Learner
from coterie.prediction.modelling.backtest import Tested
from coterie.prediction.modelling.calibration import Calibration
from coterie.prediction.modelling.evaluation import Evaluation
from coterie.prediction.modelling.interval import Interval
from coterie.prediction.modelling.scoremap import ScoreMap
from coterie.prediction.odds import Floats

BATCH = 100_000
"""People scored at a time."""


@dataclass(frozen=True)
class OutOfTime:
    """What the back-tests predicted, person by person: kept in memory while a run lasts, never stored with the model.

    Parameters
    ----------
    tested : Tested
        The people and what came of them; `tested.rows` are their rows among the examples.
    probability : array of float, shape (n,)
        What had been predicted.
    """

    tested: Tested
    probability: Floats


@dataclass(frozen=True)
class Trained:
    """A trained model.

    Parameters
    ----------
    features : tuple of Feature
        The columns it takes.
    learner : Learner
        What was learnt.
    calibration : Calibration
        What is done to its log-odds.
    scores : ScoreMap
        From probabilities to scores.
    interval : Interval
        How far off probabilities were in closed windows.
    evaluation : Evaluation
        How it did at past cut-offs.
    seed : int
        Of all that is drawn at random.
    out_of_time : OutOfTime, optional
        Its back-tests; only right after training.
    """

    features: tuple[Feature, ...]
    learner: Learner
    calibration: Calibration
    scores: ScoreMap
    interval: Interval
    evaluation: Evaluation
    seed: int
    out_of_time: OutOfTime | None = None

    def log_odds(self, frame: Frame) -> Floats:
        """Return the corrected log-odds of each row."""
        found = np.empty(len(frame))
        for start in range(0, len(frame), BATCH):
            rows = np.ascontiguousarray(frame.values[start : start + BATCH])
            found[start : start + BATCH] = self.calibration.apply(self.learner.log_odds(rows))
        return found

    def probability(self, frame: Frame) -> Floats:
        """Return the probability of each row, to six digits."""
        return np.round(odds_.probability(self.log_odds(frame)), 6)

    def contributions(self, frame: Frame) -> tuple[Floats, float]:
        """Return what each feature adds to the corrected log-odds of each row, and the base; together they are the sum.

        One array for all rows is returned: ask for a part of the people at a time when there are many.
        """
        added, base = self.learner.contributions(np.ascontiguousarray(frame.values))
        return self.calibration.rescale(added, base)
