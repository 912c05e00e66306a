"""What came of runs whose windows have closed, against what was expected of them."""

from __future__ import annotations

import numpy as np
import pytest

from coterie.core.clock import DAY
from coterie.prediction.definition import Buckets
from coterie.prediction.modelling.scoring import Scores, bucket_of, percentiles
from coterie.prediction.trust.outcomes import Closed, Outcome, judge, monitor

START = 1_700_000_000_000


def closed(people: int, seed: int, *, number: int = 1, width: float = 0.03) -> Closed:
    probability = np.round(np.random.default_rng(seed).beta(1, 4, people), 6)
    score = np.round(100 * probability).astype(np.int8)
    scores = Scores(
        people=np.arange(people, dtype=np.int32),
        probability=probability,
        score=score,
        percentile=percentiles(probability),
        bucket=bucket_of(score, Buckets()),
        low=np.clip(probability - width, 0, 1),
        high=np.clip(probability + width, 0, 1),
    )
    at = START + number * 30 * DAY
    return Closed(f"m/{number}", 1, at, at, at + 30 * DAY, scores)


def came(run: Closed, seed: int, factor: float = 1.0) -> np.ndarray:
    return np.random.default_rng(seed).random(len(run.scores)) < run.scores.probability * factor


def found(run: Closed, label: np.ndarray) -> Outcome:
    outcome = judge(run, run.scores.people, label)
    assert outcome is not None
    return outcome


@pytest.mark.parametrize("people", [150, 5000])
def test_what_was_promised_and_kept_raises_no_alarm(people: int) -> None:
    for seed in range(20):
        run = closed(people, seed)
        assert found(run, came(run, seed + 100)).level == "steady"


@pytest.mark.parametrize("factor", [0.5, 1.6])
def test_a_rate_outside_the_interval_raises_the_alarm(factor: float) -> None:
    run = closed(5000, 1)
    outcome = found(run, came(run, 2, factor))
    assert outcome.level == "alarm"
    assert "outside the interval" in outcome.message
    assert not outcome.low <= outcome.actual <= outcome.high


def test_counts_by_hand() -> None:
    run = closed(2000, 3)
    label = came(run, 4)
    outcome = found(run, label)
    assert outcome.expected == pytest.approx(run.scores.probability.mean(), abs=1e-6)
    assert outcome.actual == label.mean()
    assert sum(each.people for each in outcome.buckets) == 2000
    high = run.scores.bucket == 2
    assert outcome.buckets[-1].actual == pytest.approx(label[high].mean())
    assert outcome.buckets[-1].low < outcome.buckets[-1].actual < outcome.buckets[-1].high
    assert outcome.distribution.hits is not None
    assert (sum(outcome.distribution.people), sum(outcome.distribution.hits)) == (2000, label.sum())
    assert outcome.distribution.hits[50] == label[run.scores.score == 50].sum()
    assert sum(each.people for each in outcome.reliability) == 2000
    assert outcome.brier == pytest.approx(np.mean((run.scores.probability - label) ** 2))


def test_people_who_are_gone_and_people_not_scored_are_left_out_in_any_order() -> None:
    run = closed(100, 5)
    label = came(run, 6)
    known = np.array([70, 5, 400, 20], dtype=np.int32)
    outcome = judge(run, known, np.array([True, False, True, False]))
    assert outcome is not None
    assert outcome.people == 3
    assert outcome.actual == pytest.approx(1 / 3, abs=1e-6)
    assert outcome.auc == pytest.approx(
        np.mean([run.scores.probability[70] > run.scores.probability[other] for other in (5, 20)])
    )
    assert judge(run, np.array([400], dtype=np.int32), label[:1]) is None


def test_where_it_came_true_for_nobody_there_is_no_auc() -> None:
    run = closed(50, 5)
    assert found(run, np.zeros(50, bool)).auc is None


def test_the_last_few_runs_together() -> None:
    runs = [closed(1000, number, number=number) for number in range(1, 9)]
    outcomes = [found(run, came(run, number)) for number, run in enumerate(runs)]
    watched = monitor("m", outcomes)
    assert [each.run for each in watched.outcomes] == [f"m/{number}" for number in range(8, 0, -1)]
    assert watched.level == "steady"
    assert watched.rolling_auc == pytest.approx(np.mean([each.auc for each in outcomes[-6:]]))
    assert watched.rolling_actual == pytest.approx(np.mean([each.actual for each in outcomes[-6:]]))


def test_scores_that_tell_nothing_any_more_raise_the_alarm() -> None:
    runs = [closed(3000, number, number=number) for number in range(1, 4)]
    outcomes = [
        found(run, np.random.default_rng(number).permutation(came(run, number))) for number, run in enumerate(runs)
    ]
    watched = monitor("m", outcomes)
    assert watched.level == "alarm"
    assert "guessing has 0.50" in watched.reasons[-1]


def test_without_a_closed_run_there_is_nothing_to_say() -> None:
    watched = monitor("m", [])
    assert (watched.level, watched.rolling_auc, watched.outcomes) == ("steady", None, ())
