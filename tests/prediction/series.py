"""People at a series of cut-offs, whose outcomes are drawn from log-odds that are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coterie.core.clock import DAY
from coterie.prediction.data.cutoffs import Cutoffs, Fold
from coterie.prediction.definition import Goal, GoalEvent, Test
from coterie.prediction.frame import Examples, Family, Feature, Frame
from coterie.prediction.odds import probability

GOAL = Goal((GoalEvent("Buys", (Test("eventType", "eq", "purchase"),)),), window_days=14)
FEATURES = (
    Feature("goal:n_all", Family.FREQUENCY, "Buys", "often:Buys"),
    Feature("goal:recency", Family.RECENCY, "Buys", "since:Buys"),
    Feature("goal:tenure", Family.TENURE, "Buys", "tenure"),
    Feature("noise", Family.HABIT, "noise", "habit"),
    Feature("attribute:tier", Family.ATTRIBUTES, "tier", "attribute:tier", values=("bronze", "silver", "gold")),
)


@dataclass(frozen=True)
class Series:
    examples: Examples
    cutoffs: Cutoffs
    odds: npt.NDArray[np.float64]


def series(people: int, instants: int, seed: int, *, base: float = -1.0, drift: float = 0.0) -> Series:
    """Make people at cut-offs a week apart; what is predicted takes two weeks.

    Parameters
    ----------
    base : float
        Added to all log-odds.
    drift : float
        Standard deviation of what is added to all log-odds of a cut-off.
    """
    rng = np.random.default_rng(seed)
    scoring = 1000 * DAY
    training = tuple(scoring - (14 + 7 * i) * DAY for i in range(instants))
    folds = tuple(Fold(test, tuple(c for c in training if c + 14 * DAY <= test)) for test in training[:3])
    moved = rng.normal(scale=drift, size=instants) if drift else np.zeros(instants)
    examples, odds = people_at(training, people, rng, base + moved)
    return Series(examples, Cutoffs(scoring, training, folds, True), odds)


def people_at(
    instants: tuple[int, ...], people: int, rng: np.random.Generator, base: npt.NDArray[np.float64]
) -> tuple[Examples, npt.NDArray[np.float64]]:
    """Make people at instants, with the base of the log-odds at each; return them and their true log-odds."""
    n = people * len(instants)
    cutoffs = np.sort(np.repeat(np.array(instants, np.int64), people))
    numbers = np.tile(np.arange(people, dtype=np.int32), len(instants))
    count = rng.geometric(0.3, n).astype(np.float64)
    tenure = rng.uniform(30, 300, n)
    recency = tenure * rng.uniform(0, 1, n)
    noise = np.where(rng.random(n) < 0.2, np.nan, rng.normal(size=n))
    tier = rng.integers(0, 3, n)
    start = dict(zip(instants, base.tolist(), strict=True))
    odds = (
        0.6 * np.log1p(count)
        - 0.02 * np.minimum(recency, 120)
        + np.array([-0.8, 0.0, 0.8])[tier]
        + np.array([start[cutoff] for cutoff in cutoffs.tolist()])
    )
    label = rng.random(n) < probability(odds)
    values = np.asfortranarray(np.column_stack([count, recency, tenure, noise, tier]).astype(np.float32))
    frame = Frame(FEATURES, numbers, cutoffs, values)
    return Examples(frame, label, label, np.where(label, 3, -1).astype(np.int32), np.ones(n)), odds
