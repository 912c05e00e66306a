"""Corrections of probabilities: what they fit, that reasons still add up, and that they never do harm on average."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from coterie.prediction.modelling import calibration
from coterie.prediction.modelling.backtest import Tested as BackTests
from coterie.prediction.modelling.calibration import Calibration, Method
from coterie.prediction.odds import log_loss, log_odds, probability

METHODS: tuple[Method, ...] = get_args(Method)


def drawn(n: int, seed: int, *, slope: float = 1.0, offset: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Return predicted log-odds, and labels drawn from a line of them."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(-1, 1.3, n)
    return odds, rng.random(n) < probability(slope * odds + offset)


@pytest.mark.parametrize("method", METHODS)
def test_a_correction_rises_and_mends_what_was_bent(method: Method) -> None:
    odds, label = drawn(20_000, 1, slope=0.5, offset=0.7)
    found = calibration.fit(method, odds, label, np.ones(len(odds)))
    corrected = found.apply(odds)
    assert (np.diff(corrected[np.argsort(odds)]) >= -1e-9).all()
    fresh, truth = drawn(20_000, 2, slope=0.5, offset=0.7)
    before, after = log_loss(fresh, truth).mean(), log_loss(found.apply(fresh), truth).mean()
    if method == "identity":
        assert after == before
    else:
        assert after < before - 0.01
    if method not in ("identity", "shift"):
        best = log_loss(0.5 * fresh + 0.7, truth).mean()
        assert after < best + 0.002


def test_a_shift_meets_the_rate() -> None:
    odds, label = drawn(5_000, 3, offset=1.1)
    weight = np.random.default_rng(0).uniform(0.5, 2, 5_000)
    moved = probability(odds + calibration.shift(odds, label, weight))
    assert np.average(moved, weights=weight) == pytest.approx(np.average(label, weights=weight), abs=1e-3)


@pytest.mark.parametrize("method", METHODS)
def test_contributions_sum_to_the_corrected_log_odds_and_keep_their_signs(method: Method) -> None:
    odds, label = drawn(3_000, 4, slope=0.6, offset=0.3)
    found = calibration.fit(method, odds, label, np.ones(len(odds)))
    found = Calibration(**{f: getattr(found, f) for f in found.__struct_fields__ if f != "season"}, season=0.25)
    rng = np.random.default_rng(5)
    added = rng.normal(scale=0.4, size=(500, 6))
    base = -1.0
    rescaled, moved = found.rescale(added, base)
    wanted = found.apply(added.sum(axis=1) + base)
    assert np.abs(rescaled.sum(axis=1) + moved - wanted).max() < 1e-6
    assert (rescaled * added >= 0).all()


def windows(seed: int, steps: int, n: int, wander: float, slope: float = 1.0) -> tuple[BackTests, np.ndarray]:
    """Return closed windows, the newest first, whose base rates wander, and what was predicted there."""
    rng = np.random.default_rng(seed)
    odds, label = [], []
    for moved in rng.normal(scale=wander, size=steps):
        one = rng.normal(-1, 1, n)
        odds.append(one)
        label.append(rng.random(n) < probability(slope * one + moved))
    fold = np.repeat(np.arange(steps), n)
    people = np.tile(np.arange(n, dtype=np.int32), steps)
    tested = BackTests(
        np.arange(steps * n), fold, people, np.concatenate(label), np.ones(steps * n), tuple(range(steps, 0, -1)),
        (n,) * steps,
    )  # fmt: skip
    return tested, np.concatenate(odds)


def test_none_is_taken_where_fewer_than_two_windows_can_try_it() -> None:
    tested, odds = windows(1, 3, 2_000, 0.0, slope=0.3)
    assert calibration.choose(tested, odds, [[], [], []]) == (calibration.IDENTITY, ())
    assert calibration.choose(tested, odds, [[1], [], []]) == (calibration.IDENTITY, ())


def test_one_is_taken_where_it_would_have_helped_in_windows_after() -> None:
    tested, odds = windows(1, 4, 3_000, 0.0, slope=0.4)
    chosen, tried = calibration.choose(tested, odds, [[1, 2, 3], [2, 3], [3], []])
    assert chosen.method in ("platt", "beta", "isotonic", "venn-abers")
    assert [one.method for one in tried if one.chosen] == [chosen.method]
    assert {one.method for one in tried} == set(METHODS)


def test_on_average_the_choice_does_no_harm_to_the_next_window() -> None:
    """Predictions are right but for base rates that wander: no correction of the past knows the next one."""
    gains = []
    for seed in range(8):
        tested, odds = windows(seed, 5, 600, 0.25)
        past = np.flatnonzero(tested.fold > 0)
        known = BackTests(
            past, tested.fold[past] - 1, tested.people[past], tested.label[past], tested.weight[past],
            tested.cutoffs[1:], tested.trained_on[1:],
        )  # fmt: skip
        chosen, _ = calibration.choose(known, odds[past], [[1, 2, 3], [2, 3], [3], []])
        newest = tested.of(0)
        plain = log_loss(odds[newest], tested.label[newest]).mean()
        gains.append(plain - log_loss(chosen.apply(odds[newest]), tested.label[newest]).mean())
    assert np.mean(gains) > -0.001


def test_log_odds_there_and_back() -> None:
    p = np.array([1e-7, 0.02, 0.5, 0.999])
    assert probability(log_odds(p)) == pytest.approx(p)
    assert probability(np.array([-800.0, 800.0])).tolist() == [0.0, 1.0]
