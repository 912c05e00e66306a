"""Factors: sums, groups, what is given to whom, and whether it is the truth."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coterie.prediction.frame import Examples, Frame
from coterie.prediction.learners.trees import Binned, Trees
from coterie.prediction.odds import Floats
from coterie.prediction.why.factors import TOP, chosen, explain
from coterie.prediction.why.groups import Groups
from coterie.prediction.why.peers import usual
from coterie.prediction.why.scale import FactorScale, measure

from .planted import DRIVERS, FEATURES, world


@dataclass(frozen=True)
class Model:
    """Trees as a trained model hands them out."""

    trees: Trees

    def contributions(self, frame: Frame) -> tuple[Floats, float]:
        return self.trees.contributions(frame.values)


@pytest.fixture(scope="module")
def examples() -> tuple[Examples, dict[str, np.ndarray]]:
    return world(6000, seed=1)


@pytest.fixture(scope="module")
def model(examples) -> Model:
    learnt, _ = examples
    binned = Binned(FEATURES, learnt.frame.values, learnt.label, np.ones(len(learnt.label)), seed=1)
    return Model(binned.fit(150, lambda _: None))


@pytest.fixture(scope="module")
def others() -> tuple[Examples, dict[str, np.ndarray]]:
    return world(3000, seed=2)


@pytest.fixture(scope="module")
def scale(model, examples) -> FactorScale:
    return measure(model, examples[0])


def by_thirds(model: Model, frame: Frame) -> np.ndarray:
    odds = model.trees.log_odds(frame.values)
    return np.digitize(odds, np.quantile(odds, [1 / 3, 2 / 3])).astype(np.int8)


@pytest.fixture(scope="module")
def given_factors(model, others, scale):
    frame = others[0].frame
    return explain(model, frame, by_thirds(model, frame), scale)


def test_contributions_sum_to_the_log_odds_before_and_after_grouping(model, others, given_factors):
    frame = others[0].frame
    columns, base = model.contributions(frame)
    groups = Groups.made(frame.features)
    odds = model.trees.log_odds(frame.values)
    assert np.abs(base + columns.sum(axis=1) - odds).max() < 1e-6
    assert np.abs(base + groups.total(columns).sum(axis=1) - odds).max() < 1e-6
    assert np.abs(given_factors.log_odds - odds).max() < 1e-6


def test_a_group_is_the_sum_of_its_columns(model, others):
    columns, _ = model.contributions(others[0].frame)
    groups = Groups.made(FEATURES)
    totals = groups.total(columns)
    for group, code in enumerate(groups.codes):
        of = [i for i, feature in enumerate(FEATURES) if feature.factor == code]
        np.testing.assert_allclose(totals[:, group], columns[:, of].sum(axis=1), atol=1e-12)


def test_the_top_factor_is_a_driver_with_the_right_sign(others, given_factors):
    """Planted truth: for at least nine people in ten, for and against alike."""
    _, truth = others
    codes = given_factors.groups.codes
    for column, sign in ((0, 1), (TOP, -1)):
        right = 0
        named = given_factors.factor[:, column]
        for row, group in enumerate(named):
            code = codes[group] if group >= 0 else ""
            right += code in DRIVERS and np.sign(truth[code][row]) == sign
        expected = sum(any(np.sign(effect[row]) == sign for effect in truth.values()) for row in range(len(named)))
        assert right / expected >= 0.9


def test_exposures_are_never_reasons(given_factors):
    mail = given_factors.groups.codes.index("often:Mail")
    assert not (given_factors.factor == mail).any()
    assert given_factors.totals.amount[:, mail].sum() > 0  # yet the model takes them into account


def test_what_is_given_is_ordered_and_of_one_sign(given_factors):
    amounts = np.abs(given_factors.contribution)
    there = given_factors.factor >= 0
    for at, sign in ((slice(0, TOP), 1), (slice(TOP, 2 * TOP), -1)):
        assert (np.diff(amounts[:, at], axis=1) <= 1e-12).all()
        assert (np.sign(given_factors.contribution[:, at])[there[:, at]] == sign).all()
    assert (given_factors.share[there] > 0).all()
    assert (given_factors.share.sum(axis=1) <= 1 + 1e-5).all()


def test_the_value_is_that_of_the_column_that_tells_most_in_the_direction_of_the_factor(model, others, given_factors):
    frame = others[0].frame
    columns, _ = model.contributions(frame)
    for row in range(0, len(frame), 97):
        for place, group in enumerate(given_factors.factor[row]):
            if group < 0:
                continue
            sign = 1 if place < TOP else -1
            of = given_factors.groups.columns[group]
            best = of[np.argmax(sign * columns[row, of])]
            assert given_factors.feature[row, place] == best
            assert given_factors.value[row, place] == frame.values[row, best]


def test_importance_is_in_thirds_of_what_is_given(given_factors):
    shares = np.bincount(given_factors.importance[given_factors.factor >= 0], minlength=3)
    assert (np.abs(shares / shares.sum() - 1 / 3) < 0.06).all()


def test_a_few_at_a_time_is_the_same(model, others, scale, given_factors, monkeypatch):
    monkeypatch.setattr("coterie.prediction.why.factors.BATCH", 700)
    frame = others[0].frame
    again = explain(model, frame, by_thirds(model, frame), scale)
    for name in ("factor", "feature", "contribution", "share", "value", "importance", "log_odds"):
        np.testing.assert_array_equal(getattr(again, name), getattr(given_factors, name))
    np.testing.assert_allclose(again.totals.signed, given_factors.totals.signed)
    np.testing.assert_array_equal(again.totals.top, given_factors.totals.top)


@settings(max_examples=10, deadline=None)
@given(st.permutations(range(len(FEATURES))))
def test_the_order_of_columns_changes_nothing(model, order):
    frame = world(200, seed=3)[0].frame
    columns, _ = model.contributions(frame)
    groups = Groups.made(FEATURES)
    other = Groups.made([FEATURES[i] for i in order])
    totals, others = groups.total(columns), other.total(columns[:, order])
    places = [other.codes.index(code) for code in groups.codes]
    np.testing.assert_allclose(totals, others[:, places], atol=1e-12)


def test_usual_values_are_those_of_the_bucket(others, given_factors):
    frame = others[0].frame
    table = given_factors.peers.table(FEATURES)
    since = [feature.name for feature in FEATURES].index("Purchase:days_since")
    for bucket in range(3):
        inside = np.sort(frame.values[given_factors.bucket == bucket, since])
        low, high = table[bucket, since]
        assert np.mean(inside < low) <= 0.1 <= np.mean(inside <= low) + 0.01
        assert np.mean(inside > high) <= 0.1 <= np.mean(inside >= high) + 0.01
    assert table[2, since, 1] < table[0, since, 1]  # those likely to buy bought more recently
    tier = [feature.name for feature in FEATURES].index("loyalty.tier")
    assert np.isnan(table[:, tier]).all()


def test_usual_values_of_an_empty_bucket_are_unknown(others):
    frame = others[0].frame
    bucket = np.full(len(frame), 2, dtype=np.int8)
    assert np.isnan(usual(frame, bucket).table(FEATURES)[:2]).all()


def test_totals_are_those_of_the_buckets(model, others, given_factors):
    columns, _ = model.contributions(others[0].frame)
    totals = Groups.made(FEATURES).total(columns)
    for bucket in range(3):
        inside = given_factors.bucket == bucket
        assert given_factors.totals.people[bucket] == inside.sum()
        np.testing.assert_allclose(given_factors.totals.signed[bucket], totals[inside].sum(axis=0))
        np.testing.assert_allclose(given_factors.totals.amount[bucket], np.abs(totals[inside]).sum(axis=0))
        for group in range(totals.shape[1]):
            named = (given_factors.factor[inside] == group).any(axis=1).sum()
            assert given_factors.totals.top[bucket, group] == named


def test_of_very_many_the_upper_buckets_and_a_sample_are_explained():
    bucket = np.repeat(np.array([0, 1, 2], dtype=np.int8), [700, 200, 100])
    assert len(chosen(bucket, everybody=1000)) == 1000
    rows = chosen(bucket, everybody=999, sample=50)
    assert np.bincount(bucket[rows]).tolist() == [50, 200, 100]
    assert (np.diff(rows) > 0).all()


def test_the_scale_knows_what_matters(scale):
    assert {summary.code for summary in scale.factors[:3]} == DRIVERS
    assert 0 < scale.low < scale.high
    assert scale.importance(-scale.high) == "high"
    assert scale.importance(scale.low / 2) == "low"
    mail = next(summary for summary in scale.factors if summary.code == "often:Mail")
    assert mail.exposure


def test_observed_rates_follow_the_driver(scale, examples):
    since = next(summary for summary in scale.factors if summary.code == "since:Purchase")
    rates = [each.rate for each in since.ranges]
    assert rates == sorted(rates, reverse=True)
    assert sum(each.tested for each in since.ranges) == len(examples[0].label)
    hits = sum(each.tested * each.rate for each in since.ranges)
    assert round(hits) == examples[0].label.sum()


def test_nobody_and_nothing(model, scale, others):
    frame = others[0].frame.take(np.zeros(0, dtype=np.intp))
    given_none = explain(model, frame, np.zeros(0, dtype=np.int8), scale)
    assert len(given_none) == 0
    constant = replace(others[0].frame, values=np.full_like(others[0].frame.values[:5], np.nan))
    few = Frame(FEATURES, constant.people[:5], constant.cutoffs[:5], constant.values)
    assert np.isfinite(explain(model, few, np.zeros(5, dtype=np.int8), scale).contribution).all()
