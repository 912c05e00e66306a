"""Distributions over bins that are fixed at training, and how far one is from another.

The measure is the population stability index (PSI): over bins, the sum of the difference of shares times the logarithm
of their ratio.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from coterie.core.clock import DAY

MOVING = 0.1
"""From this index between the halves of training on a feature moves by itself, and its movement is taken off."""
_BINS = 10
_LEAST = 1e-4
_LEAST_WIDTH = 0.05
"""Of a bin, against the width of nearly all values: a move within it changes no prediction."""

Floats = npt.NDArray[np.floating]
Instants = npt.NDArray[np.int64]


class Bins(Struct, frozen=True):
    """A distribution at training.

    Parameters
    ----------
    name, factor : str
        The feature, and its factor.
    edges : tuple of float
        Upper bounds of all bins but the last; of categories there are none, and each value has a bin.
    values : int
        How many categories there are; 0 for numbers.
    shares : tuple of float
        The share of each bin; the last is that of missing values, and of categories the one before it that of values
        that training never saw.
    slope : float
        By how much values grow in a day while nothing happens, such as the time since somebody became a customer.
    moved : float
        The index between the earlier and the later half of the cut-offs, without that growth.
    """

    name: str
    factor: str
    edges: tuple[float, ...]
    values: int
    shares: tuple[float, ...]
    slope: float
    moved: float


def psi(before: npt.NDArray[np.float64], now: npt.NDArray[np.float64], people: int | None = None) -> float:
    """Return the population stability index of two distributions over the same bins.

    An empty bin counts as one ten-thousandth, so that the index is a number; of few people, as half a person.

    Examples
    --------
    >>> round(psi(np.array([0.5, 0.5]), np.array([0.25, 0.75])), 4)
    0.2747
    """
    least = max(_LEAST, 0.5 / people) if people else _LEAST
    filled = (before > 0) | (now > 0)
    old, new = np.maximum(before[filled], _LEAST), np.maximum(now[filled], least)
    return float(((new - old) * np.log(new / old)).sum())


def bins_of(
    name: str,
    factor: str,
    values: Floats,
    cutoffs: Instants,
    weight: Floats,
    *,
    categories: int = 0,
    grows: bool = False,
) -> Bins:
    """Return the distribution of values over ten bins of about equal size, or over categories.

    `weight` tells how many people each row stands for, `grows` that values grow with time whatever people do: what they
    grew between the halves of training is taken off.
    """
    later = _later(cutoffs)
    bins = _filled(Bins(name, factor, (), categories, (), 0.0, 0.0), values, later, weight)
    if not grows or bins.moved <= MOVING:
        return bins
    apart = float(cutoffs[later].mean() - cutoffs[~later].mean()) / DAY
    slope = float(np.nanmean(values[later]) - np.nanmean(values[~later])) / apart
    still = _filled(Bins(name, factor, (), 0, (), slope, 0.0), values - _growth(slope, cutoffs), later, weight)
    return still if still.moved < bins.moved / 2 else bins


def shares_of(bins: Bins, values: Floats, cutoffs: Instants) -> npt.NDArray[np.float64]:
    """Return the share of values in each bin, as `Bins.shares` has them."""
    return _shares(bins, values - _growth(bins.slope, cutoffs) if bins.slope else values, np.ones(len(values)))


def _growth(slope: float, cutoffs: Instants) -> npt.NDArray[np.float64]:
    """Return by how much values have grown since the epoch: a growth taken off everywhere moves no distribution."""
    grown: npt.NDArray[np.float64] = slope * (cutoffs / DAY)
    return grown


def _later(cutoffs: Instants) -> npt.NDArray[np.bool_]:
    """Return which rows are of the later half of the cut-offs; none where there is only one."""
    known = np.unique(cutoffs)
    found: npt.NDArray[np.bool_] = cutoffs >= known[len(known) // 2] if len(known) > 1 else np.zeros(len(cutoffs), bool)
    return found


def _filled(bins: Bins, values: Floats, later: npt.NDArray[np.bool_], weight: Floats) -> Bins:
    known = values[~np.isnan(values)]
    edges = _edges(known) if not bins.values and len(known) else ()
    bins = Bins(bins.name, bins.factor, edges, bins.values, (), bins.slope, 0.0)
    moved = 0.0
    if later.any():
        early, late = _shares(bins, values[~later], weight[~later]), _shares(bins, values[later], weight[later])
        moved = max(0.0, psi(early, late) - _noise(early + late, int((~later).sum()), int(later.sum())))
    shares = tuple(map(float, _shares(bins, values, weight)))
    return Bins(bins.name, bins.factor, edges, bins.values, shares, bins.slope, moved)


def _edges(known: Floats) -> tuple[float, ...]:
    """Return deciles, as far as they lie apart: where many people have nearly the same value, that is one bin."""
    at = np.quantile(known, np.arange(1, _BINS) / _BINS, method="inverted_cdf").astype(np.float64)
    low, high = np.quantile(known, [0.02, 0.98])
    width = _LEAST_WIDTH * float(high - low)
    kept: list[float] = []
    for edge in at.tolist():
        if not kept or edge - kept[-1] > width:
            kept.append(edge)
    return tuple(kept)


def _noise(shares: npt.NDArray[np.float64], early: int, late: int) -> float:
    """Return what chance alone gives between two halves, its mean and two standard deviations (a chi-square)."""
    degrees = max(int((shares > 0).sum()) - 1, 1)
    return float((degrees + 2 * np.sqrt(2 * degrees)) * (1 / early + 1 / late))


def _shares(bins: Bins, values: Floats, weight: Floats) -> npt.NDArray[np.float64]:
    missing = np.isnan(values)
    if bins.values:
        codes = np.where(missing, bins.values + 1, np.clip(np.nan_to_num(values), 0, bins.values)).astype(np.intp)
        count = bins.values + 2
    else:
        edges = np.array(bins.edges)
        codes = np.where(missing, len(edges) + 1, np.searchsorted(edges, values, side="left"))
        count = len(edges) + 2
    found: npt.NDArray[np.float64] = np.bincount(codes, weight, count) / max(1.0, float(weight.sum()))
    return found
