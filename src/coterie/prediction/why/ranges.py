"""Ranges of the values of a feature, the same for everybody who is compared."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from coterie.prediction.frame import Feature

RANGES = 6
"""Ranges that the values of a number are divided into."""

SINGLE = 8
"""So many different values stand for themselves."""

RARE = 0.02
"""Single values of a smaller part of people are put together with those beside them."""

VALUES = 10
"""So many values of a category are told apart; the others are one range."""


class Range(Struct, frozen=True, omit_defaults=True):
    """A range of values of a feature, and what became of the people whose value lay there.

    Parameters
    ----------
    low, high : float, optional
        Bounds of a number: from `low`, up to but not including `high`; None where there is none.
    values : tuple of int
        Of a category: the values in it, as the feature numbers them.
    known : bool
        False for the range of those of whom nothing is known.
    tested : int
        People of the past windows that the model was tested on whose value lay there.
    rate : float, optional
        The share of them of whom the prediction came true.
    """

    low: float | None = None
    high: float | None = None
    values: tuple[int, ...] = ()
    known: bool = True
    tested: int = 0
    rate: float | None = None


def ranges_of(
    feature: Feature,
    values: npt.NDArray[np.float32],
    label: npt.NDArray[np.bool_],
    weight: npt.NDArray[np.float64],
    *,
    whole: bool = False,
) -> tuple[Range, ...]:
    """Return ranges of a feature's values with about the same number of people each, and what became of them.

    Parameters
    ----------
    feature : Feature
        The column.
    values : array of float32, shape (n,)
        Its values.
    label : array of bool, shape (n,)
        Whether the prediction came true.
    weight : array of float64, shape (n,)
        How many people each row stands for.
    whole : bool
        Whether bounds are whole numbers, as of days.
    """
    known = ~np.isnan(values)
    made = _of_words(values[known]) if feature.values else _of_numbers(values[known], whole=whole)
    if not known.all():
        made = (*made, Range(known=False))
    places = place(made, values)
    tested = np.bincount(places, minlength=len(made))
    stood_for = np.bincount(places, weights=weight, minlength=len(made))
    true = np.bincount(places, weights=weight * label, minlength=len(made))
    return tuple(
        Range(each.low, each.high, each.values, each.known, int(people), float(hits / of) if people else None)
        for each, people, hits, of in zip(made, tested, true, stood_for, strict=True)
    )


def place(ranges: tuple[Range, ...], values: npt.NDArray[np.float32]) -> npt.NDArray[np.intp]:
    """Return for each value the number of its range.

    A value that has none goes to the range next to it, a word to that of the rarer ones, and something not known where
    it always was known to the last range.
    """
    last = len(ranges) - 1
    missing = np.isnan(values)
    unknown = last if last >= 0 and not ranges[last].known else max(last, 0)
    if ranges and ranges[0].values:
        count = 1 + max(max(each.values, default=0) for each in ranges)
        rarer = max((number for number, each in enumerate(ranges) if each.known), default=0)
        of = np.full(count + 1, rarer, dtype=np.intp)
        for number, each in enumerate(ranges):
            of[list(each.values)] = number
        words = np.where(missing, 0, values).astype(np.intp)
        found = of[np.clip(words, 0, count)]
    else:
        bounds = np.array([each.low for each in ranges if each.low is not None], dtype=np.float64)
        found = np.searchsorted(bounds, values, side="right").astype(np.intp)
    return np.where(missing, unknown, found)


def _of_words(values: npt.NDArray[np.float32]) -> tuple[Range, ...]:
    """Return a range for each frequent value, and one for all the others."""
    words, counts = np.unique(values.astype(np.int64), return_counts=True)
    order = words[np.argsort(-counts, kind="stable")]
    if len(order) <= VALUES:
        return tuple(Range(values=(int(word),)) for word in order)
    rarer = Range(values=tuple(int(word) for word in order[VALUES - 1 :]))
    return (*(Range(values=(int(word),)) for word in order[: VALUES - 1]), rarer)


def _of_numbers(values: npt.NDArray[np.float32], *, whole: bool) -> tuple[Range, ...]:
    """Return ranges that meet at quantiles, or at the values themselves when these are few."""
    if not len(values):
        return ()
    different, counts = np.unique(values, return_counts=True)
    if len(different) <= SINGLE:
        bounds = _frequent(different, counts)
    else:
        quantiles = np.quantile(values, np.linspace(0, 1, RANGES + 1)[1:-1]).astype(np.float64)
        whole = whole or bool((different == np.round(different)).all())
        bounds = np.unique(np.ceil(quantiles) if whole else _rounded(quantiles))
        bounds = bounds[(bounds > different[0]) & (bounds <= different[-1])]
    edges: list[float | None] = [None, *(float(bound) for bound in bounds), None]
    return tuple(Range(low, high) for low, high in pairwise(edges))


def _frequent(different: npt.NDArray[np.float32], counts: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
    """Return bounds between single values, so that no range is one of very few people."""
    least = RARE * counts.sum()
    bounds, below = [], 0
    for place in range(1, len(different)):
        below += int(counts[place - 1])
        if below >= least and counts[place:].sum() >= least:
            bounds.append(float(different[place]))
            below = 0
    return np.array(bounds)


def _rounded(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return numbers rounded to two digits, as people would state bounds."""
    size = np.floor(np.log10(np.maximum(np.abs(values), 1e-9))) - 1
    unit = np.power(10.0, size)
    rounded: npt.NDArray[np.float64] = np.where(values == 0, 0.0, np.round(values / unit) * unit)
    return np.round(rounded, 9)
