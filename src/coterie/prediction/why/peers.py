"""Which values are usual in each bucket, and which values attributes have."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from coterie.prediction.frame import Family, Feature, Frame
from coterie.prediction.why.explanation import BUCKETS
from coterie.prediction.why.scale import spread

PEERS = 50_000
"""People of a bucket at most that the ranges of its values are taken from."""

STEPS = 10
"""Quantiles of a number that are kept of an attribute, beside the least value."""


class Peers(Struct, frozen=True):
    """Which values are usual in each bucket, kept with a run for explanations on demand.

    Parameters
    ----------
    ranges : dict of str to list
        For each feature that is a number, the 10th and the 90th percentile of its known values in each bucket; None
        for a bucket in which there are none.
    tried : dict of str to list of float
        For each feature that is an attribute, values that people have: all words, and quantiles of numbers.
    """

    ranges: dict[str, list[tuple[float, float] | None]]
    tried: dict[str, list[float]] = {}

    def table(self, features: tuple[Feature, ...]) -> npt.NDArray[np.float32]:
        """Return the bounds as an array: bucket, feature, low and high."""
        table = np.full((len(BUCKETS), len(features), 2), np.nan, dtype=np.float32)
        for column, feature in enumerate(features):
            for bucket, bounds in enumerate(self.ranges.get(feature.name, ())):
                if bounds is not None:
                    table[bucket, column] = bounds
        return table


def usual(frame: Frame, bucket: npt.NDArray[np.int8]) -> Peers:
    """Return which values are usual among people, of whom each row of a frame is one."""
    ranges: dict[str, list[tuple[float, float] | None]] = {
        feature.name: [] for feature in frame.features if not feature.values
    }
    for number in range(len(BUCKETS)):
        inside = np.flatnonzero(bucket == number)
        inside = inside[spread(len(inside), PEERS)]
        for column, feature in enumerate(frame.features):
            if feature.values:
                continue
            values = frame.values[inside, column]
            values = np.sort(values[~np.isnan(values)])
            if len(values):
                low, high = values[int(0.1 * (len(values) - 1))], values[int(np.ceil(0.9 * (len(values) - 1)))]
                ranges[feature.name].append((float(low), float(high)))
            else:
                ranges[feature.name].append(None)
    return Peers(ranges, _tried(frame))


def _tried(frame: Frame) -> dict[str, list[float]]:
    """Return the values of attributes: each word, and quantiles of numbers."""
    found = {}
    for column, feature in enumerate(frame.features):
        if feature.family is Family.ATTRIBUTES:
            values = frame.values[:, column]
            values = np.sort(values[~np.isnan(values)])
            if not feature.values and len(values):
                values = values[np.linspace(0, len(values) - 1, STEPS + 1).astype(np.intp)]
            found[feature.name] = [float(value) for value in np.unique(values)]
    return found
