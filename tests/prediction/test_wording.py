"""Factors and values in English, each family read by eye."""

from __future__ import annotations

import numpy as np
import pytest

from coterie.prediction.frame import Family, Feature
from coterie.prediction.why.ranges import Range
from coterie.prediction.why.wording import (
    ENGLISH,
    factor_label,
    feature_label,
    peer_label,
    range_label,
    value_label,
    value_labels,
)

OFTEN = Feature("goal:n_90d", Family.FREQUENCY, "Purchase", "often:Purchase", 90)
SINCE = Feature("goal:recency", Family.RECENCY, "Purchase", "since:Purchase")
PACE = Feature("goal:rate", Family.FREQUENCY, "Purchase", "often:Purchase")
OVERDUE = Feature("goal:overdue", Family.RHYTHM, "Purchase", "rhythm:Purchase")
GAP = Feature("goal:gap_median", Family.RHYTHM, "Purchase", "rhythm:Purchase")
TREND = Feature("goal:trend_30_90", Family.TREND, "Purchase", "trend:Purchase", 90)
SPENT = Feature(
    "goal:value:sum_30d",
    Family.MONETARY,
    "commerce.order.priceTotal of Purchase",
    "spend:commerce.order.priceTotal",
    30,
)
CHANGE = Feature("goal:value:change_30_90", Family.TREND, "value of Purchase", "trend:value of Purchase", 90)
INTEREST = Feature("category=SOAP:n_30d", Family.CATEGORIES, "category=SOAP", "interest:category=SOAP", 30)
LATEST = Feature("category=SOAP:recency", Family.CATEGORIES, "category=SOAP", "interest:category=SOAP")
SENT = Feature("t:recency", Family.RECENCY, "campaign.sent", "since:campaign.sent")
BRAND = Feature("brandID=292:n_30d", Family.CATEGORIES, "_acme.items[].brandID=292", "interest:brandID=292", 30)
LISTED = Feature("t:value:sum_30d", Family.MONETARY, "Quantity of commerce.productListAdds", "spend:Quantity", 30)
VARIETY = Feature("category:distinct_90d", Family.CATEGORIES, "category", "variety:category", 90)
TENURE = Feature("activity:tenure", Family.TENURE, "any activity", "tenure")
WEEKEND = Feature("habit:weekend", Family.HABIT, "weekend", "habit")
HOUR = Feature("habit:hour", Family.HABIT, "hour", "habit")
MONTH = Feature("habit:month", Family.HABIT, "month", "habit")
TYPE = Feature("type.commerce.productViews:n_7d", Family.FREQUENCY, "commerce.productViews", "often:x", 7)
POINTS = Feature("loyalty.points", Family.ATTRIBUTES, "_acme.loyalty.points", "attribute:loyalty.points")
TIER = Feature("loyalty.tier", Family.ATTRIBUTES, "loyalty.tier", "attribute:loyalty.tier", values=("gold", "silver"))
OPTED = Feature("optIn", Family.ATTRIBUTES, "optIn", "attribute:optIn", values=("false", "true"))


@pytest.mark.parametrize(
    ("feature", "value", "label", "words"),
    [
        (OFTEN, 12, "How often: Purchase", "12 in 90 days"),
        (OFTEN, 0, "How often: Purchase", "none in 90 days"),
        (SINCE, 23.4, "Time since last Purchase", "23 days"),
        (SINCE, 1.2, "Time since last Purchase", "1 day"),
        (SINCE, 0.2, "Time since last Purchase", "less than a day"),
        (SINCE, np.nan, "Time since last Purchase", "never so far"),
        (PACE, 0.1, "How often: Purchase", "3 every 30 days"),
        (OVERDUE, 1.84, "Rhythm of Purchase", "silent for 1.8 times the usual gap"),
        (OVERDUE, np.nan, "Rhythm of Purchase", "no rhythm yet"),
        (GAP, 12, "Rhythm of Purchase", "usually every 12 days"),
        (TREND, 1.5, "More or less Purchase than before", "1.5 times the pace of 90 days in the last 30"),
        (TREND, 0, "More or less Purchase than before", "none in the last 30 days"),
        (SPENT, 1234.5, "Amount: Price total of Purchase", "1,230 in 30 days"),
        (SPENT, 59.9, "Amount: Price total of Purchase", "59.9 in 30 days"),
        (CHANGE, -2.5, "More or less Value of Purchase than before", "2.5 a day less in the last 30 days than in 90"),
        (INTEREST, 3, "Interest in SOAP", "3 in 30 days"),
        (LATEST, 137.2, "Interest in SOAP", "last 137 days ago"),
        (SENT, 23.4, "Time since last Campaign sent", "23 days"),
        (BRAND, 3, "Interest in brand ID 292", "3 in 30 days"),
        (LISTED, 2.0, "Amount: Quantity of Product list adds", "2 in 30 days"),
        (VARIETY, 4, "Variety: Category", "4 different in 90 days"),
        (TENURE, 412, "Time as a customer", "412 days since the first"),
        (WEEKEND, 0.45, "Time of day and week", "45 % on weekends"),
        (HOUR, 14.5, "Time of day and week", "14:30 UTC on average"),
        (MONTH, 3, "Time of day and week", "March"),
        (TYPE, 2, "How often: Product views", "2 in 7 days"),
        (POINTS, 750, "Loyalty points", "750"),
        (TIER, 0, "Loyalty tier", "gold"),
        (TIER, np.nan, "Loyalty tier", "not known"),
        (OPTED, 1, "Opt in", "yes"),
    ],
)
def test_values(feature, value, label, words):
    assert factor_label(feature) == label
    assert value_label(feature, value) == words


