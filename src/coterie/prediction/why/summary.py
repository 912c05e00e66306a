"""Insights of a run, from the scores and factors of everybody."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from coterie.core.shares import share
from coterie.prediction.frame import Feature, Frame
from coterie.prediction.why.explanation import BUCKETS
from coterie.prediction.why.factors import Factors
from coterie.prediction.why.insights import (
    BucketFactor,
    BucketInsights,
    Distribution,
    Insights,
    Migration,
    Move,
    ValueRange,
)
from coterie.prediction.why.ranges import Range, place
from coterie.prediction.why.scale import FactorScale, FactorSummary
from coterie.prediction.why.wording import factor_label, feature_label, range_label

SHOWN = 10
"""Factors shown for each bucket."""

RangeRule = Callable[[str, Feature, Range], str | None]
"""Gives the rule of the people of a bucket whose value of a feature lies in a range, if it can be said."""

FactorRule = Callable[[str, str], str | None]
"""Gives the rule of the people of a bucket who have a factor of some code among their reasons."""


def distribution(score: npt.NDArray[np.integer], hit: npt.NDArray[np.bool_] | None = None) -> Distribution:
    """Return how many people have each score, and of how many of them the prediction came true."""
    people = np.bincount(score, minlength=101)
    if hit is None:
        return Distribution(tuple(people.tolist()))
    return Distribution(tuple(people.tolist()), tuple(np.bincount(score[hit], minlength=101).tolist()))


def insights(
    score: npt.NDArray[np.integer],
    probability: npt.NDArray[np.float64],
    bucket: npt.NDArray[np.int8],
    factors: Factors,
    frame: Frame,
    scale: FactorScale,
    *,
    range_rule: RangeRule | None = None,
    factor_rule: FactorRule | None = None,
) -> Insights:
    """Return the insights of a run.

    Parameters
    ----------
    score, probability, bucket
        Of everybody scored; buckets as places in `BUCKETS`.
    factors : Factors
        Of the people explained.
    frame : Frame
        Features of the people explained, in the same order.
    scale : FactorScale
        Of the version of the model; it holds the ranges that values are counted in.
    range_rule, factor_rule
        What says people of a bucket as a rule, for audiences.
    """
    of_code = {summary.code: summary for summary in scale.factors}
    of_name = {feature.name: column for column, feature in enumerate(frame.features)}
    counted = {
        code: _counted(summary, frame, factors.bucket, of_name)
        for code, summary in of_code.items()
        if summary.feature in of_name
    }
    mean = _mean(probability)
    made = []
    for number, name in enumerate(BUCKETS):
        inside = bucket == number
        shown = _shown(number, factors)
        both = [
            tuple(
                _factor(number, group, factors, frame, of_code, of_name, counted, range_rule, factor_rule)
                for group in groups
            )
            for groups in shown
        ]
        made.append(
            BucketInsights(
                bucket=name,
                people=int(inside.sum()),
                share=share(int(inside.sum()), len(bucket)),
                probability=_mean(probability[inside]),
                explained=int(factors.totals.people[number]),
                factors=both[0],
                exposures=both[1],
            )
        )
    return Insights(len(score), mean, distribution(score), tuple(made))


def migration(
    before: tuple[npt.NDArray[np.int32], npt.NDArray[np.int8]],
    after: tuple[npt.NDArray[np.int32], npt.NDArray[np.int8]],
) -> Migration:
    """Return who moved between the buckets of two runs.

    Parameters
    ----------
    before, after : pair of arrays
        Persons, each once, and their buckets.
    """
    nobody = len(BUCKETS)
    everybody = np.union1d(before[0], after[0])
    sides = []
    for people, bucket in (before, after):
        side = np.full(len(everybody), nobody, dtype=np.int64)
        side[np.searchsorted(everybody, people)] = bucket
        sides.append(side)
    counts = np.bincount(sides[0] * (nobody + 1) + sides[1], minlength=(nobody + 1) ** 2)
    names: tuple[str | None, ...] = (*BUCKETS, None)
    moves = tuple(
        Move(names[start], names[end], int(counts[start * (nobody + 1) + end]))
        for start in range(nobody + 1)
        for end in range(nobody + 1)
        if (start, end) != (nobody, nobody)
    )
    return Migration(len(before[0]), len(after[0]), moves)


def _shown(number: int, factors: Factors) -> tuple[list[int], list[int]]:
    """Return the weightiest factors of a bucket, and the weightiest of what others did."""
    order = np.argsort(-factors.totals.amount[number], kind="stable")
    there = [int(group) for group in order if factors.totals.amount[number, group] > 0]
    exposure = factors.groups.exposure
    return (
        [group for group in there if not exposure[group]][:SHOWN],
        [group for group in there if exposure[group]][:SHOWN],
    )


def _factor(
    number: int,
    group: int,
    factors: Factors,
    frame: Frame,
    of_code: dict[str, FactorSummary],
    of_name: dict[str, int],
    counted: dict[str, npt.NDArray[np.int64]],
    range_rule: RangeRule | None,
    factor_rule: FactorRule | None,
) -> BucketFactor:
    """Return a factor among the people of a bucket."""
    code, bucket = factors.groups.codes[group], BUCKETS[number]
    people = max(int(factors.totals.people[number]), 1)
    signed = float(factors.totals.signed[number, group]) / people
    summary = of_code.get(code)
    driver = frame.features[of_name[summary.feature]] if summary and summary.feature in of_name else None
    ranges: tuple[ValueRange, ...] = ()
    if summary and driver:
        ranges = tuple(
            _range(driver, each, int(count), people, range_rule(bucket, driver, each) if range_rule else None)
            for each, count in zip(summary.ranges, counted[code][number], strict=True)
        )
    shown = driver or frame.features[int(factors.groups.columns[group][0])]
    return BucketFactor(
        code=code,
        label=factor_label(shown),
        direction="raises" if signed >= 0 else "lowers",
        contribution=round(signed, 6),
        weight=round(float(factors.totals.amount[number, group]) / people, 6),
        top_share=share(int(factors.totals.top[number, group]), people),
        values_of=feature_label(shown),
        ranges=ranges,
        pql=factor_rule(bucket, code) if factor_rule else None,
    )


def _range(driver: Feature, each: Range, count: int, people: int, pql: str | None) -> ValueRange:
    """Return a range among the people of a bucket."""
    return ValueRange(
        label=range_label(driver, each),
        people=count,
        coverage=share(count, people),
        low=each.low,
        high=each.high,
        value=" or ".join(driver.values[value] for value in each.values) if each.values else None,
        known=each.known,
        rate=each.rate,
        tested=each.tested,
        pql=pql,
    )


def _counted(
    summary: FactorSummary, frame: Frame, bucket: npt.NDArray[np.int8], of_name: dict[str, int]
) -> npt.NDArray[np.int64]:
    """Return how many people of each bucket have their value in each range of a factor's driver."""
    width = len(summary.ranges)
    if not width:
        return np.zeros((len(BUCKETS), 0), dtype=np.int64)
    places = place(summary.ranges, frame.values[:, of_name[summary.feature]])
    flat = np.bincount(bucket.astype(np.intp) * width + places, minlength=len(BUCKETS) * width)
    return flat.reshape(len(BUCKETS), width)


def _mean(values: npt.NDArray[np.float64]) -> float | None:
    return round(float(values.mean()), 6) if len(values) else None
