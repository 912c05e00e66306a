"""An alarm where people are others than those learnt from, and none where they are not."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from coterie.core.clock import DAY
from coterie.prediction.frame import Examples, Family, Feature, Frame
from coterie.prediction.modelling.distributions import bins_of, psi, shares_of
from coterie.prediction.trust.drift import Drift, Pace, Reference, compare, refer

CUTOFFS = tuple(100 * DAY + place * 7 * DAY for place in range(6))
FEATURES = (
    Feature("goal:recency", Family.RECENCY, "Order", "since:Order"),
    *(Feature(f"goal:n_{days}d", Family.FREQUENCY, "Order", "often:Order", days) for days in (7, 14, 30, 60, 90)),
    *(Feature(f"type.view:n_{days}d", Family.FREQUENCY, "View", "often:View", days) for days in (7, 14, 30, 60, 90)),
    Feature("tenure", Family.TENURE, "", "tenure"),
    Feature("plan", Family.ATTRIBUTES, "plan", "attribute:plan", values=("free", "basic", "pro")),
)


def people_at(cutoff: int, people: int, seed: int, *, busier: float = 1.0, joined: int = 40 * DAY) -> Frame:
    """Return features of people drawn at random: habits of their own, a plan or none, a tenure that grows with time."""
    random = np.random.default_rng(seed)
    habit = random.gamma(2.0, 0.02 * busier, people)
    recency = random.exponential(1 / np.maximum(habit, 1e-3)).clip(0, 90)
    orders = random.poisson(habit[:, None] * np.array([7, 14, 30, 60, 90]))
    views = random.poisson(3 * habit[:, None] * np.array([7, 14, 30, 60, 90]))
    tenure = (cutoff - joined) / DAY - np.random.default_rng(people).exponential(5, people).clip(0, 50)
    plan = np.where(random.random(people) < 0.1, np.nan, random.choice(3, people, p=(0.6, 0.3, 0.1)))
    values = np.column_stack([recency, orders, views, tenure, plan]).astype(np.float32)
    return Frame(FEATURES, np.arange(people, dtype=np.int32), np.full(people, cutoff), values)


def stacked(frames: list[Frame]) -> Frame:
    return Frame(
        FEATURES,
        np.concatenate([frame.people for frame in frames]),
        np.concatenate([frame.cutoffs for frame in frames]),
        np.concatenate([frame.values for frame in frames]),
    )


def probability(frame: Frame) -> np.ndarray:
    """Return what a model of recency and orders would say."""
    return 1 / (1 + np.exp(2 + frame.values[:, 0] / 30 - frame.values[:, 3] / 2))


def reference(people: int, seed: int) -> Reference:
    frame = stacked([people_at(cutoff, people, seed + place) for place, cutoff in enumerate(CUTOFFS)])
    nothing = np.zeros(len(frame), bool)
    examples = Examples(frame, nothing, nothing, np.full(len(frame), -1, np.int32), np.ones(len(frame)))
    return refer(examples, probability(frame), np.arange(len(frame)))


def drift(people: int, seed: int, *, learnt: int | None = None, busier: float = 1.0, joined: int = 40 * DAY) -> Drift:
    scored = people_at(CUTOFFS[-1] + 30 * DAY, people, seed + 1000, busier=busier, joined=joined)
    return compare(reference(learnt or people, seed), scored, probability(scored))


@pytest.mark.parametrize(("people", "seeds"), [(120, 30), (300, 20), (3000, 6), (30_000, 2)])
def test_people_who_did_not_change_raise_no_alarm(people: int, seeds: int) -> None:
    found = [drift(people, seed) for seed in range(seeds)]
    assert [(each.level, each.reasons) for each in found if each.level != "steady"] == []


@pytest.mark.parametrize(("people", "seeds"), [(300, 20), (3000, 6)])
def test_a_shift_of_the_people_raises_the_alarm(people: int, seeds: int) -> None:
    for seed in range(seeds):
        found = drift(people, seed, busier=2.5)
        assert found.level == "alarm"
        assert found.factors[0].subject in ("often:Order", "often:View")
        assert found.factors[0].psi > 0.25
        assert "spread otherwise" in " ".join(found.reasons)


def test_few_people_who_shifted_are_told_from_chance_only_by_a_large_shift() -> None:
    assert drift(60, 1, learnt=2000, busier=6.0).level == "alarm"
    assert drift(25, 1, learnt=2000).level == "steady"


def test_a_tenure_that_grows_as_it_did_in_training_is_no_news() -> None:
    found = drift(2000, 7)
    tenure = next(each for each in found.factors if each.subject == "tenure")
    assert tenure.level == "steady"
    first, last = people_at(CUTOFFS[0], 2000, 7), people_at(CUTOFFS[-1] + 30 * DAY, 2000, 1007)
    now = shares_of(
        bins_of("tenure", "tenure", first.values[:, 11], first.cutoffs, np.ones(2000)), last.values[:, 11], last.cutoffs
    )
    assert now[-2] == 1  # all of them are in the last bin of the first cut-off


def test_people_who_suddenly_are_all_new_are_news() -> None:
    found = drift(2000, 7, joined=CUTOFFS[-1] - 30 * DAY)
    tenure = next(each for each in found.factors if each.subject == "tenure")
    assert tenure.level == "alarm"


def test_a_factor_that_counts_little_only_warns() -> None:
    kept = msgspec.structs.replace(reference(2000, 3), weights={"often:View": 0.001, "often:Order": 0.5})
    scored = people_at(CUTOFFS[-1] + 30 * DAY, 2000, 99)
    scored.values[:, 6:11] *= 5
    found = compare(kept, scored, probability(scored))
    assert next(each for each in found.factors if each.subject == "often:View").level == "alarm"
    assert found.level == "warning"
    assert "counts little" in " ".join(found.reasons)


def test_values_that_training_never_saw() -> None:
    scored = people_at(CUTOFFS[-1] + 30 * DAY, 2000, 5)
    scored.values[:500, 12] = 3
    found = compare(reference(2000, 5), scored, probability(scored))
    assert [(each.feature, each.share, each.level) for each in found.unseen] == [("plan", 0.25, "alarm")]
    assert found.level == "alarm"


def test_the_mean_probability_is_held_against_what_came_about() -> None:
    scored = people_at(CUTOFFS[-1] + 30 * DAY, 2000, 5)
    mean = float(probability(scored).mean())
    kept = reference(2000, 5)
    assert compare(kept, scored, probability(scored), last_rate=mean * 1.1).level == "steady"
    off = compare(kept, scored, probability(scored), last_rate=mean / 2)
    assert off.level == "warning"
    assert "newest closed window" in off.reasons[0]


@pytest.mark.parametrize(
    ("pace", "level"),
    [
        (Pace(100, 110, 90, 130), "steady"),
        (Pace(40, 100, 30, 170), "steady"),
        (Pace(40, 100, 80, 120), "warning"),
        (Pace(300, 100, 80, 120), "warning"),
        (Pace(2, 100, 80, 120), "alarm"),
    ],
)
def test_events_per_day_against_the_weeks_before(pace: Pace, level: str) -> None:
    scored = people_at(CUTOFFS[-1] + 30 * DAY, 500, 5)
    assert compare(reference(500, 5), scored, probability(scored), pace=pace).level == level


def test_the_index_by_hand() -> None:
    assert psi(np.array([0.5, 0.5]), np.array([0.5, 0.5])) == 0
    by_hand = (0.2 - 0.1) * np.log(0.2 / 0.1) + (0.8 - 0.9) * np.log(0.8 / 0.9)
    assert psi(np.array([0.1, 0.9]), np.array([0.2, 0.8])) == pytest.approx(by_hand)


def test_bins_hold_all_values_and_missing_ones_apart() -> None:
    values = np.array([0, 0, 0, 0, 0, 0, 0, 1, 2, np.nan], dtype=np.float32)
    bins = bins_of("n", "often", values, np.zeros(10, np.int64), np.ones(10))
    assert sum(bins.shares) == pytest.approx(1)
    assert bins.shares[-1] == pytest.approx(0.1)
    assert bins.edges[0] == 0
    assert shares_of(bins, np.full(4, 7.0), np.zeros(4, np.int64))[-2] == 1


def test_rows_count_for_the_people_they_stand_for() -> None:
    bins = bins_of("n", "often", np.array([0.0, 0.0, 1.0]), np.zeros(3, np.int64), np.array([1.0, 1.0, 6.0]))
    assert bins.shares[0] == pytest.approx(0.25)


def test_what_is_kept_with_a_version_is_the_same_read_back() -> None:
    kept = reference(300, 2)
    assert msgspec.json.decode(msgspec.json.encode(kept), type=Reference) == kept


def test_nobody_scored_is_no_drift() -> None:
    scored = people_at(CUTOFFS[-1], 0, 5)
    assert compare(reference(300, 5), scored, probability(scored)).level == "steady"
