"""Training: purged back-tests, the choice of a learner, and the same model from the same seed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from threading import Event
from typing import Any

import numpy as np
import pytest
from msgspec import structs
from tests.prediction.series import GOAL, Series, series

from coterie.core.clock import DAY
from coterie.core.errors import Invalid
from coterie.prediction import definition
from coterie.prediction.data.cutoffs import Cutoffs
from coterie.prediction.frame import Examples
from coterie.prediction.learners.trees import Binned
from coterie.prediction.modelling import backtest, contest, splits, training
from coterie.prediction.modelling.evaluation import Candidate
from coterie.prediction.modelling.lanes import Lanes
from coterie.prediction.modelling.trained import Trained
from coterie.prediction.odds import log_odds

Learnt = tuple[Series, Trained]


def test_no_back_test_learns_from_a_window_that_had_not_closed(learnt: Learnt) -> None:
    made, _ = learnt
    for one in splits.split(made.examples, made.cutoffs, 0):
        trained_at = made.examples.frame.cutoffs[one.train]
        assert (trained_at + 14 * DAY <= one.cutoff).all()
        assert (made.examples.frame.cutoffs[one.test] == one.cutoff).all()
        assert len(one.train)


def test_a_back_test_does_not_know_the_outcomes_it_is_tested_on(learnt: Learnt) -> None:
    """Whatever came of people after the newest test changes what was predicted there for nobody but by its rounds."""
    made, trained = learnt
    assert trained.out_of_time is not None
    tested = trained.out_of_time.tested
    newest = made.examples.frame.cutoffs == made.cutoffs.training[0]
    label = np.where(newest, ~made.examples.label, made.examples.label)
    first, found = tested.of(0), []
    with Lanes(lambda: None) as lanes:
        for examples in (replace(made.examples, label=label), made.examples):
            one = training._Training(examples, made.cutoffs, GOAL, 3, training.Quiet(), lanes)
            found.append(one._learners()["logistic"][first])
    assert (found[0] == found[1]).all()


def test_people_are_divided_when_there_is_one_window(learnt: Learnt) -> None:
    made, _ = learnt
    single = made.examples.take(made.examples.frame.cutoffs == made.cutoffs.training[0])
    made_of = splits.split(single, Cutoffs(made.cutoffs.scoring, made.cutoffs.training[:1], (), False), 0)
    people = single.frame.people
    assert len(made_of) == 3
    assert np.sort(np.concatenate([one.test for one in made_of])).tolist() == list(range(len(single)))
    for one in made_of:
        assert not set(people[one.train]) & set(people[one.test])


def test_too_many_rows_are_thinned_by_person(learnt: Learnt, monkeypatch: pytest.MonkeyPatch) -> None:
    made, _ = learnt
    monkeypatch.setattr(splits, "FOLD_ROWS", 1_000)
    one, *_ = splits.split(made.examples, made.cutoffs, 0)
    assert len(one.train) == len(one.test) == 1_000
    # Persons are taken with all of their rows: about a fifth of them, but for the last.
    assert len(np.unique(made.examples.frame.people[one.train])) <= 1_000 // len(made.cutoffs.folds[0].train) + 1


@pytest.mark.parametrize("threads", [1, 3])
def test_same_seed_same_scores_however_many_threads_learn(learnt: Learnt, threads: int) -> None:
    made, trained = learnt
    with Lanes(lambda: None, threads) as lanes:
        again = training.train(made.examples, made.cutoffs, GOAL, seed=3, lanes=lanes)
    assert again.learner.files() == trained.learner.files()
    assert (again.log_odds(made.examples.frame) == trained.log_odds(made.examples.frame)).all()
    assert again.evaluation == trained.evaluation
    assert again.interval == trained.interval
    assert again.scores == trained.scores


def test_it_finds_what_was_planted(learnt: Learnt) -> None:
    _, trained = learnt
    evaluation = trained.evaluation
    fresh = series(5_000, 1, 99)
    odds = trained.log_odds(fresh.examples.frame)
    assert np.corrcoef(odds, fresh.odds)[0, 1] > 0.95
    assert evaluation.gate == "good"
    assert evaluation.algorithm in ("blend", "logistic", "trees")
    assert len(evaluation.backtests) == 3
    assert [one.cutoff for one in evaluation.backtests] == [fold.test for fold in learnt[0].cutoffs.folds]
    assert len(evaluation.gains) == 101
    pooled = evaluation.pooled
    assert pooled.auc.low is not None
    assert pooled.auc.value is not None
    assert pooled.auc.high is not None
    assert pooled.auc.low < pooled.auc.value < pooled.auc.high
    assert all(rule.auc is not None and rule.auc < pooled.auc.value for rule in evaluation.rules)
    assert [rule.name for rule in evaluation.rules] == ["Most recent first", "Most frequent first"]
    assert {one.algorithm for one in evaluation.candidates} == {"logistic", "trees", "blend", "bgnbd"}


def test_contributions_sum_to_the_log_odds(learnt: Learnt) -> None:
    made, trained = learnt
    frame = made.examples.frame.take(np.arange(700))
    added, start = trained.contributions(frame)
    assert np.abs(added.sum(axis=1) + start - trained.log_odds(frame)).max() < 1e-6


def few(persons: int, seed: int, goal_rate: float = -1.0) -> Series:
    return series(persons, 8, seed, base=goal_rate)


def test_with_few_people_the_simpler_learner_is_the_one_to_beat() -> None:
    made = few(400, 5)
    trained = training.train(made.examples, made.cutoffs, GOAL, seed=0)
    assert trained.evaluation.algorithm == "logistic"


def test_with_hardly_anybody_nothing_is_learnt_from_outcomes() -> None:
    made = few(90, 5)
    trained = training.train(made.examples, made.cutoffs, GOAL, seed=0)
    assert trained.evaluation.algorithm == "bgnbd"
    twice = structs.replace(
        GOAL, events=(definition.GoalEvent("Buys", (definition.Test("eventType", "eq", "purchase"),), at_least=2),)
    )
    trained = training.train(made.examples, made.cutoffs, twice, seed=0)
    assert trained.evaluation.algorithm == "base"
    assert trained.probability(made.examples.frame).std() == 0
    assert trained.probability(made.examples.frame)[0] == pytest.approx(made.examples.label.mean(), abs=0.02)


def test_intervals_of_few_people_are_wider(learnt: Learnt) -> None:
    made = few(250, 6)
    small = training.train(made.examples, made.cutoffs, GOAL, seed=0)
    p = np.array([0.2])
    widths = [high[0] - low[0] for low, high in (small.interval.around(p), learnt[1].interval.around(p))]
    assert widths[0] > 1.3 * widths[1]


def test_too_few_to_test_on_is_an_error() -> None:
    made = series(1, 1, 1)
    with pytest.raises(Invalid, match="none is left to test on") as caught:
        training.train(made.examples, Cutoffs(made.cutoffs.scoring, made.cutoffs.training, (), False), GOAL)
    assert (caught.value.code, caught.value.where["number"]) == ("model.not-enough-population", 401)


def test_nobody_to_learn_from_is_an_error(learnt: Learnt) -> None:
    made, _ = learnt
    nobody: Examples = made.examples.take(np.zeros(len(made.examples), np.bool_))
    with pytest.raises(Invalid, match="no people"):
        training.train(nobody, made.cutoffs, GOAL)


def test_it_stops_when_asked_and_says_how_far_it_is(learnt: Learnt) -> None:
    made, _ = learnt

    class Stop(Exception):
        pass

    class Heard:
        def __init__(self) -> None:
            self.shares: list[float] = []

        def report(self, stage: str, done: float | None = None, total: float | None = None) -> None:
            assert stage == "training"
            assert done is not None
            assert total is not None
            self.shares.append(done / total)

    heard = Heard()

    def stop() -> None:
        if heard.shares and heard.shares[-1] > 0.3:
            raise Stop

    with pytest.raises(Stop):
        training.train(made.examples, made.cutoffs, GOAL, seed=0, progress=heard, stop=stop)
    assert heard.shares == sorted(heard.shares)
    assert 0.3 < heard.shares[-1] < 0.6


def test_it_stops_while_trees_learn_from_all(monkeypatch: pytest.MonkeyPatch) -> None:
    made, begun = series(600, 5, 1), Event()

    class Stop(Exception):
        pass

    def stop() -> None:
        if begun.is_set():
            raise Stop

    def endless(_: object, rounds: int, asked: Callable[[int], None]) -> None:
        begun.set()
        for _ in range(2_000):
            asked(0)
            time.sleep(0.001)

    def for_trees(*given: Any) -> list[Candidate]:
        return [structs.replace(one, chosen=one.algorithm == "trees") for one in contest.compare(*given)]

    monkeypatch.setattr(Binned, "fit", endless)
    monkeypatch.setattr(training, "compare", for_trees)
    with pytest.raises(Stop):
        training.train(made.examples, made.cutoffs, GOAL, seed=0, stop=stop)


# -- the choice -------------------------------------------------------------------------------------------------------


def contested(n: int, seed: int) -> tuple[backtest.Tested, np.ndarray]:
    rng = np.random.default_rng(seed)
    odds = rng.normal(size=3 * n)
    label = rng.random(3 * n) < 1 / (1 + np.exp(-odds))
    fold = np.repeat([0, 1, 2], n)
    people = np.tile(np.arange(n, dtype=np.int32), 3)
    return backtest.Tested(np.arange(3 * n), fold, people, label, np.ones(3 * n), (30, 20, 10), (n, n, n)), odds


def chosen(tested: backtest.Tested, predicted: dict[str, np.ndarray]) -> str:
    found = contest.compare(tested, predicted, "blend", 0)  # type: ignore[arg-type]
    return next(one.algorithm for one in found if one.chosen)


def test_the_default_stays_without_a_clear_winner() -> None:
    tested, odds = contested(2_000, 1)
    noise = np.random.default_rng(2).normal(scale=0.1, size=len(odds))
    assert chosen(tested, {"logistic": odds, "trees": odds + noise, "blend": odds + noise / 2}) == "blend"


def test_a_learner_that_is_better_beyond_doubt_is_taken() -> None:
    tested, odds = contested(2_000, 1)
    assert chosen(tested, {"logistic": odds * 0.1, "trees": odds, "blend": odds * 0.4}) == "trees"


def test_a_base_rate_that_moved_decides_nothing() -> None:
    """A learner that is right about people, but knew nothing of a campaign, is not left for one that knows less."""
    tested, odds = contested(2_000, 1)
    flat = np.full(len(odds), float(log_odds(tested.label.mean())))
    assert chosen(tested, {"logistic": flat, "trees": odds - 1.5, "blend": odds - 1.5}) == "blend"


def test_with_one_window_it_is_tested_on_other_people_and_says_so() -> None:
    made = series(400, 1, 9)
    cutoffs = Cutoffs(made.cutoffs.scoring, made.cutoffs.training, (), False)
    evaluation = training.train(made.examples, cutoffs, GOAL, seed=0).evaluation
    assert not evaluation.by_time
    assert len(evaluation.backtests) == 3
    assert evaluation.pooled.people == 400
    assert evaluation.pooled.auc.value is not None
    assert evaluation.pooled.auc.value > 0.6
