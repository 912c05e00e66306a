"""Measures, against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from coterie.prediction.modelling import backtest, measures
from coterie.prediction.modelling.evaluation import Estimate


def drawn(n: int, seed: int, levels: int = 20) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p = rng.integers(0, levels, n) / levels
    return p, rng.random(n) < 0.1 + 0.7 * p, rng.uniform(0.2, 3, n)


@pytest.mark.parametrize("levels", [5, 10_000])
def test_weighted_measures_are_those_of_scikit_learn(levels: int) -> None:
    p, label, weight = drawn(2_000, 1, levels)
    assert measures.auc(p, label, weight) == pytest.approx(metrics.roc_auc_score(label, p, sample_weight=weight))
    auc, average_precision, _ = measures.Ranking.of(p, label).measures(weight)
    assert auc == measures.auc(p, label, weight)
    assert average_precision == pytest.approx(metrics.average_precision_score(label, p, sample_weight=weight))
    assert measures.brier(p, label, weight) == pytest.approx(metrics.brier_score_loss(label, p, sample_weight=weight))
    inside = np.clip(p, 0.01, 0.99)
    assert measures.log_loss(inside, label, weight) == pytest.approx(
        metrics.log_loss(label, inside, sample_weight=weight)
    )


def test_measures_by_hand() -> None:
    p = np.array([0.9, 0.8, 0.8, 0.3, 0.1])
    label = np.array([True, True, False, False, True])
    # Pairs of a positive and a negative: 0.9 beats both, 0.8 ties with one and beats one, 0.1 beats none.
    assert measures.auc(p, label) == pytest.approx((2 + 1.5 + 0) / 6)
    assert measures.brier(p, label) == pytest.approx((0.01 + 0.04 + 0.64 + 0.09 + 0.81) / 5)
    ranking = measures.Ranking.of(p, label)
    first, half_tied = measures.gained(*ranking.curve(np.ones(5)), np.array([0.2, 0.4]))
    assert first == pytest.approx(1 / 3)
    assert half_tied == pytest.approx((1 + 0.5) / 3)  # half of the two that tie
    assert ranking.measures(np.ones(5))[2] == pytest.approx(1 / 0.6)


def test_one_class_alone_has_no_ranking() -> None:
    everybody = np.ones(4, np.bool_)
    assert np.isnan(measures.auc(np.arange(4.0), everybody))
    assert np.isnan(measures.Ranking.of(np.arange(4.0), ~everybody).measures(np.ones(4))).all()


def test_calibration_error_by_hand() -> None:
    p = np.repeat([0.2, 0.6], 50)
    label = np.tile(np.arange(50) < 20, 2)  # a rate of 0.4 in both
    assert measures.ece(p, label, count=2) == pytest.approx(0.2)


@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 200))
def test_bins_rise_and_hold_equal_predictions_together(seed: int, count: int, n: int) -> None:
    p, _, weight = drawn(n, seed, 7)
    numbers = measures.bins(p, weight, count)
    order = np.argsort(p, kind="stable")
    assert (np.diff(numbers[order]) >= 0).all()
    assert len(np.unique(numbers)) == numbers.max() + 1 <= count
    assert all(len(np.unique(numbers[p == level])) == 1 for level in np.unique(p))


def test_wilson_by_the_book() -> None:
    low, high = measures.wilson(np.array([0, 8]), np.array([10, 10]))  # Brown, Cai, DasGupta 2001
    assert low == pytest.approx([0.0, 0.4902], abs=1e-4)
    assert high == pytest.approx([0.2775, 0.9433], abs=1e-4)


def test_drawing_persons_anew_keeps_their_rows_together() -> None:
    people = np.array([4, 9, 4, 7, 9])
    for weight in measures.draws(people, np.ones(5), 50, 3):
        assert weight[0] == weight[2]
        assert weight[1] == weight[4]


def test_intervals_by_drawing_hold_the_truth_as_often_as_they_say() -> None:
    held = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        label = rng.random(300) < 0.4
        p = rng.normal(size=300) + label  # the true AUC is P(N(1, sqrt 2) > 0)
        found = backtest.measure(p, label, np.ones(300), np.arange(300, dtype=np.int32), seed).auc
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 0.7602 <= found.high
    assert 51 <= held <= 60


def test_deciles_and_gains_end_with_everybody() -> None:
    p, label, weight = drawn(500, 5)
    tenths, points = backtest.deciles(p, label, weight), backtest.gains(p, label, weight)
    assert len(points) == 101
    assert (points[0].gain, points[-1].gain) == (0.0, pytest.approx(1.0))
    assert tenths[-1].gain == pytest.approx(1.0)
    assert np.mean([tenth.lift for tenth in tenths]) == pytest.approx(1.0)
    rate = np.average(label, weights=weight)
    assert np.mean([tenth.rate for tenth in tenths]) == pytest.approx(rate)


@pytest.mark.parametrize(("low", "gate"), [(0.54, "unusable"), (0.56, "poor"), (0.66, "good"), (None, "unusable")])
def test_the_gate_is_the_lower_end_of_the_interval(low: float | None, gate: str) -> None:
    assert backtest.gate(Estimate(0.8, low, 0.9)) == gate
