"""Scores of people: probability, score, percentile, bucket and interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coterie.prediction.definition import Buckets
from coterie.prediction.frame import Frame
from coterie.prediction.modelling.trained import Trained
from coterie.prediction.odds import Floats


@dataclass(frozen=True)
class Scores:
    """The scores of people, in the order of the frame they were made from.

    Parameters
    ----------
    people : array of int32
        Persons.
    probability : array of float64
        To six digits.
    score : array of int8
        0 to 100, by the map fixed at training.
    percentile : array of int8
        1 to 100, among the people scored together.
    bucket : array of int8
        Numbers of `BUCKETS`.
    low, high : array of float64
        Ends of the interval, to six digits; it contains the probability.
    """

    people: npt.NDArray[np.int32]
    probability: Floats
    score: npt.NDArray[np.int8]
    percentile: npt.NDArray[np.int8]
    bucket: npt.NDArray[np.int8]
    low: Floats
    high: Floats

    def __len__(self) -> int:
        return len(self.people)


def score(trained: Trained, frame: Frame, buckets: Buckets | None = None) -> Scores:
    """Score people at a cut-off.

    Parameters
    ----------
    trained : Trained
        The model.
    frame : Frame
        Their features.
    buckets : Buckets, optional
        Least scores of `medium` and `high`.
    """
    probability = trained.probability(frame)
    scores = trained.scores.of(probability)
    low, high = trained.interval.around(probability)
    return Scores(
        people=frame.people,
        probability=probability,
        score=scores,
        percentile=percentiles(probability),
        bucket=bucket_of(scores, buckets or Buckets()),
        low=np.minimum(np.round(low, 6), probability),
        high=np.maximum(np.round(high, 6), probability),
    )


def bucket_of(scores: npt.NDArray[np.int8], buckets: Buckets) -> npt.NDArray[np.int8]:
    """Return the bucket of each score."""
    return np.digitize(scores, [buckets.medium, buckets.high]).astype(np.int8)


def percentiles(probability: Floats) -> npt.NDArray[np.int8]:
    """Return ``ceil(100 rank / n)``, rank rising with the probability, the mean rank for equal ones."""
    if not len(probability):
        return np.zeros(0, np.int8)
    _, which, count = np.unique(probability, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    twice = 2 * last - count + 1  # the sum of first and last rank: whole, so that the ceiling is exact
    return (-(-100 * twice // (2 * len(probability))))[which].astype(np.int8)
