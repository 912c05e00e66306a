"""Which learner is taken: the default one, unless another is better beyond doubt."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from msgspec.structs import replace

from coterie.prediction.learners.learner import Algorithm
from coterie.prediction.modelling import measures
from coterie.prediction.modelling.backtest import Tested, estimate, known
from coterie.prediction.modelling.calibration import shift
from coterie.prediction.modelling.evaluation import Candidate, Estimate
from coterie.prediction.odds import Floats, log_loss

DRAWS = 200
LEAST_GAIN = 0.005
"""A smaller part of the log-loss is no reason to leave the default: in tests over time the mean of two learners was
seldom worse than the better of them by as much, and often better than both."""
ELIGIBLE: frozenset[Algorithm] = frozenset({"logistic", "trees", "blend"})
"""Learners that may be taken in place of the default; the others are shown for comparison."""


def compare(
    tested: Tested, predicted: Mapping[Algorithm, Floats], default: Algorithm, seed: int
) -> tuple[Candidate, ...]:
    """Return the learners that were tried, with their log-loss over all back-tests against that of the default.

    They are compared with the intercept that fits each back-test: the base rate of a window moves with seasons and
    campaigns, which none of them can know, and whoever happens to err to the right side would win by it. Another than
    the default is chosen when its loss is less by a two-hundredth, the 95 % interval of the difference, drawing persons
    anew, lies below zero, and it was better in most of the back-tests; of several the best.

    Parameters
    ----------
    tested : Tested
        The back-tests.
    predicted : mapping of str to array
        The log-odds that each learner gave.
    default : str
        The one to beat.
    seed : int
        Of what is drawn.
    """
    losses = {name: log_loss(_levelled(tested, odds), tested.label) for name, odds in predicted.items()}
    total = float(tested.weight.sum())
    spread: dict[Algorithm, list[float]] = {name: [] for name in predicted}
    for drawn in measures.draws(tested.people, tested.weight, DRAWS, seed):
        whole = float(drawn.sum())
        for name, loss in losses.items():
            spread[name].append(float(drawn @ (loss - losses[default])) / whole if whole > 0 else 0.0)
    least = float(tested.weight @ losses[default]) / total
    found = []
    for name, odds in predicted.items():
        difference = float(tested.weight @ (losses[name] - losses[default])) / total
        found.append(
            Candidate(
                algorithm=name,
                log_loss=float(tested.weight @ log_loss(odds, tested.label)) / total,
                levelled=float(tested.weight @ losses[name]) / total,
                auc=known(measures.auc(odds, tested.label, tested.weight)),
                difference=estimate(difference, np.array(spread[name])),
            )
        )
    better = [
        candidate
        for candidate in found
        if candidate.algorithm in ELIGIBLE
        and _below_zero(candidate.difference)
        and candidate.levelled < (1 - LEAST_GAIN) * least
        and _mostly_better(tested, losses[candidate.algorithm] - losses[default])
    ]
    chosen = min(better, key=lambda candidate: candidate.levelled).algorithm if better else default
    return tuple(replace(candidate, chosen=candidate.algorithm == chosen) for candidate in found)


def _levelled(tested: Tested, odds: Floats) -> Floats:
    """Return log-odds moved to the rate of each back-test."""
    moved = np.array(odds)
    for fold in range(len(tested.cutoffs)):
        places = tested.of(fold)
        moved[places] += shift(odds[places], tested.label[places], tested.weight[places])
    return moved


def _below_zero(difference: Estimate) -> bool:
    return difference.high is not None and difference.high < 0


def _mostly_better(tested: Tested, difference: Floats) -> bool:
    per_fold = np.bincount(tested.fold, tested.weight * difference, len(tested.cutoffs))
    return int((per_fold < 0).sum()) * 2 > len(per_fold)
