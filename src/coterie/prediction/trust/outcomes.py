"""What came of a run once its window has closed: how many were expected, and how many did it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from coterie.core.clock import format_date
from coterie.core.shares import percent
from coterie.prediction.modelling import backtest, measures
from coterie.prediction.modelling.evaluation import Bin
from coterie.prediction.modelling.scoring import Scores
from coterie.prediction.odds import Floats
from coterie.prediction.problems import DOUBTED_AUC, REFUSED_AUC
from coterie.prediction.trust.drift import LEVELS, Level
from coterie.prediction.why.explanation import BUCKETS
from coterie.prediction.why.insights import Distribution
from coterie.prediction.why.summary import distribution

ROLLING = 6
"""How many of the last closed runs are looked at together."""


class BucketOutcome(Struct, frozen=True):
    """A bucket of a run: the share expected, the share that came about, and the interval of that by chance (Wilson)."""

    bucket: str
    people: int
    expected: float
    actual: float
    low: float
    high: float


class Outcome(Struct, frozen=True):
    """What came of a run.

    Parameters
    ----------
    run : str
        Id of the run.
    version : int
        The model version that scored.
    as_of, opens, closes : int
        The instant of scoring, and its window.
    people : int
        People scored whose outcome is known.
    expected, actual : float
        Mean probability, and the share for whom it came true.
    low, high : float
        The interval that was promised for the mean: of the intervals of the people.
    auc, log_loss, brier, ece : float or None
        As of an evaluation; the AUC is None where only one outcome came about.
    buckets : tuple of BucketOutcome
        Low, medium, high, as far as there are people in them.
    reliability : tuple of Reliability
        Probabilities against what came about.
    distribution : Distribution
        People by score, and of how many of them it came true.
    level : str
        ``alarm`` when what came about lies outside the interval that was promised, and not by chance.
    message : str
        A sentence about it.
    """

    run: str
    version: int
    as_of: int
    opens: int
    closes: int
    people: int
    expected: float
    actual: float
    low: float
    high: float
    auc: float | None
    log_loss: float
    brier: float
    ece: float
    buckets: tuple[BucketOutcome, ...]
    reliability: tuple[Bin, ...]
    distribution: Distribution
    level: Level
    message: str


class Monitoring(Struct, frozen=True):
    """A model over its closed runs.

    Parameters
    ----------
    model : str
        Key of the model.
    outcomes : tuple of Outcome
        The newest first.
    rolling_auc : float or None
        Mean AUC of the last few, by people.
    rolling_expected, rolling_actual : float or None
        Mean probability and rate of the last few together.
    level : str
        That of the newest, or worse when the AUC of the last few is too low.
    reasons : tuple of str
        Sentences for what is not steady.
    """

    model: str
    outcomes: tuple[Outcome, ...]
    rolling_auc: float | None
    rolling_expected: float | None
    rolling_actual: float | None
    level: Level
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Closed:
    """A run whose window has closed.

    Parameters
    ----------
    run : str
        Its id.
    version : int
        The model version that scored.
    as_of, opens, closes : int
        The instant of scoring, and its window.
    scores : Scores
        The scores it gave.
    """

    run: str
    version: int
    as_of: int
    opens: int
    closes: int
    scores: Scores = field(repr=False)


def judge(closed: Closed, people: npt.NDArray[np.int32], label: npt.NDArray[np.bool_]) -> Outcome | None:
    """Return what came of a run; None when the outcome of nobody it scored is known any more.

    Parameters
    ----------
    closed : Closed
        The run.
    people : array of int32
        Persons whose outcome is known, in any order. Persons merged or erased since are left out.
    label : array of bool
        Whether it came true for them.
    """
    scores = closed.scores
    known, rows, places = np.intersect1d(scores.people, people, return_indices=True)
    if not len(known):
        return None
    probability, score, label = scores.probability[rows], scores.score[rows], label[places]
    expected, actual = float(probability.mean()), float(label.mean())
    low, high = float(scores.low[rows].mean()), float(scores.high[rows].mean())
    level, message = _told(closed, len(known), expected, actual, low, high)
    return Outcome(
        run=closed.run,
        version=closed.version,
        as_of=closed.as_of,
        opens=closed.opens,
        closes=closed.closes,
        people=len(known),
        expected=round(expected, 6),
        actual=round(actual, 6),
        low=round(low, 6),
        high=round(high, 6),
        auc=backtest.known(measures.auc(probability, label)),
        log_loss=measures.log_loss(probability, label),
        brier=measures.brier(probability, label),
        ece=measures.ece(probability, label),
        buckets=tuple(_buckets(scores.bucket[rows], probability, label)),
        reliability=backtest.reliability(probability, label, np.ones(len(known))),
        distribution=distribution(score, label),
        level=level,
        message=message,
    )


def monitor(model: str, outcomes: Sequence[Outcome]) -> Monitoring:
    """Return a model over the outcomes of its runs, with the last few together."""
    newest = sorted(outcomes, key=lambda each: -each.as_of)
    last = newest[:ROLLING]
    people = sum(each.people for each in last)
    ranked = [(each.auc, each.people) for each in last if each.auc is not None]
    rolling = sum(auc * count for auc, count in ranked) / sum(count for _, count in ranked) if ranked else None
    reasons: list[tuple[Level, str]] = [(each.level, each.message) for each in newest[:1] if each.level != "steady"]
    if rolling is not None and rolling < DOUBTED_AUC:
        reasons.append(
            (
                "alarm" if rolling < REFUSED_AUC else "warning",
                f"over the last {_runs(len(ranked))} the AUC was {rolling:.2f}; guessing has 0.50.",
            )
        )
    return Monitoring(
        model=model,
        outcomes=tuple(newest),
        rolling_auc=rolling,
        rolling_expected=sum(each.expected * each.people for each in last) / people if people else None,
        rolling_actual=sum(each.actual * each.people for each in last) / people if people else None,
        level=LEVELS[max((LEVELS.index(level) for level, _ in reasons), default=0)],
        reasons=tuple(text for _, text in reasons),
    )


def _runs(count: int) -> str:
    return "closed run" if count == 1 else f"{count} closed runs"


def _told(closed: Closed, people: int, expected: float, actual: float, low: float, high: float) -> tuple[Level, str]:
    """Return the level and a sentence; the promised interval is widened by what chance does to so many people."""
    by_chance_low, by_chance_high = (float(end) for end in measures.wilson(actual * people, people))
    said = (
        f"of {people:,} people scored on {format_date(closed.as_of)}, {percent(expected)} were expected by"
        f" {format_date(closed.closes)},"
        f" with an interval from {percent(low)} to {percent(high)}; for {percent(actual)} it came true."
    )
    if by_chance_high < low or by_chance_low > high:
        return "alarm", f"{said} That is outside the interval that was promised."
    return "steady", said


def _buckets(bucket: npt.NDArray[np.int8], probability: Floats, label: npt.NDArray[np.bool_]) -> list[BucketOutcome]:
    found = []
    for place, name in enumerate(BUCKETS):
        rows = bucket == place
        people, hits = int(rows.sum()), int(label[rows].sum())
        if people:
            low, high = measures.wilson(hits, people)
            expected = float(probability[rows].mean())
            found.append(BucketOutcome(name, people, expected, hits / people, float(low), float(high)))
    return found
