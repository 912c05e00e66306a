"""What speaks for and against the score of each person."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coterie.core.progress import Progress, Quiet
from coterie.prediction.frame import Frame
from coterie.prediction.odds import Floats
from coterie.prediction.why.explanation import BUCKETS
from coterie.prediction.why.groups import Groups
from coterie.prediction.why.peers import Peers, usual
from coterie.prediction.why.scale import Explained, FactorScale, spread

TOP = 5
"""Factors given for, and given against."""

BATCH = 50_000
"""Rows explained at a time."""

AT_ONCE = 2
"""Batches worked on side by side, each by one thread."""

EVERYBODY = 1_000_000
"""So many people are all explained; of more, those in the upper buckets and a sample of the others."""

SAMPLE = 50_000
"""People of the lowest bucket who are explained when there are more than `EVERYBODY`."""


@dataclass(frozen=True)
class Totals:
    """Sums over the explained people of each bucket; a row for each bucket, a column for each factor.

    Parameters
    ----------
    people : array of int64, shape (buckets,)
        People explained.
    signed, amount : array of float64, shape (buckets, factors)
        Sums of the contributions, and of their amounts.
    top : array of int64, shape (buckets, factors)
        For how many people it is among the factors given.
    """

    people: npt.NDArray[np.int64]
    signed: Floats
    amount: Floats
    top: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Factors:
    """The factors given for people; arrays of n rows, with `top` columns for and then `top` columns against.

    Parameters
    ----------
    groups : Groups
        The factors there are.
    top : int
        How many are given for, and how many against.
    people : array of int32, shape (n,)
        Persons.
    bucket : array of int8, shape (n,)
        Their buckets, as places in `BUCKETS`.
    base : float
        Log-odds of somebody of whom nothing is known.
    log_odds : array of float64, shape (n,)
        The base and all contributions.
    factor : array of int16, shape (n, 2 * top)
        Places in `groups.codes`, the weightiest first; -1 where there is none.
    feature : array of int16, shape (n, 2 * top)
        The column that tells most of the factor.
    contribution : array of float64, shape (n, 2 * top)
        Of the factor, to the log-odds.
    share : array of float32, shape (n, 2 * top)
        Its part of the amounts of all factors that can be reasons.
    value : array of float32, shape (n, 2 * top)
        Value of the column.
    importance : array of int8, shape (n, 2 * top)
        0 low, 1 medium, 2 high.
    peers : Peers
        Usual values in each bucket.
    totals : Totals
        Sums over the people of each bucket.
    """

    groups: Groups
    top: int
    people: npt.NDArray[np.int32]
    bucket: npt.NDArray[np.int8]
    base: float
    log_odds: Floats
    factor: npt.NDArray[np.int16]
    feature: npt.NDArray[np.int16]
    contribution: Floats
    share: npt.NDArray[np.float32]
    value: npt.NDArray[np.float32]
    importance: npt.NDArray[np.int8]
    peers: Peers
    totals: Totals

    def __len__(self) -> int:
        return len(self.people)


def chosen(bucket: npt.NDArray[np.int8], everybody: int = EVERYBODY, sample: int = SAMPLE) -> npt.NDArray[np.intp]:
    """Return the rows that are explained: all, or of very many the upper buckets and a sample of the lowest."""
    if len(bucket) <= everybody:
        return np.arange(len(bucket))
    lowest = np.flatnonzero(bucket == 0)
    return np.sort(np.concatenate([np.flatnonzero(bucket > 0), lowest[spread(len(lowest), sample)]]))


def explain(
    trained: Explained,
    frame: Frame,
    bucket: npt.NDArray[np.int8],
    scale: FactorScale,
    *,
    top: int = TOP,
    peers: Peers | None = None,
    progress: Progress | None = None,
) -> Factors:
    """Return what speaks for and against the score of each person of a frame.

    Parameters
    ----------
    trained : Explained
        The model.
    frame : Frame
        Features, a row for each person.
    bucket : array of int8, shape (n,)
        The bucket of each, as a place in `BUCKETS`.
    scale : FactorScale
        Of the version of the model: how much a contribution weighs.
    top : int
        Factors given for, and given against.
    peers : Peers, optional
        Usual values; worked out from the frame when left out.
    progress : Progress, optional
        Told of how far it is.
    """
    progress = progress or Quiet()
    groups = Groups.made(frame.features)
    n, buckets = len(frame), len(BUCKETS)
    base, log_odds = 0.0, np.zeros(n)
    factor = np.full((n, 2 * top), -1, dtype=np.int16)
    feature = np.full((n, 2 * top), -1, dtype=np.int16)
    contribution = np.zeros((n, 2 * top))
    share = np.zeros((n, 2 * top), dtype=np.float32)
    signed, amount = np.zeros((buckets, len(groups))), np.zeros((buckets, len(groups)))
    counted = np.zeros((buckets, len(groups)), dtype=np.int64)
    for start, (columns, base) in _contributions(trained, frame):
        rows = slice(start, start + len(columns))
        totals = groups.total(columns)
        log_odds[rows] = base + columns.sum(axis=1)
        factor[rows], contribution[rows] = groups.reasons(totals, top)
        telling = np.take_along_axis(groups.telling(columns, totals), np.maximum(factor[rows], 0).astype(np.intp), 1)
        feature[rows] = np.where(factor[rows] >= 0, telling, -1)
        whole = np.abs(totals[:, ~groups.exposure]).sum(axis=1)
        share[rows] = np.abs(contribution[rows]) / np.maximum(whole, 1e-300)[:, None]
        for number in range(buckets):
            inside = bucket[rows] == number
            signed[number] += totals[inside].sum(axis=0)
            amount[number] += np.abs(totals[inside]).sum(axis=0)
            named = factor[rows][inside]
            counted[number] += np.bincount(named[named >= 0], minlength=len(groups))
        progress.report("explaining", rows.stop, n)
    value = np.take_along_axis(frame.values, np.maximum(feature, 0).astype(np.intp), axis=1) if n else factor * 1.0
    importance = np.digitize(np.abs(contribution), [scale.low, scale.high]).astype(np.int8)
    return Factors(
        groups, top, frame.people, bucket, base, log_odds, factor, feature, contribution, share,
        np.where(feature < 0, np.nan, value).astype(np.float32), importance, peers or usual(frame, bucket),
        Totals(np.bincount(bucket, minlength=len(BUCKETS)), signed, amount, counted),
    )  # fmt: skip


def _contributions(trained: Explained, frame: Frame) -> Iterator[tuple[int, tuple[Floats, float]]]:
    """Yield what each feature contributes, batch by batch in the order of the rows, and where each batch starts."""
    starts = range(0, len(frame), BATCH)

    def one(start: int) -> tuple[Floats, float]:
        return trained.contributions(frame.take(np.arange(start, min(len(frame), start + BATCH))))

    workers = min(AT_ONCE, os.cpu_count() or 1)
    if len(starts) <= 1 or workers == 1:
        yield from ((start, one(start)) for start in starts)
        return
    with ThreadPoolExecutor(workers) as pool:
        for first in range(0, len(starts), workers):
            together = starts[first : first + workers]
            yield from zip(together, pool.map(one, together), strict=True)
