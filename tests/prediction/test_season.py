"""The time of the year: used where it would have helped or was stated, never where customers were others then."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.prediction.series import GOAL, people_at

from coterie.core.clock import DAY
from coterie.prediction.data.cutoffs import YEAR, Cutoffs, Fold, plan
from coterie.prediction.definition import Model, Population
from coterie.prediction.frame import Examples
from coterie.prediction.modelling import training
from coterie.prediction.modelling.season import YearAgo
from coterie.prediction.modelling.trained import Trained

SCORING = 2_000 * DAY
# The tests lie so close that no window had closed between them: no other correction can be tried.
TRAINING = tuple(SCORING - (14 + days) * DAY for days in (0, 5, 10, *range(30, 300, 24)))
FOLDS = tuple(Fold(test, tuple(c for c in TRAINING if c + 14 * DAY <= test)) for test in TRAINING[:3])
PAST = tuple(instant - YEAR for instant in (SCORING, *(fold.test for fold in FOLDS)))
CUTOFFS = Cutoffs(SCORING, TRAINING, FOLDS, True, PAST)


def yearly(instants: tuple[int, ...], height: float) -> np.ndarray:
    """A base that is highest where the tests and the prediction lie."""
    return -1.2 + height * np.array([np.cos(2 * np.pi * ((instant - SCORING) / YEAR)) for instant in instants])


def examples(instants: tuple[int, ...], height: float, seed: int) -> Examples:
    return people_at(instants, 700, np.random.default_rng(seed), yearly(instants, height))[0]


def learnt(past: Examples, height: float, *, seasonal: bool | None = None) -> Trained:
    return training.train(examples(TRAINING, height, 1), CUTOFFS, GOAL, year_ago=YearAgo(past, seasonal), seed=0)


def test_a_seasonal_business_is_recognised_and_predicted_better() -> None:
    found = learnt(examples(PAST, 1.0, 2), 1.0)
    season = found.evaluation.season
    assert season is not None
    assert season.applied
    assert season.cutoff == SCORING - YEAR
    assert season.observed > season.predicted
    assert season.mean_with is not None
    assert season.mean_without is not None
    assert season.mean_with > season.mean_without
    future, _ = people_at((SCORING,), 3_000, np.random.default_rng(5), yearly((SCORING,), 1.0))
    plain = replace(found, calibration=type(found.calibration)())
    rate = future.label.mean()
    assert abs(found.probability(future.frame).mean() - rate) < 0.6 * abs(plain.probability(future.frame).mean() - rate)
    few = future.frame.take(np.arange(100))
    added, start = found.contributions(few)
    assert np.abs(added.sum(axis=1) + start - found.log_odds(few)).max() < 1e-6


def test_a_business_without_seasons_is_left_alone_unless_it_is_stated() -> None:
    past = examples(PAST, 0.0, 2)
    found = learnt(past, 0.0).evaluation.season
    assert found is not None
    assert not found.applied or abs(found.shift) < 0.05
    assert learnt(examples(PAST, 1.0, 2), 1.0, seasonal=False).calibration.season == 0
    only = past.take(past.frame.cutoffs == SCORING - YEAR)
    untested = learnt(only, 0.0).evaluation.season
    assert untested is not None
    assert not untested.applied
    assert "test" in untested.reason
    stated = learnt(only, 0.0, seasonal=True)
    assert stated.evaluation.season is not None
    assert stated.evaluation.season.applied
    assert stated.calibration.season == stated.evaluation.season.shift


def test_it_is_never_used_when_customers_were_new_then() -> None:
    past = examples(PAST, 1.0, 2)
    past.frame.values[:, 2] = np.random.default_rng(3).uniform(0, 60, len(past))
    found = learnt(past, 1.0, seasonal=True)
    assert found.evaluation.season is not None
    assert not found.evaluation.season.applied
    assert found.calibration.season == 0
    assert "lengths of time" in found.evaluation.season.reason


@pytest.mark.parametrize(("years", "instants"), [(1.0, 0), (1.9, 0), (2.02, 1), (3.0, 4)])
def test_a_year_ago_is_looked_at_where_the_history_before_it_is_as_long(years: float, instants: int) -> None:
    model = Model("k", "K", GOAL, population=Population(lookback_days=30))
    made = plan(model, SCORING - int(years * 365) * DAY, SCORING - 1, SCORING)
    assert len(made.year_ago) == instants
    wanted = (SCORING, *(fold.test for fold in made.folds))
    assert made.year_ago == tuple(instant - YEAR for instant in wanted[:instants])
