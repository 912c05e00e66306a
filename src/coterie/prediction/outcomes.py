"""What came of a run once its window has closed: how many were expected, and how many did it."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from coterie.prediction.drift import Level


class BucketOutcome(Struct, frozen=True):
    """A bucket of a run: the share expected, the share that came about, and the interval of that by chance (Wilson)."""

    bucket: Literal["low", "medium", "high"]
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
        People scored who are still there.
    expected, actual : float
        Mean probability, and the share for whom it came true.
    low, high : float
        The interval promised for the mean: of the people's intervals.
    auc, log_loss, brier, ece : float or None
        As of an evaluation; None where only one outcome came about.
    buckets : tuple of BucketOutcome
        Low, medium, high.
    scores : tuple of (int, int, int)
        Scores from, to, people for whom it did not, and for whom it did, come true: the distribution split.
    level : str
        ``alarm`` when what came about leaves the interval that was promised.
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
    log_loss: float | None
    brier: float | None
    ece: float | None
    buckets: tuple[BucketOutcome, ...]
    scores: tuple[tuple[int, int, int, int], ...]
    level: Level
    message: str


class Monitoring(Struct, frozen=True):
    """A model over its closed runs, oldest first, with the AUC and the calibration of the last few together."""

    model: str
    outcomes: tuple[Outcome, ...]
    rolling_auc: float | None
    rolling_expected: float | None
    rolling_actual: float | None
    level: Level
    reasons: tuple[str, ...]
