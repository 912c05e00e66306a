"""Lift and gains with their intervals, and those of naive rules."""

from __future__ import annotations

import numpy as np
import pytest

from coterie.prediction.modelling import backtest, measures


@pytest.fixture(scope="module")
def tested() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    dice = np.random.default_rng(3)
    probability = dice.random(3000) * 0.5
    return probability, dice.random(3000) < probability, np.ones(3000)


def test_the_lift_of_a_tenth_lies_in_its_interval(tested: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    probability, label, weight = tested
    tenths = backtest.deciles(probability, label, weight)
    first = np.argsort(-probability)[:300]
    assert tenths[0].lift == pytest.approx(label[first].mean() / label.mean())
    low, high = measures.wilson(label[first].sum(), 300)
    assert (tenths[0].low, tenths[0].high) == pytest.approx((low / label.mean(), high / label.mean()))
    assert all(tenth.low <= tenth.lift <= tenth.high for tenth in tenths)
    assert sum(tenth.lift for tenth in tenths) == pytest.approx(10)


def test_gains_have_intervals_that_close_at_their_ends(tested: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    points = backtest.gains(*tested)
    assert len(points) == 101
    assert all(point.low <= point.gain <= point.high for point in points)
    assert (points[0].low, points[0].high, points[-1].low, points[-1].high) == (0, 0, 1, 1)
    assert points[20].low < points[20].gain < points[20].high


def test_a_rule_that_ranks_as_the_model_does_gains_as_much(tested: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    probability, label, weight = tested
    rule = backtest.NaiveRule("As the model", "score", probability * 7)
    (judged,) = backtest.judged([rule], label, weight, np.arange(len(label)))
    points = backtest.gains(probability, label, weight)
    assert [point.gain for point in judged.gains] == pytest.approx([point.gain for point in points[::5]])


def test_people_of_whom_nothing_is_known_are_tied() -> None:
    """Also where their rank is minus infinity: in which order they stand must not matter."""
    order = np.array([2.0, -np.inf, -np.inf, -np.inf, -np.inf])
    for label in ([1, 1, 0, 0, 0], [1, 0, 0, 0, 1]):
        assert measures.auc(order, np.array(label, bool)) == pytest.approx(0.75)
