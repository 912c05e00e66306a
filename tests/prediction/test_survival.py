"""When events are expected: curves against simulated hazards."""

from __future__ import annotations

import numpy as np
import pytest

from coterie.prediction.frame import Examples, Family, Feature, Frame
from coterie.prediction.why.survival import assess, fit, periods, read, scaled

WINDOW = 30
FEATURES = (
    Feature("goal:days_since", Family.RECENCY, "Purchase", "since:Purchase"),
    Feature("type:n_30d", Family.FREQUENCY, "Search", "often:Search", window_days=30),
)


def simulate(n: int, seed: int, window: int = WINDOW) -> tuple[Examples, np.ndarray]:
    """People with a daily hazard that depends on one feature, and rises over the window for half of them."""
    rng = np.random.default_rng(seed)
    pace, kind = rng.normal(size=n), rng.integers(0, 2, n)
    days = np.arange(window)
    odds = -4.0 + 0.8 * pace[:, None] + np.where(kind, 1.5, -1.5)[:, None] * (days / window - 0.5)[None, :]
    hazard = 1 / (1 + np.exp(-odds))
    happens = rng.random((n, window)) < hazard
    day = np.where(happens.any(axis=1), happens.argmax(axis=1), -1).astype(np.int32)
    truth = 1 - np.cumprod(1 - hazard, axis=1)
    values = np.asfortranarray(np.column_stack([np.expm1(np.abs(pace)) * np.sign(pace), kind]).astype(np.float32))
    frame = Frame(FEATURES, np.arange(n, dtype=np.int32), np.zeros(n, dtype=np.int64), values)
    return Examples(frame, day >= 0, day >= 0, day, np.ones(n)), truth


@pytest.fixture(scope="module")
def learnt():
    examples, _ = simulate(20_000, seed=1)
    return fit(examples, WINDOW, seed=1)


@pytest.fixture(scope="module")
def others():
    return simulate(20_000, seed=2)


def test_curves_are_those_of_the_hazards_that_were_simulated(learnt, others):
    examples, truth = others
    ends = periods(WINDOW)
    found = -np.expm1(-learnt.cumulated(examples.frame))
    true = truth[:, ends - 1]
    assert np.abs(found.mean(axis=0) - true.mean(axis=0)).max() < 0.01
    assert np.abs(found - true).mean() < 0.02
    slow = examples.frame.values[:, 1] == 0  # their hazard falls: early weeks must be higher than a common shape has it
    assert np.abs(found[slow].mean(axis=0) - true[slow].mean(axis=0)).max() < 0.02


def test_curves_rise_and_end_at_the_main_probability(learnt, others):
    frame = others[0].frame.take(np.arange(300))
    at_end = np.linspace(0.001, 0.999, 300)
    for timing, end in zip(learnt.timing(frame, at_end), at_end, strict=True):
        assert timing.days == tuple(range(1, WINDOW + 1))
        assert (np.diff(timing.probability) >= 0).all()
        assert timing.probability[0] >= 0
        assert timing.probability[-1] == pytest.approx(end, abs=2e-6)


def test_the_expected_day_is_reached_with_half_the_probability(learnt, others):
    frame = others[0].frame.take(np.arange(300))
    at_end = np.clip(others[1][:300, -1], 0.01, 0.99)
    for timing, end in zip(learnt.timing(frame, at_end), at_end, strict=True):
        curve = (0.0, *timing.probability)
        assert curve[timing.expected_day] >= end / 2 - 1e-5
        assert curve[timing.expected_day - 1] <= end / 2 + 1e-5


def test_the_expected_day_is_that_of_half_of_those_it_happens_to(learnt, others):
    examples, truth = others
    expected = learnt.expected_days(examples.frame, truth[:, -1])
    happened = examples.day >= 0
    assert np.mean(examples.day[happened] + 1 <= expected[happened]) == pytest.approx(0.5, abs=0.04)
    rising = examples.frame.values[:, 1] == 1
    assert expected[rising].mean() > expected[~rising].mean() + 2


def test_the_window_agrees_with_the_main_probability(learnt, others):
    examples, truth = others
    report = assess(learnt, examples, truth[:, -1])
    assert abs(report.difference) < 0.01
    assert report.days == tuple(periods(WINDOW).tolist())
    assert np.abs(np.subtract(report.expected, report.observed)).max() < 0.015
    assert report.people == len(examples)


def test_a_short_window_is_divided_into_days():
    examples, truth = simulate(4000, seed=3, window=7)
    curve = -np.expm1(-fit(examples, 7, seed=1).cumulated(examples.frame))
    assert curve.shape == (4000, 7)
    assert np.abs(curve.mean(axis=0) - truth.mean(axis=0)).max() < 0.015


def test_rows_drawn_by_lot_say_nearly_the_same(others, learnt, monkeypatch):
    monkeypatch.setattr("coterie.prediction.why.survival.CELLS", 200_000)
    examples, _ = simulate(20_000, seed=1)
    few = fit(examples, WINDOW, seed=1)
    again = fit(examples, WINDOW, seed=1)
    np.testing.assert_array_equal(few.level, again.level)
    np.testing.assert_array_equal(few.weights, again.weights)
    frame = others[0].frame
    assert abs(few.within(frame).mean() - learnt.within(frame).mean()) < 0.02


def test_rows_are_drawn_from_all_examples_alike(monkeypatch):
    """Examples come ordered by cut-off: what grows from one to the next must not seem to tell the outcome."""
    monkeypatch.setattr("coterie.prediction.why.survival.CELLS", 60_000)
    examples, _ = simulate(20_000, seed=6)
    values = np.column_stack([examples.frame.values[:, 0], np.arange(20_000)]).astype(np.float32)
    frame = Frame(FEATURES, examples.frame.people, examples.frame.cutoffs, np.asfortranarray(values))
    found = fit(Examples(frame, examples.hit, examples.label, examples.day, examples.weight), WINDOW, seed=1)
    assert abs(found.weights[1]) < 0.1
    assert abs(found.within(frame).mean() - examples.hit.mean()) < 0.01


def test_weights_count(others):
    examples, _ = simulate(8000, seed=4)
    doubled = examples.take(np.repeat(np.arange(8000), np.where(examples.hit, 2, 1)))
    weighted = Examples(examples.frame, examples.hit, examples.label, examples.day, np.where(examples.hit, 2.0, 1.0))
    frame = others[0].frame
    # the penalty counts rows, so the two differ a little
    assert np.abs(fit(doubled, WINDOW, seed=1).within(frame) - fit(weighted, WINDOW, seed=1).within(frame)).max() < 0.02


def test_nothing_to_tell_apart():
    examples, _ = simulate(50, seed=5)
    never = Examples(
        examples.frame, np.zeros(50, bool), np.zeros(50, bool), np.full(50, -1, dtype=np.int32), np.ones(50)
    )
    curve = -np.expm1(-fit(never, WINDOW, seed=1).cumulated(examples.frame))
    assert (curve < 0.1).all()
    assert (np.diff(curve, axis=1) > 0).all()


def test_what_is_kept_gives_the_same_to_the_bit(learnt, others):
    frame = others[0].frame
    np.testing.assert_array_equal(read(learnt.files()).cumulated(frame), learnt.cumulated(frame))


def test_scaling_keeps_the_shape():
    cumulated = np.array([[0.1, 0.3, 0.4]])
    found = scaled(cumulated, np.array([0.5]))
    np.testing.assert_allclose(found / found[:, -1:], cumulated / cumulated[:, -1:])
    assert -np.expm1(-found[0, -1]) == pytest.approx(0.5)
