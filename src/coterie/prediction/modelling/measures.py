"""How well predictions rank people and how true they are: measures of weighted predictions, without loops over them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from coterie.prediction.odds import LEAST, Floats

Bools = npt.NDArray[np.bool_]
Z95 = 1.959963984540054
TENTH = 0.1


@dataclass(frozen=True)
class Ranking:
    """People by falling prediction, those of equal prediction together, so that other weights cost no sorting.

    Parameters
    ----------
    order : array of int, shape (n,)
        Rows, the highest first.
    ends : array of int
        Place of the last of each group of equal predictions.
    label : array of bool, shape (n,)
        Labels in that order.
    """

    order: npt.NDArray[np.intp]
    ends: npt.NDArray[np.intp]
    label: Bools

    @classmethod
    def of(cls, prediction: Floats, label: Bools) -> Self:
        """Sort predictions."""
        order = np.argsort(-prediction, kind="stable")
        falling = prediction[order]
        last = np.append(falling[1:] != falling[:-1], True) if len(falling) else np.zeros(0, np.bool_)
        ends = np.flatnonzero(last)
        return cls(order, ends, label[order])

    def curve(self, weight: Floats) -> tuple[Floats, Floats]:
        """Return the weight of all people, and of the positive ones, down to the end of each group."""
        falling = weight[self.order]
        return np.cumsum(falling)[self.ends], np.cumsum(np.where(self.label, falling, 0.0))[self.ends]

    def auc(self, weight: Floats) -> float:
        """Return how often a positive is ranked above a negative, ties counting half; NaN with one kind only."""
        everybody, positive = self.curve(weight)
        return _auc(everybody, positive)

    def measures(self, weight: Floats) -> tuple[float, float, float]:
        """Return the AUC, the average precision and the lift of the first tenth, all three of one pass."""
        everybody, positive = self.curve(weight)
        return _auc(everybody, positive), _average_precision(everybody, positive), _lift(everybody, positive)


def _auc(everybody: Floats, positive: Floats) -> float:
    if not len(everybody):
        return float("nan")
    negative = everybody - positive
    pairs = positive[-1] * negative[-1]
    if pairs <= 0:
        return float("nan")
    before = np.concatenate([[0.0], positive[:-1]])
    return float(np.sum(np.diff(negative, prepend=0.0) * (before + positive) / 2) / pairs)


def _average_precision(everybody: Floats, positive: Floats) -> float:
    if not len(everybody) or positive[-1] <= 0:
        return float("nan")
    precision = positive / np.maximum(everybody, np.finfo(float).tiny)
    return float(np.sum(np.diff(positive, prepend=0.0) * precision) / positive[-1])


def _lift(everybody: Floats, positive: Floats) -> float:
    if not len(everybody) or positive[-1] <= 0:
        return float("nan")
    return float(gained(everybody, positive, np.array([TENTH]))[0] / TENTH)


def gained(everybody: Floats, positive: Floats, shares: Floats) -> Floats:
    """Return the share of all positives among the first `shares` of people; within a group of ties, their mean."""
    x = np.concatenate([[0.0], everybody / everybody[-1]])
    y = np.concatenate([[0.0], positive / positive[-1]])
    shown: Floats = np.interp(shares, x, y)
    return shown


def auc(prediction: Floats, label: Bools, weight: Floats | None = None) -> float:
    """Return the area under the ROC curve; NaN when there is only one class."""
    return Ranking.of(prediction, label).auc(np.ones(len(label)) if weight is None else weight)


def brier(probability: Floats, label: Bools, weight: Floats | None = None) -> float:
    """Return the mean square of what probabilities missed (Brier 1950)."""
    return float(np.average((probability - label) ** 2, weights=weight))


def log_loss(probability: Floats, label: Bools, weight: Floats | None = None) -> float:
    """Return the mean of minus the logarithm of the probability given to what happened."""
    p = np.clip(np.where(label, probability, 1.0 - probability), LEAST, 1.0)
    return float(np.average(-np.log(p), weights=weight))


def bins(prediction: Floats, weight: Floats, count: int) -> npt.NDArray[np.intp]:
    """Return the bin of each prediction: bins of equal weight, equal predictions in the same one."""
    ranking = Ranking.of(-prediction, np.zeros(len(prediction), np.bool_))
    if not len(prediction):
        return np.zeros(0, np.intp)
    upto = np.cumsum(weight[ranking.order])[ranking.ends]
    middle = (np.concatenate([[0.0], upto[:-1]]) + upto) / 2
    of_group = np.minimum((middle / upto[-1] * count).astype(np.intp), count - 1)
    sizes = np.diff(ranking.ends, prepend=-1)
    numbers = np.empty(len(prediction), np.intp)
    numbers[ranking.order] = np.repeat(of_group, sizes)
    return np.unique(numbers, return_inverse=True)[1]


def ece(probability: Floats, label: Bools, weight: Floats | None = None, count: int = 10) -> float:
    """Return the expected calibration error: the mean gap between prediction and rate over bins of equal size."""
    if not len(probability):
        return float("nan")
    weight = np.ones(len(probability)) if weight is None else weight
    numbers = bins(probability, weight, count)
    missed = np.bincount(numbers, weight * (probability - label))
    return float(np.abs(missed).sum() / weight.sum())


def wilson(positive: npt.ArrayLike, people: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Return the 95 % interval of rates (Wilson 1927); 0 to 1 where there is nobody."""
    n = np.asarray(people, np.float64)
    some = np.maximum(n, 1e-12)
    rate = np.clip(np.asarray(positive, np.float64) / some, 0.0, 1.0)
    middle = (rate + Z95**2 / (2 * some)) / (1 + Z95**2 / some)
    half = Z95 * np.sqrt(rate * (1 - rate) / some + Z95**2 / (4 * some**2)) / (1 + Z95**2 / some)
    low, high = np.clip(middle - half, 0.0, 1.0), np.clip(middle + half, 0.0, 1.0)
    return np.where(n > 0, low, 0.0), np.where(n > 0, high, 1.0)


def draws(people: npt.NDArray[np.integer], weight: Floats, repeats: int, seed: int) -> Iterator[Floats]:
    """Return weights that draw persons anew, with all of their rows: a bootstrap without copies.

    A person is drawn a Poisson number of times, which for many persons is what drawing with replacement comes to
    (Hanley and MacGibbon 2006).
    """
    rows = np.unique(people, return_inverse=True)[1]
    count = int(rows.max()) + 1 if len(rows) else 0
    random = np.random.default_rng(seed)
    for _ in range(repeats):
        yield random.poisson(1.0, count)[rows] * weight


def percentile_interval(values: Floats) -> tuple[float, float]:
    """Return the 2.5 % and 97.5 % quantiles of what is known; NaN when nothing is."""
    known = values[~np.isnan(values)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, [0.025, 0.975])
    return float(low), float(high)
