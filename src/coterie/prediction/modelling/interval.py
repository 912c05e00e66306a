"""Between which rates people with a probability reached the goal in the windows that have closed."""

from __future__ import annotations

from typing import Self

import numpy as np
from msgspec import Struct

from coterie.prediction.modelling import measures
from coterie.prediction.modelling.backtest import Tested
from coterie.prediction.odds import Floats

LEAST_PEOPLE = 200
MOST_BINS = 20


class Window(Struct, frozen=True):
    """A closed window: what had been predicted for it on average, what came about, and the mean gap between the two."""

    cutoff: int
    predicted: float
    observed: float
    ece: float


class Interval(Struct, frozen=True):
    """How far below and above a probability the rates lay, by probability.

    In each back-test people are put into bins of nearly equal probability. The interval of a bin reaches from the
    lowest lower end to the highest upper end of the Wilson intervals of its rates. So it holds both kinds of doubt,
    that of few people and that of windows that differ, without the assumption that the next is like the last.

    Parameters
    ----------
    at : tuple of float
        Mean probabilities of the bins, rising.
    below, above : tuple of float
        How far the interval reaches from there, to either side.
    windows : tuple of Window
        The closed windows, the newest first.
    """

    at: tuple[float, ...]
    below: tuple[float, ...]
    above: tuple[float, ...]
    windows: tuple[Window, ...]

    @classmethod
    def learn(cls, tested: Tested, probability: Floats) -> Self:
        """Learn from back-tests and what had been predicted there."""
        smallest = min((len(tested.of(fold)) for fold in range(len(tested.cutoffs))), default=0)
        numbers = measures.bins(probability, tested.weight, max(1, min(MOST_BINS, smallest // LEAST_PEOPLE)))
        count = int(numbers.max()) + 1 if len(numbers) else 0
        at = np.bincount(numbers, tested.weight * probability) / np.bincount(numbers, tested.weight)
        lowest, highest = np.full(count, np.inf), np.full(count, -np.inf)
        windows = []
        for fold, cutoff in enumerate(tested.cutoffs):
            places = tested.of(fold)
            bins, weight = numbers[places], tested.weight[places]
            p, label = probability[places], tested.label[places]
            total = np.bincount(bins, weight, count)
            some = total > 0
            people = np.bincount(bins, minlength=count)
            rate = np.bincount(bins, weight * label, count) / np.where(some, total, 1.0)
            mean = np.bincount(bins, weight * p, count) / np.where(some, total, 1.0)
            low, high = measures.wilson(rate * people, people)
            # Both are moved to the mean of the bin over all windows, whose predictions differ a little.
            lowest = np.where(some, np.minimum(lowest, low - mean + at), lowest)
            highest = np.where(some, np.maximum(highest, high - mean + at), highest)
            windows.append(
                Window(
                    cutoff,
                    float(np.average(p, weights=weight)),
                    float(np.average(label, weights=weight)),
                    measures.ece(p, label, weight),
                )
            )
        below, above = np.maximum(at - lowest, 0.0), np.maximum(highest - at, 0.0)
        return cls(_numbers(at), _numbers(below), _numbers(above), tuple(windows))

    def around(self, probability: Floats) -> tuple[Floats, Floats]:
        """Return the lower and upper ends of the intervals of probabilities, which they always contain."""
        if not self.at:
            return np.zeros(len(probability)), np.ones(len(probability))
        low = probability - np.interp(probability, self.at, self.below)
        high = probability + np.interp(probability, self.at, self.above)
        return np.clip(low, 0.0, 1.0), np.clip(high, 0.0, 1.0)


def _numbers(values: Floats) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
