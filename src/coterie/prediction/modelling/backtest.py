"""The evaluation of predictions for people at cut-offs that were held out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coterie.prediction.modelling import measures
from coterie.prediction.modelling.evaluation import Backtest, Bin, Decile, Estimate, Gate, Measures, Point, Rule
from coterie.prediction.modelling.measures import Bools
from coterie.prediction.odds import Floats, log_loss, log_odds
from coterie.prediction.problems import DOUBTED_AUC, REFUSED_AUC

DRAWS = 300
MOST_ROWS = 200_000
"""Rows of a back-test that it is measured on; more would not change a digit that is shown."""
RELIABILITY_BINS = 10


@dataclass(frozen=True)
class Tested:
    """People at cut-offs that were held out, with what came of them.

    Parameters
    ----------
    rows : array of int, shape (n,)
        Their rows among the examples.
    fold : array of int, shape (n,)
        Number of the back-test, the newest 0.
    people : array of int, shape (n,)
        Persons.
    label : array of bool, shape (n,)
        What came of it.
    weight : array of float, shape (n,)
        How many people each stands for.
    cutoffs, trained_on : tuple of int
        Of each back-test, its instant and the rows it was learnt from.
    """

    rows: npt.NDArray[np.intp]
    fold: npt.NDArray[np.intp]
    people: npt.NDArray[np.int32]
    label: Bools
    weight: Floats
    cutoffs: tuple[int, ...]
    trained_on: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def of(self, fold: int) -> npt.NDArray[np.intp]:
        """Return the places of a back-test."""
        return np.flatnonzero(self.fold == fold)


@dataclass(frozen=True)
class NaiveRule:
    """What a naive rule ranks the tested people by, the highest first."""

    name: str
    feature: str
    order: Floats


def estimate(value: float, drawn: Floats) -> Estimate:
    """Return a measure with the interval of its values under drawing anew."""
    low, high = measures.percentile_interval(drawn)
    return Estimate(known(value), known(low), known(high))


def known(value: float) -> float | None:
    """Return a number, or None for one that is not."""
    return None if np.isnan(value) else float(value)


def measure(probability: Floats, label: Bools, weight: Floats, people: npt.NDArray[np.int32], seed: int) -> Measures:
    """Return the measures of predictions, with intervals that draw persons anew."""
    if len(label) > MOST_ROWS:
        rows = np.sort(np.random.default_rng(seed).choice(len(label), MOST_ROWS, replace=False))
        probability, label, weight, people = probability[rows], label[rows], weight[rows], people[rows]
    ranking = measures.Ranking.of(probability, label)
    loss, square = log_loss(log_odds(probability), label), (probability - label) ** 2

    def all_of(drawn: Floats) -> tuple[float, ...]:
        total = float(drawn.sum())
        if total <= 0:
            return (float("nan"),) * 5
        return (*ranking.measures(drawn), float(drawn @ loss) / total, float(drawn @ square) / total)

    spread = np.array([all_of(drawn) for drawn in measures.draws(people, weight, DRAWS, seed)])
    auc, pr_auc, lift, loss_, brier = (estimate(value, spread[:, i]) for i, value in enumerate(all_of(weight)))
    return Measures(
        people=len(label),
        rate=float(np.average(label, weights=weight)),
        predicted=float(np.average(probability, weights=weight)),
        auc=auc,
        pr_auc=pr_auc,
        log_loss=loss_,
        brier=brier,
        ece=measures.ece(probability, label, weight),
        lift_10=lift,
    )


def deciles(probability: Floats, label: Bools, weight: Floats) -> tuple[Decile, ...]:
    """Return the tenths of people by falling probability; ties are shared out."""
    everybody, positive = measures.Ranking.of(probability, label).curve(weight)
    if positive[-1] <= 0:
        return ()
    gains = measures.gained(everybody, positive, np.arange(11) / 10)
    rate = float(positive[-1] / everybody[-1])
    rows = len(label) / 10
    low, high = measures.wilson(np.diff(gains) * 10 * rate * rows, np.full(10, rows))
    return tuple(
        Decile(
            decile=i + 1,
            people=float(everybody[-1]) / 10,
            rate=float(gains[i + 1] - gains[i]) * 10 * rate,
            lift=float(gains[i + 1] - gains[i]) * 10,
            gain=float(gains[i + 1]),
            low=float(low[i]) / rate,
            high=float(high[i]) / rate,
        )
        for i in range(10)
    )


def gains(probability: Floats, label: Bools, weight: Floats) -> tuple[Point, ...]:
    """Return the gains curve at each hundredth of people."""
    everybody, positive = measures.Ranking.of(probability, label).curve(weight)
    if positive[-1] <= 0:
        return ()
    shares = np.arange(101) / 100
    gained = measures.gained(everybody, positive, shares)
    successes = int(label.sum())
    low, high = measures.wilson(gained * successes, np.full(len(shares), successes))
    low[[0, -1]] = high[[0, -1]] = gained[[0, -1]]
    return tuple(Point(*map(float, point)) for point in zip(shares, gained, low, high, strict=True))


def reliability(probability: Floats, label: Bools, weight: Floats) -> tuple[Bin, ...]:
    """Return probabilities against rates, over bins of equal size."""
    numbers = measures.bins(probability, weight, RELIABILITY_BINS)
    total = np.bincount(numbers, weight)
    people = np.bincount(numbers)
    predicted = np.bincount(numbers, weight * probability) / total
    observed = np.bincount(numbers, weight * label) / total
    low, high = measures.wilson(observed * people, people)
    return tuple(
        Bin(float(predicted[i]), float(observed[i]), float(low[i]), float(high[i]), int(people[i]))
        for i in range(len(total))
    )


def judged(rules: Sequence[NaiveRule], label: Bools, weight: Floats, places: npt.NDArray[np.intp]) -> tuple[Rule, ...]:
    """Return how naive rules did for some of the tested people."""
    found = []
    for rule in rules:
        ranking = measures.Ranking.of(rule.order[places], label[places])
        auc, pr_auc, lift = ranking.measures(weight[places])
        curve = _coarse(*ranking.curve(weight[places]))
        found.append(Rule(rule.name, rule.feature, known(auc), known(pr_auc), known(lift), curve))
    return tuple(found)


def _coarse(everybody: Floats, positive: Floats) -> tuple[Point, ...]:
    """Return a gains curve at each twentieth of people."""
    if not len(positive) or positive[-1] <= 0:
        return ()
    shares = np.arange(21) / 20
    gained = measures.gained(everybody, positive, shares)
    return tuple(Point(float(share), float(gain)) for share, gain in zip(shares, gained, strict=True))


def backtests(tested: Tested, probability: Floats, rules: Sequence[NaiveRule], seed: int) -> tuple[Backtest, ...]:
    """Return how predictions did at each held-out cut-off."""
    found = []
    for fold, cutoff in enumerate(tested.cutoffs):
        places = tested.of(fold)
        p, label, weight = probability[places], tested.label[places], tested.weight[places]
        found.append(
            Backtest(
                cutoff=cutoff,
                trained_on=tested.trained_on[fold],
                measures=measure(p, label, weight, tested.people[places], seed),
                deciles=deciles(p, label, weight),
                reliability=reliability(p, label, weight),
                rules=judged(rules, tested.label, tested.weight, places),
            )
        )
    return tuple(found)


def gate(auc: Estimate) -> Gate:
    """Return whether scores may be published: by the lower end of the AUC's interval, so that luck does not decide."""
    if auc.low is None or auc.low < REFUSED_AUC:
        return "unusable"
    return "poor" if auc.low < DOUBTED_AUC else "good"
