"""What would move people to another bucket, checked by scoring them again."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from coterie.core.clock import DAY
from coterie.pipeline.definitions import Definitions
from coterie.prediction.data import cutoffs
from coterie.prediction.data.learning import learn
from coterie.prediction.data.population import Rows
from coterie.prediction.data.store import FeatureStore
from coterie.prediction.definition import Population
from coterie.prediction.frame import Examples, Family, Feature, Frame
from coterie.prediction.learners import logistic
from coterie.prediction.learners.logistic import Logistic
from coterie.prediction.odds import Floats
from coterie.prediction.why import counterfactual
from coterie.prediction.why.conditions import Rules
from coterie.prediction.why.explanation import BUCKETS
from coterie.prediction.why.factors import Factors, explain
from coterie.prediction.why.ranges import place, ranges_of
from coterie.prediction.why.reasons import REASON, explanation, reasons
from coterie.prediction.why.scale import FactorScale, measure
from coterie.prediction.why.summary import distribution, insights, migration

from . import shop

BOUNDS = (-1.0, 0.5)
"""Log-odds from which people are medium and high."""


@dataclass(frozen=True)
class Shop:
    ws: Any
    store: FeatureStore
    learner: Logistic
    examples: Examples
    frame: Frame
    scale: FactorScale

    def contributions(self, frame: Frame) -> tuple[Floats, float]:
        return self.learner.contributions(frame.values)

    def bucket_of(self, frame: Frame) -> np.ndarray:
        return np.digitize(self.learner.log_odds(frame.values), BOUNDS).astype(np.int8)


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> Iterator[Shop]:
    made = shop.simulate(400, seed=5)
    ws = shop.load(tmp_path_factory.mktemp("shop"), made)
    con, union = ws.sandbox.history.con, Definitions(ws.sandbox.catalog).union()
    plan = cutoffs.plan(shop.MODEL, int(made["at"].min()), int(made["at"].max()), shop.NOW)
    store = FeatureStore(con, union, shop.MODEL, learn(con, union, shop.MODEL, plan))
    examples = store.training(plan.training)
    learner = logistic.fit(store.features, examples.frame.values, examples.label, examples.weight, seed=1)
    parts = (ws, store, learner, examples, store.build([shop.NOW]))
    bare = Shop(*parts, scale=FactorScale(0, 0, ()))
    yield Shop(*parts, scale=measure(bare, examples))
    ws.close()


@pytest.fixture(scope="module")
def factors(found: Shop) -> Factors:
    return explain(found, found.frame, found.bucket_of(found.frame), found.scale)


def later(found: Shop, people: np.ndarray, days: int) -> Frame:
    return found.store.later(Rows(people, np.full(len(people), shop.NOW + days * DAY, dtype=np.int64)), shop.NOW)


# -- waiting --------------------------------------------------------------------------------------------------------


def test_waiting_no_days_changes_nothing(found: Shop):
    again = later(found, found.frame.people, 0)
    np.testing.assert_array_equal(again.people, found.frame.people)
    np.testing.assert_array_equal(again.values, found.frame.values)


def test_waiting_moves_everything_that_depends_on_time(found: Shop):
    frame = found.frame
    moved = found.store.later(Rows(np.tile(frame.people, 2), shop.NOW + np.repeat([5, 12], len(frame)) * DAY), shop.NOW)
    assert len(moved) == 2 * len(frame)
    after = moved.take(np.arange(len(frame), 2 * len(frame)))
    np.testing.assert_allclose(after.column("goal:recency"), frame.column("goal:recency") + 12, rtol=1e-4)
    np.testing.assert_allclose(after.column("goal:tenure"), frame.column("goal:tenure") + 12, rtol=1e-4)
    np.testing.assert_array_equal(after.column("goal:n_7d"), 0)
    np.testing.assert_array_equal(after.column("goal:n_all"), frame.column("goal:n_all"))
    assert (after.column("goal:n_30d") <= frame.column("goal:n_30d")).all()
    np.testing.assert_array_equal(after.column("attribute:shoeSize"), frame.column("attribute:shoeSize"))
    overdue = after.column("goal:overdue") * after.column("goal:gap_median")
    rhythm = ~np.isnan(overdue)
    assert rhythm.mean() > 0.8
    np.testing.assert_allclose(overdue[rhythm], after.column("goal:recency")[rhythm], rtol=1e-4)


def test_who_was_silent_too_long_has_left_the_population():
    """Also where all that people do is of one kind, which then stands for whatever they do."""
    since = Feature("goal:recency", Family.RECENCY, "Order", "since:Order")
    sent = Feature("exposure.Mail:recency", Family.RECENCY, "Mail", "since:Mail", exposure=True)
    values = np.array([[30.0, 90.0], [60.0, 2.0], [60.5, 2.0], [np.nan, 2.0]], np.float32)
    frame = Frame((since, sent), np.arange(4, dtype=np.int32), np.zeros(4, np.int64), values)
    model = replace(shop.MODEL, population=Population(lookback_days=60))
    np.testing.assert_array_equal(counterfactual.eligible(frame, model), [True, True, False, False])
    model = replace(shop.MODEL, population=Population(lookback_days=None))
    assert counterfactual.eligible(frame, model).all()


def test_the_day_is_the_first_on_which_the_bucket_differs(found: Shop):
    """Scored again on every day, one after the other."""
    frame, bucket = found.frame, found.bucket_of(found.frame)
    people = np.sort(np.random.default_rng(1).choice(frame.people, 80, replace=False))
    mine = np.searchsorted(frame.people, people)
    days = tuple(range(1, 16))
    waited = counterfactual.waiting(found.store, found.bucket_of, people, bucket[mine], shop.NOW, days)
    first, then = np.full(len(people), -1), bucket[mine].copy()
    for day in days:
        then_ = later(found, people, day)
        new = found.bucket_of(then_)
        changed = (first < 0) & (new != bucket[mine]) & (then_.column("activity:recency") <= 60)
        first[changed], then[changed] = day, new[changed]
    np.testing.assert_array_equal(waited.day, first)
    np.testing.assert_array_equal(waited.bucket, then)
    assert (first > 0).mean() > 0.1  # otherwise nothing was tested


def test_between_days_looked_at_the_day_is_found_by_halving(found: Shop):
    frame, bucket = found.frame, found.bucket_of(found.frame)
    ask = (found.store, found.bucket_of, frame.people, bucket, shop.NOW)
    waited = counterfactual.waiting(*ask, counterfactual.SOME)
    every = counterfactual.waiting(*ask, tuple(range(1, 31)))
    both = (waited.day > 0) & (waited.day <= 30)
    assert both.sum() > 100
    assert np.mean(waited.day[both] == every.day[both]) > 0.9  # the others change more than once
    for row in np.flatnonzero(both)[::10]:
        day = int(waited.day[row])
        after = found.bucket_of(later(found, frame.people[[row]], day))[0]
        before = found.bucket_of(later(found, frame.people[[row]], day - 1))[0]
        assert before == bucket[row] != after == waited.bucket[row]


def test_parts_are_the_same_as_the_whole(found: Shop, monkeypatch):
    frame, bucket = found.frame, found.bucket_of(found.frame)
    ask = (found.store, found.bucket_of, frame.people, bucket, shop.NOW, (7, 14, 30))
    whole = counterfactual.waiting(*ask)
    monkeypatch.setattr(counterfactual, "ROWS", 400)
    parts = counterfactual.waiting(*ask)
    np.testing.assert_array_equal(whole.day, parts.day)
    np.testing.assert_array_equal(whole.bucket, parts.bucket)


def test_nobody_waits_longer_than_they_would_be_scored(found: Shop):
    bucket = found.bucket_of(found.frame)
    days = (30, 90, 120)
    waited = counterfactual.waiting(found.store, found.bucket_of, found.frame.people, bucket, shop.NOW, days)
    active = found.frame.column("activity:recency")
    assert (waited.day > 0).any()
    assert (active + np.maximum(waited.day, 0) <= 60.001).all()


def test_everybody_has_one_sentence_at_the_reason_that_it_is_about(found: Shop, factors: Factors):
    places, sentences = counterfactual.of_everybody(found.store, found.bucket_of, factors, shop.NOW)
    assert places.shape == factors.factor.shape
    told = np.argwhere(places >= 0)
    assert len(told) > 50
    for row, number in told:
        assert number in (0, 1, 2, 5, 6, 7)
        assert counterfactual.moves_with_time(factors.groups.features[factors.feature[row, number]])
    bucket = found.bucket_of(found.frame)
    waited = counterfactual.waiting(
        found.store, found.bucket_of, found.frame.people, bucket, shop.NOW, counterfactual.SOME
    )
    for row, number in told[:: max(1, len(told) // 40)]:
        day, sentence = int(waited.day[row]), sentences[places[row, number]]
        assert f"after {day} more day" in sentence
        if bucket[row] == 2:
            assert sentence.startswith("would leave high")
    assert not (places[waited.day < 0] >= 0).any()
    assert (places >= 0).sum(axis=1).max() == 1
    families = np.array([feature.family is Family.RECENCY for feature in factors.groups.features])
    recent = families[factors.feature] & (factors.factor >= 0)
    recent[:, 3:5] = recent[:, 8:] = False  # of each side the first three are looked at
    on_recency = 0
    for row, number in told:
        mine = np.flatnonzero(recent[row])
        assert number in mine or not len(mine)
        on_recency += len(mine) > 0
        falls, raised = waited.bucket[row] < bucket[row], number < factors.top
        others = [place for place in (0, 1, 2, 5, 6, 7) if factors.factor[row, place] >= 0]
        worn = [
            place
            for place in others
            if (place < factors.top) == falls
            and counterfactual.moves_with_time(factors.groups.features[factors.feature[row, place]])
        ]
        assert len(mine) or raised == falls or not worn
    assert 0 < on_recency < len(told)  # otherwise one of the two rules was not tested


def test_very_many_people_are_looked_at_on_demand_only(found: Shop, factors: Factors, monkeypatch):
    monkeypatch.setattr(counterfactual, "EVERYBODY", 10)
    places, sentences = counterfactual.of_everybody(found.store, found.bucket_of, factors, shop.NOW)
    assert not (places >= 0).any()
    assert sentences == []


# -- attributes, and one person -------------------------------------------------------------------------------------


def test_what_is_said_of_one_person_holds_when_scored_again(found: Shop, factors: Factors):
    frame, bucket = found.frame, found.bucket_of(found.frame)
    assert set(factors.peers.tried) == {"attribute:loyalty.tier", "attribute:shoeSize"}
    kinds = set()
    for row in range(0, len(frame), 40):
        one = frame.take(np.array([row]))
        mine = explain(found, one, bucket[[row]], found.scale, peers=factors.peers)
        told = counterfactual.of_person(found.store, found.bucket_of, one, mine)
        assert sum(said.move == "waiting" for said in told) <= 1
        for said in told:
            kinds.add(said.move)
            if said.move == "waiting":
                moved = later(found, one.people, said.days)
            else:
                column = next(i for i, f in enumerate(frame.features) if f.factor == said.code)
                values = one.values.copy()
                values[0, column] = said.value
                moved = Frame(frame.features, one.people, one.cutoffs, values)
            after = int(found.bucket_of(moved)[0])
            assert after != bucket[row]
            assert BUCKETS[after] == said.bucket
            assert said.text.startswith("would ")
    assert kinds == {"waiting", "attribute"}


def test_a_number_of_an_attribute_moves_as_little_as_it_must(found: Shop, factors: Factors):
    """A model in which the shoe size decides."""
    column = next(i for i, f in enumerate(found.frame.features) if f.name == "attribute:shoeSize")
    one = found.frame.take(np.array([0]))
    one.values[0, column] = 40

    def bucket_of(frame: Frame) -> np.ndarray:
        return np.digitize(frame.values[:, column], [38, 43]).astype(np.int8)

    mine = explain(found, one, bucket_of(one), found.scale, peers=factors.peers)
    feature = mine.feature.copy()
    feature[0, 0] = column
    tried = replace(factors.peers, tried={"attribute:shoeSize": [float(size) for size in range(30, 50)]})
    mine = dataclasses.replace(mine, feature=feature, peers=tried)
    (said,) = counterfactual.attributes(bucket_of, one, mine)
    assert (said.value, said.bucket) == (37, "low")
    assert said.text == "would fall to low if Shoe size were: 37"


# -- reasons of everybody -------------------------------------------------------------------------------------------


def test_reasons_of_everybody_are_those_of_each(found: Shop, factors: Factors):
    told = counterfactual.of_everybody(found.store, found.bucket_of, factors, shop.NOW)
    lists = reasons(factors, told)
    bucket = found.bucket_of(found.frame)
    for side in lists:
        assert side.type.value_type == REASON
        assert len(side) == len(factors)
    for row in range(0, len(factors), 37):
        one = found.frame.take(np.array([row]))
        said = explanation(found, one, int(bucket[row]), found.scale, factors.peers)
        for side, each in zip(lists, (said.raises, said.lowers), strict=True):
            rows = side[row].as_py()
            assert [reason["code"] for reason in rows] == [factor.code for factor in each]
            for rank, (reason, factor) in enumerate(zip(rows, each, strict=True)):
                assert reason["label"] == factor.label
                assert reason["value_label"] == factor.value_label
                assert reason["direction"] == factor.direction
                assert reason["importance"] == factor.importance
                assert reason["contribution"] == pytest.approx(factor.contribution, abs=1e-6)
                assert reason["value"] == (None if factor.value is None else pytest.approx(factor.value))
                assert (reason["peer_label"] or "") == factor.peer_label
                assert reason["peer_range"] == (None if factor.peer_range is None else list(factor.peer_range))
                number = told[0][row, rank + (factors.top if side is lists[1] else 0)]
                assert reason["counterfactual"] == (told[1][number] if number >= 0 else None)
        shown = sum(factor.contribution for factor in (*said.raises, *said.lowers, *said.exposures))
        assert said.base + shown + said.rest == pytest.approx(said.log_odds, abs=1e-9)
        assert said.log_odds == pytest.approx(float(found.learner.log_odds(one.values)[0]), abs=1e-6)


# -- insights -------------------------------------------------------------------------------------------------------


def test_insights_count_everybody(found: Shop, factors: Factors):
    bucket = found.bucket_of(found.frame)
    odds = found.learner.log_odds(found.frame.values)
    probability = 1 / (1 + np.exp(-odds))
    score = np.argsort(np.argsort(odds)) * 100 // len(odds)
    rules = Rules(shop.MODEL, found.store.vocabulary, found.store.union)
    made = insights(
        score, probability, bucket, factors, found.frame, found.scale, range_rule=rules.range, factor_rule=rules.factor
    )
    assert made.people == len(bucket) == sum(made.distribution.people) == sum(each.people for each in made.buckets)
    assert len(made.distribution.people) == 101
    assert made.probability == pytest.approx(probability.mean(), abs=1e-6)
    for number, each in enumerate(made.buckets):
        assert each.bucket == BUCKETS[number]
        assert 0 < len(each.factors) <= 10
        assert [factor.weight for factor in each.factors] == sorted((f.weight for f in each.factors), reverse=True)
        assert {factor.code for factor in each.exposures} <= {"often:E-mail", "since:E-mail", "trend:E-mail"}
        assert each.probability == pytest.approx(probability[bucket == number].mean(), abs=1e-6)
        for factor in each.factors:
            assert "E-mail" not in factor.code
            assert sum(range_.people for range_ in factor.ranges) == each.people
            assert sum(range_.coverage for range_ in factor.ranges) == pytest.approx(1)
            assert (factor.contribution >= 0) == (factor.direction == "raises")
    labels = [[range_.label for range_ in each.factors[0].ranges] for each in made.buckets if each.factors[0].ranges]
    assert labels  # ranges are the same in all buckets
    by_code = [{factor.code: [r.label for r in factor.ranges] for factor in each.factors} for each in made.buckets]
    for code in set(by_code[0]) & set(by_code[2]):
        assert by_code[0][code] == by_code[2][code]
    likely, unlikely = (
        next(factor for factor in each.factors if factor.code == "attribute:loyalty.tier")
        for each in (made.buckets[2], made.buckets[0])
    )
    assert likely.direction == "raises"
    assert unlikely.direction == "lowers"
    rates = {range_.value: range_.rate for range_ in likely.ranges}
    assert rates["gold"] > rates["silver"] > rates["bronze"]


def test_rules_of_ranges_hold_for_the_people_counted(found: Shop):
    """Ranges of features that can be said as rules, counted as audiences are."""
    frame = found.frame
    assert len(frame) == 400  # everybody is eligible, so that audiences are of the same people
    rules = Rules(shop.MODEL, found.store.vocabulary, found.store.union)
    label, weight = np.zeros(len(frame), bool), np.ones(len(frame))
    asked = set()
    for column, feature in enumerate(frame.features):
        values = frame.values[:, column]
        whole = feature.family in (Family.RECENCY, Family.TENURE)
        made = ranges_of(feature, values, label, weight, whole=whole)
        people = np.bincount(place(made, values), minlength=len(made))
        for number in sorted({0, len(made) // 2, len(made) - 1}):
            text = rules.condition(feature, made[number])
            if text is not None:
                asked.add(feature.name.rpartition(":")[2])
                assert found.ws.audiences.count(text).count == people[number], text
    assert asked >= {"n_7d", "n_all", "recency", "tenure", "sum_30d", "sum_all", "loyalty.tier", "shoeSize"}


def test_rules_of_buckets_and_reasons():
    rules = Rules(shop.MODEL, None, None)  # type: ignore[arg-type]
    assert rules.bucket("high") == 'customerAI.buys.bucket = "high"'
    assert rules.factor("low", 'since:"x"') == (
        'customerAI.buys.bucket = "low" and (customerAI.buys.factors[code = "since:\\"x\\""]'
        ' or customerAI.buys.factors_against[code = "since:\\"x\\""])'
    )


def test_migration_adds_up():
    rng = np.random.default_rng(1)
    before = np.sort(rng.choice(1000, 600, replace=False)).astype(np.int32)
    after = np.sort(rng.choice(1000, 500, replace=False)).astype(np.int32)
    buckets = rng.integers(0, 3, 600).astype(np.int8), rng.integers(0, 3, 500).astype(np.int8)
    made = migration((before, buckets[0]), (after, buckets[1]))
    assert (made.before, made.after) == (600, 500)
    first, second = dict(zip(before, buckets[0], strict=True)), dict(zip(after, buckets[1], strict=True))
    for move in made.moves:
        expected = sum(
            (BUCKETS[first[p]] if p in first else None, BUCKETS[second[p]] if p in second else None)
            == (move.before, move.after)
            for p in set(first) | set(second)
        )
        assert move.people == expected
    assert sum(move.people for move in made.moves if move.before) == 600
    assert sum(move.people for move in made.moves if move.after) == 500


def test_distribution_counts_outcomes():
    score, hit = np.array([0, 5, 5, 100]), np.array([True, True, False, True])
    made = distribution(score, hit)
    assert made.people[5] == 2
    assert made.hits[5] == 1
    assert (sum(made.people), sum(made.hits)) == (4, 3)
