"""How a model did at past cut-offs that it had not learnt from."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from coterie.prediction.learners.learner import Algorithm

Gate = Literal["good", "poor", "unusable"]


class Estimate(Struct, frozen=True):
    """A measure with its 95 % interval, from drawing persons anew (Efron 1979)."""

    value: float | None
    low: float | None
    high: float | None


class Measures(Struct, frozen=True):
    """Measures of predictions.

    Parameters
    ----------
    people : int
        Rows: a person at a cut-off.
    rate : float
        Share of them whom the prediction came true for.
    predicted : float
        Mean probability they had been given.
    auc : Estimate
        How often somebody it came true for had been ranked above somebody else: 0.5 is guessing, 1 is perfect.
    pr_auc : Estimate
        Area under the curve of precision by recall; guessing has the rate.
    log_loss, brier : Estimate
        How far off the probabilities were; 0 is perfect.
    ece : float
        Mean gap between probability and rate, over ten bins of equal size.
    lift_10 : Estimate
        Rate among the tenth ranked highest, over the rate of all.
    """

    people: int
    rate: float
    predicted: float
    auc: Estimate
    pr_auc: Estimate
    log_loss: Estimate
    brier: Estimate
    ece: float
    lift_10: Estimate


class Decile(Struct, frozen=True):
    """A tenth of people, the first ranked highest.

    Parameters
    ----------
    decile : int
        1 to 10.
    people : float
        Its rows.
    rate : float
        Share of them whom it came true for.
    lift : float
        That over the rate of all.
    gain : float
        Share of all whom it came true for, in this tenth and those above it.
    low, high : float, optional
        Between which the lift lies (95 % by Wilson, the rate of all taken as known).
    """

    decile: int
    people: float
    rate: float
    lift: float
    gain: float
    low: float | None = None
    high: float | None = None


class Bin(Struct, frozen=True):
    """People given nearly the same probability: its mean, and how many of them it came true for (95 % by Wilson)."""

    predicted: float
    observed: float
    low: float
    high: float
    people: int


class Point(Struct, frozen=True):
    """A point of the gains curve: contacting this share of people reaches this share of successes (95 % by Wilson)."""

    share: float
    gain: float
    low: float | None = None
    high: float | None = None


class Rule(Struct, frozen=True):
    """A naive rule for ranking the same people.

    Parameters
    ----------
    name : str
        Such as ``Most recent first``.
    feature : str
        What it ranks by.
    auc, pr_auc, lift_10 : float or None
        How it did.
    gains : tuple of Point
        Its gains curve.
    """

    name: str
    feature: str
    auc: float | None
    pr_auc: float | None
    lift_10: float | None
    gains: tuple[Point, ...] = ()


class Backtest(Struct, frozen=True):
    """A past cut-off, predicted by a model that had seen nothing after it.

    Parameters
    ----------
    cutoff : int
        Its instant, ms.
    trained_on : int
        Rows it was learnt from.
    measures : Measures
        How it did.
    deciles : tuple of Decile
        Its tenths.
    reliability : tuple of Bin
        Probabilities against rates.
    rules : tuple of Rule
        What naive rules did at the same cut-off.
    """

    cutoff: int
    trained_on: int
    measures: Measures
    deciles: tuple[Decile, ...]
    reliability: tuple[Bin, ...]
    rules: tuple[Rule, ...]


class Candidate(Struct, frozen=True):
    """A learner that was tried.

    Parameters
    ----------
    algorithm : str
        Which.
    log_loss, auc : float or None
        Over all back-tests together.
    levelled : float
        The log-loss where the base rate of each back-test had been known.
    difference : Estimate
        That less the same of the learner taken by default; less is better.
    chosen : bool
        Whether it is the one that was taken.
    """

    algorithm: Algorithm
    log_loss: float
    levelled: float
    auc: float | None
    difference: Estimate
    chosen: bool = False


class Calibrator(Struct, frozen=True):
    """A correction of probabilities that was tried, on windows later than those it was fitted on.

    Parameters
    ----------
    method : str
        Which.
    log_loss : float
        Mean over the steps of the forward test.
    gain, error : float
        By how much the loss fell against no correction, and what it had to exceed to be beyond doubt.
    chosen : bool
        Whether it was taken.
    """

    method: str
    log_loss: float
    gain: float
    error: float
    chosen: bool = False


class Season(Struct, frozen=True):
    """What happened at the same date a year before, and whether probabilities were moved for it.

    Parameters
    ----------
    cutoff : int
        The instant a year before, ms.
    predicted, observed : float
        The mean probability that a model of that time would have given, and the rate that came about.
    shift : float
        By how much the log-odds would be moved: half of what would have been right then.
    mean_without, mean_with : float or None
        Mean probability at the newest cut-off without it and with it.
    applied : bool
        Whether they were.
    reason : str
        Why, or why not.
    """

    cutoff: int
    predicted: float
    observed: float
    shift: float
    mean_without: float | None
    mean_with: float | None
    applied: bool
    reason: str


class Evaluation(Struct, frozen=True):
    """How a model did at past cut-offs, and what was chosen on them.

    Parameters
    ----------
    algorithm : str
        The learner that was taken.
    by_time : bool
        Whether it was tested on later windows than it had learnt from; else on other people in the same window.
    people : int
        Persons it was learnt from.
    positive, negative : int
        Of them, those whom the prediction came true for at some cut-off, and those whom it did not.
    pooled : Measures
        Over all back-tests together.
    backtests : tuple of Backtest
        One by one, the newest first.
    deciles, reliability, gains, rules
        Over all back-tests together.
    candidates : tuple of Candidate
        The learners that were tried.
    calibration : tuple of Calibrator
        The corrections that were tried; empty when there were too few closed windows to try any.
    gate : str
        ``good``; ``poor`` when the AUC may lie below 0.65; ``unusable`` when it may lie below 0.55.
    season : Season, optional
        The same date a year before, when the history reaches so far.
    """

    algorithm: Algorithm
    by_time: bool
    people: int
    positive: int
    negative: int
    pooled: Measures
    backtests: tuple[Backtest, ...]
    deciles: tuple[Decile, ...]
    reliability: tuple[Bin, ...]
    gains: tuple[Point, ...]
    rules: tuple[Rule, ...]
    candidates: tuple[Candidate, ...]
    calibration: tuple[Calibrator, ...]
    gate: Gate
    season: Season | None = None
