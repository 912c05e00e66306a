"""From probabilities to scores of 0 to 100 that mean the same in every run of a version."""

from __future__ import annotations

from typing import Self

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from coterie.prediction.odds import Floats


class ScoreMap(Struct, frozen=True):
    """A rising line through points, fixed at training.

    It sends the hundredths of what the model predicted at back-tests to 0, 1, …, 100. A score of 75 says: as likely as
    those were whom three quarters were less likely than. Unlike a percentile it moves when everybody becomes likelier.

    Parameters
    ----------
    probability : tuple of float
        Rising, at most 103.
    score : tuple of float
        What they are sent to.
    """

    probability: tuple[float, ...]
    score: tuple[float, ...]

    @classmethod
    def learn(cls, probability: Floats, weight: Floats) -> Self:
        """Fix the map on predictions and how many people each stands for; equal ones are sent to their middle."""
        order = np.argsort(probability, kind="stable")
        rising, upto = probability[order], np.cumsum(weight[order])
        middle = upto - weight[order] / 2
        whole = middle[-1] - middle[0]
        share = (middle - middle[0]) / whole if whole > 0 else np.zeros(len(middle))
        quantiles = np.interp(np.arange(101) / 100, share, rising)
        points, first, count = np.unique(quantiles, return_index=True, return_counts=True)
        scores = first + (count - 1) / 2
        if scores[0] > 0 and points[0] > 0:
            points, scores = np.append(0.0, points), np.append(0.0, scores)
        if scores[-1] < 100 and points[-1] < 1:
            points, scores = np.append(points, 1.0), np.append(scores, 100.0)
        return cls(tuple(float(p) for p in points), tuple(float(s) for s in scores))

    def of(self, probability: Floats) -> npt.NDArray[np.int8]:
        """Return the scores of probabilities: the whole points reached."""
        exact = np.interp(probability, self.probability, self.score)
        return np.floor(exact + 1e-9).astype(np.int8)
