"""Scores: probabilities, the fixed map to 0 to 100, percentiles, buckets, intervals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.prediction.series import Series, series

from coterie.prediction.definition import Buckets
from coterie.prediction.modelling import scoring
from coterie.prediction.modelling.backtest import Tested as BackTests
from coterie.prediction.modelling.interval import Interval
from coterie.prediction.modelling.scoremap import ScoreMap
from coterie.prediction.modelling.trained import Trained
from coterie.prediction.why.explanation import BUCKETS

PROBABILITIES = st.lists(st.integers(0, 1_000_000).map(lambda x: x / 1_000_000), min_size=1, max_size=60)


@given(PROBABILITIES)
def test_percentiles_are_what_they_are_defined_as(chosen: list[float]) -> None:
    p = np.array(chosen)
    found = scoring.percentiles(p)
    for value, percentile in zip(chosen, found, strict=True):
        below, equal = sum(x < value for x in chosen), sum(x == value for x in chosen)
        rank = below + (equal + 1) / 2
        assert percentile == math.ceil(round(100 * rank / len(chosen), 9))
    assert 1 <= found.min() <= found.max() <= 100


@given(PROBABILITIES, PROBABILITIES)
def test_scores_rise_with_probability_and_lie_within_bounds(past: list[float], now: list[float]) -> None:
    fixed = ScoreMap.learn(np.array(past), np.ones(len(past)))
    p = np.sort(np.array([0.0, *now, *past, 1.0]))
    scores = fixed.of(p)
    assert (np.diff(scores) >= 0).all()
    assert scores.min() >= 0
    assert scores.max() <= 100
    assert list(fixed.probability) == sorted(set(fixed.probability))


def test_the_map_sends_hundredths_of_what_was_predicted_to_scores() -> None:
    past = np.random.default_rng(0).beta(1, 8, 20_001)
    fixed = ScoreMap.learn(past, np.ones(len(past)))
    for hundredth in (0, 10, 25, 50, 75, 99, 100):
        assert fixed.of(np.quantile(past, [hundredth / 100]) + 1e-9)[0] == hundredth
    counts = np.bincount(scoring.bucket_of(fixed.of(past), Buckets())) / len(past)
    assert counts == pytest.approx([0.25, 0.5, 0.25], abs=0.002)


def test_scores_do_not_move_with_who_is_scored_but_percentiles_do() -> None:
    past = np.linspace(0.01, 0.5, 1_000)
    fixed = ScoreMap.learn(past, np.ones(1_000))
    likelier = past + 0.2
    assert fixed.of(likelier).mean() > fixed.of(past).mean() + 30
    assert (scoring.percentiles(likelier) == scoring.percentiles(past)).all()


def test_equal_predictions_get_the_middle_score() -> None:
    assert ScoreMap.learn(np.full(50, 0.3), np.ones(50)).of(np.array([0.0, 0.3, 1.0])).tolist() == [0, 50, 100]


def test_weights_count_as_that_many_people() -> None:
    p, weight = np.array([0.1, 0.2, 0.3, 0.4]), np.array([1, 5, 2, 4])
    heavy, many = ScoreMap.learn(p, weight.astype(float)), ScoreMap.learn(np.repeat(p, weight), np.ones(12))
    assert heavy.of(p) == pytest.approx(many.of(p), abs=15)
    assert np.diff(heavy.score).min() >= 0


@given(st.integers(0, 100), st.integers(1, 99))
def test_buckets_are_cut_at_their_bounds(score: int, medium: int) -> None:
    bounds = Buckets(medium, min(100, medium + 10))
    found = BUCKETS[scoring.bucket_of(np.array([score], np.int8), bounds)[0]]
    expected = "low" if score < bounds.medium else "medium" if score < bounds.high else "high"
    assert found == expected


def windows(rates: tuple[float, ...], n: int) -> tuple[BackTests, np.ndarray]:
    """Return closed windows in which everybody was given 0.3, and those rates came about."""
    label = np.concatenate([np.arange(n) < rate * n for rate in rates])
    k = len(rates)
    fold, people = np.repeat(np.arange(k), n), np.tile(np.arange(n, dtype=np.int32), k)
    tested = BackTests(np.arange(k * n), fold, people, label, np.ones(k * n), tuple(range(k, 0, -1)), (n,) * k)
    return tested, np.full(k * n, 0.3)


def test_an_interval_holds_the_rates_of_all_closed_windows() -> None:
    tested, p = windows((0.2, 0.3, 0.45), 5_000)
    low, high = Interval.learn(tested, p).around(np.array([0.3]))
    assert low[0] == pytest.approx(0.19, abs=0.005)  # less a little: the Wilson interval of 5,000
    assert high[0] == pytest.approx(0.464, abs=0.005)
    few_low, few_high = Interval.learn(*windows((0.2, 0.3, 0.45), 100)).around(np.array([0.3]))
    assert few_low[0] < low[0] - 0.03
    assert few_high[0] > high[0] + 0.03


@given(PROBABILITIES, st.integers(0, 1_000))
def test_an_interval_contains_its_probability(chosen: list[float], seed: int) -> None:
    rng = np.random.default_rng(seed)
    p = rng.beta(1, 4, 900)
    tested, _ = windows((0.5, 0.1, 0.2), 300)
    found = Interval.learn(tested, p)
    asked = np.array(chosen)
    low, high = found.around(asked)
    assert (low <= asked).all()
    assert (asked <= high).all()
    assert low.min() >= 0
    assert high.max() <= 1


def test_windows_are_told_for_the_promise() -> None:
    tested, p = windows((0.2, 0.4), 1_000)
    told = Interval.learn(tested, p).windows
    assert [one.predicted for one in told] == pytest.approx([0.3, 0.3])
    assert [one.observed for one in told] == pytest.approx([0.2, 0.4])
    assert [one.ece for one in told] == pytest.approx([0.1, 0.1])


def test_people_are_scored(learnt: tuple[Series, Trained]) -> None:
    _, trained = learnt
    fresh = series(1_200, 1, 77)
    frame = fresh.examples.frame
    found = scoring.score(trained, frame)
    assert (found.people == frame.people).all()
    assert (np.round(found.probability, 6) == found.probability).all()
    assert (found.low <= found.probability).all()
    assert (found.probability <= found.high).all()
    assert found.probability.mean() == pytest.approx(fresh.examples.label.mean(), abs=0.03)
    assert set(found.bucket.tolist()) == {0, 1, 2}
    alone = scoring.score(trained, frame.take(np.array([5])))
    assert alone.probability[0] == found.probability[5]
    assert alone.score[0] == found.score[5]


def test_nobody_is_scored_as_nobody(learnt: tuple[Series, Trained]) -> None:
    made, trained = learnt
    found = scoring.score(trained, made.examples.frame.take(np.zeros(0, np.intp)))
    assert len(found) == len(found.percentile) == len(found.high) == 0
