"""The value of contacting people by score, against counting it out person by person."""

from __future__ import annotations

import numpy as np
import pytest

from coterie.core.errors import Invalid
from coterie.prediction.modelling.backtest import gains
from coterie.prediction.modelling.evaluation import Point
from coterie.prediction.trust.value import Gains, worth


@pytest.fixture(scope="module")
def tested() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(11)
    probability = random.beta(1, 6, 2000)
    return probability, random.random(2000) < probability


def curve(tested: tuple[np.ndarray, np.ndarray]) -> Gains:
    probability, label = tested
    points = gains(probability, label, np.ones(len(label)))
    return Gains(points, len(label), float(label.mean()))


def by_hand(tested: tuple[np.ndarray, np.ndarray], people: int, cost: float, value: float) -> float:
    """Return the profit of contacting the most likely so many people."""
    probability, label = tested
    first = np.argsort(-probability, kind="stable")[:people]
    return value * int(label[first].sum()) - cost * people


@pytest.mark.parametrize(("cost", "value"), [(1, 4), (1, 10), (2, 9), (0, 1)])
def test_the_best_cut_is_that_of_counting_it_out(
    tested: tuple[np.ndarray, np.ndarray], cost: float, value: float
) -> None:
    found = worth(curve(tested), cost, value)
    profits = {people: by_hand(tested, people, cost, value) for people in range(0, 2001, 20)}
    for cut in found.cuts:
        assert cut.profit == pytest.approx(profits[cut.people], abs=value)
    assert found.best.profit == pytest.approx(max(profits.values()), abs=value)
    assert found.everyone.profit == pytest.approx(profits[2000])


def test_contacts_that_cost_more_than_they_bring_are_none(tested: tuple[np.ndarray, np.ndarray]) -> None:
    best = worth(curve(tested), 10, 1).best
    assert (best.people, best.profit) == (0, 0)


def test_free_contacts_stop_where_nothing_more_is_gained() -> None:
    found = worth(Gains([Point(0.25, 0.8), Point(0.5, 1.0)], 400, 0.1), 0, 5)
    assert (found.best.people, found.best.profit) == (200, 200)


def test_the_top_of_the_people_and_what_they_hold() -> None:
    half = Gains([Point(0.2, 0.6)], 1000, 0.05)
    cut = half.top(200)
    assert (cut.people, cut.share_of_successes, cut.successes, cut.rate) == (200, 0.6, 30, 0.15)
    assert half.top(100).share_of_successes == pytest.approx(0.3)
    assert half.top(5000).share_of_successes == 1
    assert Gains([], 0, 0.0).top(10).people == 0


def test_costs_below_nothing_are_refused() -> None:
    with pytest.raises(Invalid, match="contact cost is -1") as caught:
        worth(Gains([], 10, 0.5), -1, 1)
    assert caught.value.code == "model.value"
