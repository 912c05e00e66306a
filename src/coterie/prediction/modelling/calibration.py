"""Corrections of log-odds learnt from past cut-offs, and the test in which one must win to be taken.

A model trained on many cut-offs for a small log-loss is close to calibrated, and a correction fitted to past windows
knows nothing of the next one. So none is taken unless it would have helped on later windows than it was fitted on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, assert_never, get_args

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from coterie.prediction.modelling.backtest import Tested
from coterie.prediction.modelling.evaluation import Calibrator
from coterie.prediction.modelling.measures import Bools
from coterie.prediction.odds import Floats, log_loss, log_odds, probability

Method = Literal["identity", "shift", "platt", "beta", "isotonic", "venn-abers"]
LEAST_STEPS = 2
GRID = 41
POINTS = 400


class Calibration(Struct, frozen=True, omit_defaults=True):
    """A rising function of log-odds.

    Parameters
    ----------
    method : str
        ``identity``; ``shift`` (a number added); ``platt`` (a line; Platt 1999); ``beta`` (``a ln p - b ln(1-p) + c``;
        Kull, Silva Filho, Flach 2017); ``isotonic`` (steps; Zadrozny, Elkan 2002) or ``venn-abers`` (Vovk, Petej 2014),
        the last two as lines between points.
    slope, second, offset : float
        Of the first four.
    x, y : tuple of float
        Points, of the last two.
    season : float
        Added in the end, for the time of the year.
    """

    method: Method = "identity"
    slope: float = 1.0
    second: float = 1.0
    offset: float = 0.0
    x: tuple[float, ...] = ()
    y: tuple[float, ...] = ()
    season: float = 0.0

    @property
    def is_line(self) -> bool:
        """Whether contributions are stretched by the same factor everywhere."""
        return self.method in ("identity", "shift", "platt")

    def apply(self, odds: Floats) -> Floats:
        """Return corrected log-odds."""
        match self.method:
            case "identity":
                corrected = odds
            case "shift" | "platt":
                corrected = self.slope * odds + self.offset
            case "beta":
                corrected = self.slope * -np.logaddexp(0, -odds) + self.second * np.logaddexp(0, odds) + self.offset
            case "isotonic" | "venn-abers":
                corrected = np.interp(odds, self.x, self.y)
            case _:
                assert_never(self.method)
        return corrected + self.season

    def rescale(self, contributions: Floats, base: float) -> tuple[Floats, float]:
        """Return contributions and base of the corrected log-odds.

        A line stretches contributions and moves the base. For the other methods the contributions of a row are
        stretched by one factor, so that they still sum to its log-odds: what has a share of the distance between base
        and log-odds before the correction has the same share of it after. The function rises, so no sign changes.
        """
        if self.is_line:
            moved = float(self.apply(np.array([base]))[0])
            return (contributions if self.slope == 1.0 else contributions * self.slope), moved
        odds = contributions.sum(axis=1) + base
        moved = float(self.apply(np.array([base]))[0])
        distance = odds - base
        far = np.abs(distance) > 1e-9
        factor = np.where(far, (self.apply(odds) - moved) / np.where(far, distance, 1.0), 1.0)
        return contributions * factor[:, None], moved


IDENTITY = Calibration()


def fit(method: Method, odds: Floats, label: Bools, weight: Floats) -> Calibration:
    """Fit a correction to predictions and what came of them."""
    match method:
        case "identity":
            return IDENTITY
        case "shift":
            return Calibration(method, offset=shift(odds, label, weight))
        case "platt":
            slope, offset = _least(lambda p: p[0] * odds + p[1], [1.0, 0.0], [(0.0, None), (None, None)], label, weight)
            return Calibration(method, slope=slope, offset=offset)
        case "beta":
            first, last = -np.logaddexp(0, -odds), np.logaddexp(0, odds)
            slope, second, offset = _least(
                lambda p: p[0] * first + p[1] * last + p[2],
                [1.0, 1.0, 0.0],
                [(0.0, None), (0.0, None), (None, None)],
                label,
                weight,
            )
            return Calibration(method, slope=slope, second=second, offset=offset)
        case "isotonic":
            return _isotonic(odds, label, weight)
        case "venn-abers":
            return _venn_abers(odds, label, weight)
        case _:
            assert_never(method)


def shift(odds: Floats, label: Bools, weight: Floats) -> float:
    """Return what must be added to log-odds for their mean probability to be the rate."""
    total = float(weight.sum())
    rate = (float(weight[label].sum()) + 0.5) / (total + 1.0)
    low, high = -30.0, 30.0
    for _ in range(60):
        middle = (low + high) / 2
        if float(weight @ probability(odds + middle)) / total < rate:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def choose(tested: Tested, odds: Floats, older: Sequence[Sequence[int]]) -> tuple[Calibration, tuple[Calibrator, ...]]:
    """Choose a correction by a forward test: fitted on the back-tests whose windows had closed, tried on the next.

    Parameters
    ----------
    tested : Tested
        The back-tests.
    odds : array of float
        What was predicted there.
    older : sequence of sequence of int
        For each back-test the numbers of those whose windows had closed by it.

    Returns
    -------
    Calibration
        No correction, unless one lessened the log-loss in each of at least two steps, and in their mean beyond doubt:
        by more than the standard error between people, and than that between steps times the 95 % quantile of
        Student's distribution, as two or three steps tell little of how much steps differ. (With the plain standard
        error, corrections that did harm in the next window were taken too often.)
    tuple of Calibrator
        What was tried.
    """
    from scipy.stats import t

    steps = [step for step in range(len(tested.cutoffs)) if older[step] and _both(tested, older[step])]
    if len(steps) < LEAST_STEPS:
        return IDENTITY, ()
    methods: tuple[Method, ...] = get_args(Method)
    loss = {method: np.zeros(len(steps)) for method in methods}
    gain = {method: np.zeros(len(steps)) for method in methods}
    noise = {method: np.zeros(len(steps)) for method in methods}
    for i, step in enumerate(steps):
        fitted = np.flatnonzero(np.isin(tested.fold, older[step]))
        places = tested.of(step)
        plain = log_loss(odds[places], tested.label[places])
        weight = tested.weight[places]
        for method in methods:
            correction = fit(method, odds[fitted], tested.label[fitted], tested.weight[fitted])
            corrected = log_loss(correction.apply(odds[places]), tested.label[places])
            better = plain - corrected
            loss[method][i] = np.average(corrected, weights=weight)
            gain[method][i] = np.average(better, weights=weight)
            noise[method][i] = np.sqrt(np.average((better - gain[method][i]) ** 2, weights=weight) / len(places))
    tried = []
    doubt = float(t.ppf(0.95, len(steps) - 1))
    best: tuple[float, Method] = (0.0, "identity")
    for method in methods:
        mean = float(gain[method].mean())
        between = doubt * float(gain[method].std(ddof=1)) / len(steps) ** 0.5
        error = max(between, float(np.sqrt((noise[method] ** 2).sum())) / len(steps))
        if mean > error and (gain[method] > 0).all() and mean > best[0]:
            best = mean, method
        tried.append(Calibrator(method, float(loss[method].mean()), mean, error))
    chosen = fit(best[1], odds, tested.label, tested.weight)
    return chosen, tuple(replace(one, chosen=one.method == best[1]) for one in tried)


def _both(tested: Tested, folds: Sequence[int]) -> bool:
    labels = tested.label[np.isin(tested.fold, folds)]
    return bool(labels.any() and not labels.all())


def _least(
    line: Callable[[Floats], Floats],
    start: list[float],
    bounds: list[tuple[float | None, float | None]],
    label: Bools,
    weight: Floats,
) -> list[float]:
    from scipy.optimize import minimize

    share = weight / weight.sum()
    found = minimize(
        lambda p: float(share @ log_loss(line(p), label)), np.array(start), method="L-BFGS-B", bounds=bounds
    )
    return [float(value) for value in found.x]


def _isotonic(odds: Floats, label: Bools, weight: Floats) -> Calibration:
    from sklearn.isotonic import IsotonicRegression

    fitted = IsotonicRegression(y_min=0.0, y_max=1.0).fit(odds, label.astype(np.float64), sample_weight=weight)
    edge = 0.5 / (len(odds) + 1.0)
    y = log_odds(np.clip(fitted.y_thresholds_, edge, 1 - edge))
    return Calibration("isotonic", x=tuple(float(v) for v in fitted.X_thresholds_), y=tuple(float(v) for v in y))


def _venn_abers(odds: Floats, label: Bools, weight: Floats) -> Calibration:
    """Fit inductive Venn-Abers predictors at a grid of points, after gathering many predictions into `POINTS`."""
    from sklearn.isotonic import IsotonicRegression

    order = np.argsort(odds, kind="stable")
    group = np.arange(len(odds)) * min(POINTS, len(odds)) // len(odds)
    w: Floats = np.bincount(group, weight[order]).astype(np.float64)
    x = np.bincount(group, weight[order] * odds[order]) / w
    y = np.bincount(group, weight[order] * label[order]) / w
    grid = np.unique(np.quantile(odds, np.linspace(0, 1, GRID)))
    one = float(np.mean(weight))
    low, high = np.empty(len(grid)), np.empty(len(grid))
    for i, point in enumerate(grid):
        for outcome, ends in ((0.0, low), (1.0, high)):
            fitted = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip")
            fitted.fit(np.append(x, point), np.append(y, outcome), sample_weight=np.append(w, one))
            ends[i] = fitted.predict([point])[0]
    p = np.maximum.accumulate(high / np.maximum(1 - low + high, 1e-12))
    return Calibration("venn-abers", x=tuple(float(v) for v in grid), y=tuple(float(v) for v in log_odds(p)))