@pytest.mark.parametrize(
    ("feature", "words"),
    [
        (OFTEN, "Purchase: number in 90 days"),
        (SINCE, "Purchase: time since the last"),
        (WEEKEND, "Part on weekends"),
        (INTEREST, "SOAP: number in 30 days"),
        (BRAND, "Brand ID 292: number in 30 days"),
        (POINTS, "Loyalty points"),
    ],
)
def test_what_is_measured(feature, words):
    assert feature_label(feature) == words


@pytest.mark.parametrize(
    ("feature", "each", "words"),
    [
        (OFTEN, Range(None, 1), "none in 90 days"),
        (OFTEN, Range(1, 2), "1 in 90 days"),
        (OFTEN, Range(3, 6), "3 to 5 in 90 days"),
        (OFTEN, Range(6, None), "6 or more in 90 days"),
        (SINCE, Range(8, 15), "8 to 15 days"),
        (SINCE, Range(None, 8), "under 8 days"),
        (SINCE, Range(40, None), "40 or more days"),
        (SINCE, Range(known=False), "never so far"),
        (OVERDUE, Range(2, None), "silent for 2.0 or more times the usual gap"),
        (WEEKEND, Range(0.25, 0.5), "25 to 50 % on weekends"),
        (MONTH, Range(2, 5), "February to April"),
        (HOUR, Range(None, 9), "before 9:00 UTC on average"),
        (CHANGE, Range(None, -1), "less than: 1 a day less in the last 30 days than in 90"),
        (PACE, Range(0.1, 0.2), "3 to 6 every 30 days"),
        (TIER, Range(values=(1,)), "silver"),
        (TIER, Range(values=(0, 1)), "another value"),
        (TIER, Range(known=False), "not known"),
    ],
)
def test_ranges(feature, each, words):
    assert range_label(feature, each) == words


@pytest.mark.parametrize(
    ("feature", "low", "high", "words"),
    [
        (SINCE, 8, 40, "8 to 40 days"),
        (SINCE, 8.1, 8.3, "8 days"),
        (SINCE, 0.2, 3, "less than a day to 3 days"),
        (OFTEN, 0, 0, "none in 90 days"),
        (OFTEN, 0, 4, "0 to 4 in 90 days"),
        (CHANGE, -1, 2, "from 1 a day less to 2 a day more in the last 30 days than in 90"),
        (CHANGE, -3, -1, "from 3 to 1 a day less in the last 30 days than in 90"),
        (
            CHANGE,
            -1,
            0,
            "from 1 a day less in the last 30 days than in 90 to as much a day in the last 30 days as in 90",
        ),
    ],
)
def test_usual_values(feature, low, high, words):
    assert peer_label(feature, low, high) == words


def test_many_at_once_are_the_same_as_one_by_one():
    rng = np.random.default_rng(1)
    for feature in (OFTEN, SINCE, PACE, OVERDUE, SPENT, TIER):
        values = rng.integers(0, 2, 300) if feature.values else rng.exponential(20, 300)
        values = np.where(rng.random(300) < 0.1, np.nan, values).astype(np.float32)
        places, words = value_labels(feature, values)
        assert len(words) < 300
        single = [value_label(feature, float(value)) for value in values]
        assert [words[place] for place in places] == single


def test_every_feature_that_is_made_has_words_of_its_own():
    from coterie.prediction.data.features import amounts, counts, habit, rhythm
    from coterie.prediction.data.features.subjects import Subjects
    from coterie.prediction.data.vocabulary import Amount, Category, EventKind, Vocabulary
    from coterie.prediction.definition import Goal, GoalEvent
    from coterie.prediction.definition import Test as Asked

    vocabulary = Vocabulary(
        kinds=(EventKind("goal", "Purchase", "", "goal"), EventKind("type.search", "search", "", "type")),
        categories=(Category("category", ("SOAP",)),),
        amounts=(Amount("goal", "value"),),
        attributes=(),
        windows=(7, 14, 30, 60, 90, 180, 365),
        dates=(),
        hours=True,
        months=True,
        arrival="assumed",
        learned=0,
        first=0,
    )
    subjects = Subjects(vocabulary)
    goal = Goal((GoalEvent("Purchase", (Asked("eventType", "eq", "purchase"),)),), 3)
    made = [*counts.features(subjects), *rhythm.features(subjects, goal)]
    made += [*amounts.features(vocabulary), *habit.features(vocabulary)]
    assert len(made) > 50
    for feature in made:
        measure = feature.name.rpartition(":")[2]
        assert any(pattern.fullmatch(measure) for pattern, _ in ENGLISH.measures), feature.name
        for words in (factor_label(feature), feature_label(feature), value_label(feature, 2.5)):
            assert "{" not in words
            assert "_" not in words
