"""Features see only what was before a cut-off, mean the same in training and scoring, and are what they say."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import Literal

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyroaring import BitMap
from tests.prediction.history import UNION, Event, history, shop

from coterie.core.clock import DAY
from coterie.prediction.data import single
from coterie.prediction.data.cutoffs import Cutoffs, plan
from coterie.prediction.data.learning import learn
from coterie.prediction.data.store import FeatureStore
from coterie.prediction.data.vocabulary import Amount, Category, EventKind, Known, Vocabulary
from coterie.prediction.definition import Attribute, Goal, GoalEvent, Kind, Model, Population
from coterie.prediction.definition import Test as Asked
from coterie.prediction.frame import Frame

START = 20_000 * DAY
ORDER = GoalEvent("Order", (Asked("eventType", "eq", "order"),))
MAIL = Kind("Mail", (Asked("eventType", "eq", "mail"),))
GOAL = Goal((ORDER,), 14)
MODEL = Model("k", "K", GOAL, exposures=(MAIL,))
VOCABULARY = Vocabulary(
    kinds=(
        EventKind("goal", "Order", 'eventType = "order"', "goal"),
        EventKind("activity", "Activity", 'eventType != "mail"', "activity"),
        EventKind("exposure.Mail", "Mail", 'eventType = "mail"', "exposure"),
        EventKind("type.visit", "visit", 'eventType = "visit"', "type"),
    ),
    categories=(Category("shelf", ("coffee", "tea")), Category("items.sku", ("a", "b"))),
    amounts=(Amount("goal", "value"), Amount("goal", "items.price")),
    attributes=(),
    windows=(7, 14, 30, 60, 90, 180, 365),
    dates=(),
    hours=True,
    months=False,
    arrival="assumed",
    learned=START,
    first=START,
)


def store(events: Sequence[Event], vocabulary: Vocabulary = VOCABULARY, model: Model = MODEL) -> FeatureStore:
    return FeatureStore(history(events), UNION, model, vocabulary)


def row(frame: Frame, person: int, cutoff: int) -> dict[str, float]:
    (place,) = np.flatnonzero((frame.people == person) & (frame.cutoffs == cutoff))
    return dict(zip((feature.name for feature in frame.features), frame.values[place].tolist(), strict=True))


@cache
def small() -> FeatureStore:
    return store(shop(1))


# -- what is known when ---------------------------------------------------------------------------------------------


def same(one: Frame, other: Frame) -> None:
    assert one.features == other.features
    np.testing.assert_array_equal(one.people, other.people)
    np.testing.assert_array_equal(one.cutoffs, other.cutoffs)
    assert one.values.tobytes() == other.values.tobytes()


@pytest.mark.parametrize("shift", [0, 1, DAY // 3])
def test_what_happens_from_a_cutoff_on_changes_no_bit(shift: int) -> None:
    events = shop(2)
    cutoff = START + 120 * DAY + shift
    # an event of the very instant is after it, the one a millisecond before is before it
    edge = [Event(0, cutoff, "order", 5.0), Event(1, cutoff - 1, "order", 5.0)]
    whole = store([*events, *edge]).build([cutoff])
    blind = store([event for event in [*events, *edge] if event.at < cutoff]).build([cutoff])
    changed = [replace(event, value=9e9, type="visit") if event.at >= cutoff else event for event in [*events, *edge]]
    same(whole, blind)
    same(whole, store(changed).build([cutoff]))
    assert row(whole, 1, cutoff)["goal:recency"] == pytest.approx(1 / DAY)


def test_a_cutoff_among_many_is_as_it_is_alone() -> None:
    cutoffs = [START + day * DAY for day in (60, 67, 100, 150)]
    many = small().build(cutoffs)
    assert len(many)
    for cutoff in cutoffs:
        same(many.take(many.cutoffs == cutoff), small().build([cutoff]))
    late = cutoffs[0] + 3_600_000  # at another time of day
    both = small().build([late, *cutoffs])
    same(both.take(both.cutoffs == late), small().build([late]))
    assert (np.diff(both.cutoffs) >= 0).all()


def test_some_people_are_rows_of_the_whole() -> None:
    cutoff = START + 120 * DAY
    whole = small().build([cutoff])
    chosen = BitMap(whole.people[::3].tolist())
    same(whole.take(np.isin(whole.people, list(chosen))), small().build([cutoff], chosen))
    nobody = small().build([cutoff], BitMap([10**6 - 1]))
    assert len(nobody) == 0


@pytest.mark.parametrize("arrival", ["assumed", "recorded"])
def test_one_person_is_a_row_of_the_whole(
    monkeypatch: pytest.MonkeyPatch, arrival: Literal["assumed", "recorded"]
) -> None:
    cutoff = START + 120 * DAY
    events = [replace(event, batch=1 + event.at // DAY - START // DAY) for event in shop(5, people=12)]
    recorded = {day: START + day * DAY + 12_345 for day in {event.batch for event in events}}
    con = history(events, recorded=recorded)
    made = FeatureStore(con, UNION, MODEL, msgspec.structs.replace(VOCABULARY, arrival=arrival))
    whole = made.build([cutoff])
    assert len(whole) > 6
    for most in (single.MOST, 0):  # by one statement that is planned once, and by those for many
        monkeypatch.setattr(single, "MOST", most)
        for person in range(13):
            same(whole.take(whole.people == person), made.build([cutoff], BitMap([person])))


def test_parts_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    cutoffs = [START + day * DAY for day in (60, 100, 150)]
    whole = small().build(cutoffs)
    monkeypatch.setattr(FeatureStore, "_parts", lambda self, rows: 7)
    same(whole, small().build(cutoffs))


def test_late_events_are_known_when_they_were_recorded() -> None:
    cutoff = START + 50 * DAY
    early = [Event(person, START + day * DAY, batch=day, type="order") for person in range(3) for day in (30, 40, 48)]
    late = Event(0, START + 47 * DAY, batch=99)
    recorded = {day: START + day * DAY + 1000 for day in (30, 40, 48)} | {99: cutoff + 1}
    # the batch of the late event has younger events too
    fresh = [Event(person, cutoff, batch=99) for person in range(10, 30)]
    con = history([*early, late, *fresh], recorded=recorded)
    streamed = msgspec.structs.replace(VOCABULARY, arrival="recorded")
    at = FeatureStore(con, UNION, MODEL, streamed)
    assert row(at.build([cutoff]), 0, cutoff)["goal:n_all"] == 3
    assert row(at.build([cutoff + DAY]), 0, cutoff + DAY)["goal:n_all"] == 4
    assumed = FeatureStore(con, UNION, MODEL, VOCABULARY)
    assert row(assumed.build([cutoff]), 0, cutoff)["goal:n_all"] == 4


def test_dates_count_at_the_end_of_their_day() -> None:
    events = [Event(0, START), Event(0, START + 5 * DAY)]
    dated = msgspec.structs.replace(VOCABULARY, dates=("shop",))
    at = store(events, dated)
    noon = START + 5 * DAY + DAY // 2
    assert row(at.build([noon]), 0, noon)["goal:n_all"] == 1
    assert row(store(events).build([noon]), 0, noon)["goal:n_all"] == 2
    # at midnight both ways of counting see the same events in the same windows
    for day in range(1, 12):
        midnight = START + day * DAY
        one, other = (row(each.build([midnight]), 0, midnight) for each in (at, store(events)))
        assert [one[f"goal:n_{w}d"] for w in (7, 14)] == [other[f"goal:n_{w}d"] for w in (7, 14)]


# -- what features are ----------------------------------------------------------------------------------------------


def told(events: Sequence[Event], cutoff: int) -> dict[str, float]:
    """Return features of one person by plain Python."""
    before = sorted((event for event in events if event.at < cutoff), key=lambda event: event.at)
    found: dict[str, float] = {}
    kinds = {
        "goal": [event for event in before if event.type == "order"],
        "activity": [event for event in before if event.type != "mail"],
        "exposure.Mail": [event for event in before if event.type == "mail"],
        "type.visit": [event for event in before if event.type == "visit"],
    }
    for key, mine in kinds.items():
        main = key in ("goal", "activity")
        ages = [cutoff - event.at for event in mine]
        for window in (7, 14, 30, 60, 90, 180, 365) if main else (7, 30, 90, 365):
            found[f"{key}:n_{window}d"] = sum(1 <= age <= window * DAY for age in ages)
        found[f"{key}:n_all"] = len(mine)
        found[f"{key}:recency"] = min(ages) / DAY if ages else math.nan
        for short, long in ((7, 30), (30, 90), (180, 365)) if main else ((30, 90),):
            many = found[f"{key}:n_{long}d"]
            found[f"{key}:trend_{short}_{long}"] = (
                found[f"{key}:n_{short}d"] / short / (many / long) if many else math.nan
            )
        if main:
            days = sorted({(cutoff - event.at - 1) // DAY for event in mine}, reverse=True)
            gaps = [one - other for one, other in pairwise(days)]
            found[f"{key}:days_all"] = len(days)
            found[f"{key}:days_30d"] = sum(day < 30 for day in days)
            found[f"{key}:gap_mean"] = statistics.fmean(gaps) if gaps else math.nan
            found[f"{key}:gap_median"] = statistics.median(gaps) if gaps else math.nan
            found[f"{key}:gap_sd"] = statistics.pstdev(gaps) if len(gaps) > 1 else math.nan
            found[f"{key}:gap_min"] = min(gaps, default=math.nan)
            found[f"{key}:gap_max"] = max(gaps, default=math.nan)
            found[f"{key}:gap_last"] = gaps[-1] if gaps else math.nan
            found[f"{key}:overdue"] = found[f"{key}:recency"] / statistics.median(gaps) if gaps else math.nan
            window = {(cutoff + day * DAY) // DAY % 7 for day in (2, 3, 4)}
            same = [(cutoff - (day + 1) * DAY) // DAY % 7 in window for day in days]
            found[f"{key}:weekdays"] = statistics.fmean(same) if same else math.nan
    orders = kinds["goal"]
    paid = [event for event in orders if event.value is not None]
    for window in (7, 90):
        found[f"goal:value:sum_{window}d"] = sum(
            event.value or 0 for event in paid if cutoff - event.at <= window * DAY
        )
    found["goal:value:sum_all"] = sum(event.value or 0 for event in paid)
    values = [event.value or 0.0 for event in paid]
    found["goal:value:mean"] = statistics.fmean(values) if values else math.nan
    found["goal:value:max"] = max(values, default=math.nan)
    found["goal:value:sd"] = statistics.pstdev(values) if values else math.nan
    found["goal:items.price:sum_all"] = sum(sum(event.prices) for event in orders if event.prices)
    active = kinds["activity"]
    for shelf in ("tea", "coffee"):
        mine = [event for event in active if event.shelf == shelf]
        found[f"shelf={shelf}:n_all"] = len(mine)
        found[f"shelf={shelf}:recency"] = min((cutoff - event.at for event in mine), default=math.nan) / DAY
    for sku in ("a", "b"):
        found[f"items.sku={sku}:n_90d"] = sum(
            sku in (event.skus or ()) and cutoff - event.at <= 90 * DAY for event in active
        )
    found["shelf:distinct"] = len({event.shelf for event in active} - {None})
    found["items.sku:distinct"] = len({sku for event in active for sku in event.skus or ()})
    if active:
        found["habit:hour"] = statistics.fmean(event.at % DAY // 3_600_000 for event in active)
        found["habit:weekend"] = statistics.fmean((event.at // DAY + 3) % 7 >= 5 for event in active)
    return found


def test_features_are_what_plain_python_says() -> None:
    events = shop(3, people=25)
    cutoffs = [START + day * DAY + 12_345 for day in (31, 90, 160, 200)]
    goal = msgspec.structs.replace(GOAL, window_days=3, gap_days=2)
    model = msgspec.structs.replace(MODEL, goal=goal, population=Population(lookback_days=None))
    frame = store(events, model=model).build(cutoffs)
    assert len(frame) > 80
    for person, cutoff in zip(frame.people.tolist(), frame.cutoffs.tolist(), strict=True):
        got = row(frame, person, cutoff)
        for name, value in told([event for event in events if event.person == person], cutoff).items():
            assert got[name] == pytest.approx(value, rel=1e-5, abs=1e-6, nan_ok=True), (person, cutoff, name)


def test_the_last_amount_is_that_of_the_last_day() -> None:
    events = [Event(0, START, value=3.0), Event(0, START + DAY, value=4.0), Event(0, START + DAY + 5, value=6.5)]
    cutoff = START + 3 * DAY
    assert row(store(events).build([cutoff]), 0, cutoff)["goal:value:last"] == 10.5


def test_nothing_of_a_kind_is_zero_times_and_never() -> None:
    got = row(store([Event(0, START, "visit")]).build([START + DAY]), 0, START + DAY)
    assert got["goal:n_all"] == got["goal:n_30d"] == got["goal:value:sum_all"] == got["shelf=tea:n_all"] == 0
    assert all(math.isnan(got[name]) for name in ("goal:recency", "goal:tenure", "goal:gap_mean", "goal:value:mean"))
    assert all(math.isnan(got[name]) for name in ("goal:rate", "goal:overdue", "goal:trend_7_30"))


def test_a_window_of_a_week_has_all_weekdays() -> None:
    for days, weekly in ((6, True), (7, False)):
        model = msgspec.structs.replace(MODEL, goal=msgspec.structs.replace(GOAL, window_days=days))
        assert ("goal:weekdays" in {feature.name for feature in store([], model=model).features}) is weekly


def test_names_are_unique_and_factors_join_what_belongs_together() -> None:
    features = small().features
    assert len({feature.name for feature in features}) == len(features)
    factors = {feature.name: feature.factor for feature in features}
    assert factors["goal:n_7d"] == factors["goal:n_all"] == factors["goal:rate"] == "often:Order"
    assert factors["goal:gap_mean"] == factors["goal:overdue"] == "rhythm:Order"
    assert factors["shelf=tea:n_30d"] == factors["shelf=tea:recency"] == "interest:shelf=tea"
    assert all(feature.exposure == ("Mail" in feature.name) for feature in features)


# -- who ------------------------------------------------------------------------------------------------------------


def test_people_are_eligible_by_what_they_did_before_not_by_what_they_were_sent() -> None:
    cutoff = START + 100 * DAY
    events = [
        Event(0, cutoff - 45 * DAY),
        Event(1, cutoff - 45 * DAY - 1),
        Event(2, cutoff - DAY, "mail"),
        Event(3, cutoff),
        Event(4, cutoff - 1, "visit"),
    ]
    assert store(events).population([cutoff]).people.tolist() == [0, 4]
    everybody = msgspec.structs.replace(MODEL, population=Population(lookback_days=None))
    assert store(events, model=everybody).population([cutoff]).people.tolist() == [0, 1, 4]
    rule = 'xEvent[eventType = "visit" and timestamp occurs <= 10 days before now].count() >= 1'
    visitors = msgspec.structs.replace(MODEL, population=Population(where=rule))
    assert store([*events, Event(0, cutoff + 1, "visit")], model=visitors).population([cutoff]).people.tolist() == [4]


def test_attributes_are_told_apart_by_value() -> None:
    con = history(
        [Event(person, START) for person in range(3)], profiles={0: ("gold", 5), 1: ("odd", None), 2: (None, 7)}
    )
    named = msgspec.structs.replace(MODEL, attributes=(Attribute("tier"), Attribute("points")))
    knows = (Known("tier", "snapshot", ("silver", "gold")), Known("points", "snapshot"))
    frame = FeatureStore(con, UNION, named, msgspec.structs.replace(VOCABULARY, attributes=knows)).build([START + DAY])
    tiers, points = frame.column("attribute:tier"), frame.column("attribute:points")
    assert tiers[0] == 1
    assert np.isnan(tiers[1:]).all()
    assert points[[0, 2]].tolist() == [5, 7]
    assert np.isnan(points[1])


# -- what came of it ------------------------------------------------------------------------------------------------


def met(event: GoalEvent, events: Sequence[Event], start: int, days: int) -> int | None:
    """Return on which day an event of the goal was met, by plain Python."""
    inside = [each for each in events if start <= each.at < start + days * DAY and each.type in _types(event)]

    def holds(upto: int) -> bool:
        some = [each for each in inside if each.at < start + upto * DAY]
        if event.measure is None:
            return len(some) >= event.at_least
        total = sum(round((each.value or 0) * 100) for each in some)
        bound = round((event.value or 0) * 100)
        return {"gt": total > bound, "gte": total >= bound, "lt": total < bound, "lte": total <= bound,
                "eq": total == bound}[event.op]  # fmt: skip

    if not holds(days):
        return None
    if (event.measure is not None and event.op not in ("gt", "gte")) or holds(0):
        return days - 1
    return next(day for day in range(days) if holds(day + 1))


def _types(event: GoalEvent) -> tuple[str, ...]:
    return tuple(test.value for test in event.where)


MOMENTS = st.integers(0, 40).map(lambda half: START + half * DAY // 2)
EVENTS = st.lists(
    st.builds(
        Event,
        st.integers(0, 2),
        MOMENTS,
        st.sampled_from(["order", "visit"]),
        st.none() | st.sampled_from([-5.0, 2.5, 10.0]),
    ),
    max_size=14,
)
ASKED = st.builds(
    lambda kind, least, measured, op, value: GoalEvent(
        kind,
        (Asked("eventType", "eq", kind),),
        **({"measure": {"sum": "value"}, "op": op, "value": value} if measured else {"at_least": least}),
    ),
    st.sampled_from(["order", "visit"]),
    st.integers(1, 3),
    st.booleans(),
    st.sampled_from(["gt", "gte", "lt", "lte", "eq"]),
    st.sampled_from([0.0, 5.0, 7.5, -5.0]),
).map(lambda event: msgspec.convert(msgspec.to_builtins(event), GoalEvent))
GOALS = st.builds(
    Goal,
    st.lists(ASKED, min_size=1, max_size=2).map(tuple),
    st.integers(1, 9),
    st.sampled_from(["will_occur", "will_not_occur"]),
    st.sampled_from(["all_of", "any_of"]),
    st.integers(0, 4),
)


@settings(max_examples=40, deadline=None)
@given(EVENTS, GOALS)
def test_labels_are_what_plain_python_says(events: list[Event], goal: Goal) -> None:
    anybody = [Event(person, START - DAY, "visit") for person in range(3)]
    model = Model("k", "K", goal, population=Population(lookback_days=None))
    at = store([*anybody, *events], model=model)
    cutoffs = [START, START + 3 * DAY]
    found = at.outcomes(at.population(cutoffs))
    assert len(found) == 6
    for place, (person, cutoff) in enumerate(zip(found.people.tolist(), found.cutoffs.tolist(), strict=True)):
        mine = [event for event in events if event.person == person]
        days = [met(event, mine, cutoff + goal.gap_days * DAY, goal.window_days) for event in goal.events]
        reached = [day for day in days if day is not None]
        hit = len(reached) == len(days) if goal.combiner == "all_of" else bool(reached)
        assert found.hit[place] == hit
        assert found.label[place] == (hit if goal.polarity == "will_occur" else not hit)
        wanted = (max(reached) if goal.combiner == "all_of" else min(reached)) if hit else -1
        assert found.day[place] == wanted


def test_too_many_rows_are_sampled_with_weights_that_undo_it() -> None:
    cutoffs = [START + day * DAY for day in range(40, 180, 10)]
    whole = small().label(small().build(cutoffs))
    some = small().training(cutoffs, seed=5, most=200)
    assert len(some) < 300 < len(whole)
    assert some.weight.sum() == pytest.approx(len(whole), rel=0.25)
    assert some.weight[some.hit].sum() == pytest.approx(whole.hit.sum(), rel=0.35)
    again = small().training(cutoffs, seed=5, most=200)
    same(some.frame, again.frame)
    rows = {
        (person, cutoff): place
        for place, (person, cutoff) in enumerate(
            zip(whole.frame.people.tolist(), whole.frame.cutoffs.tolist(), strict=True)
        )
    }
    places = [rows[key] for key in zip(some.frame.people.tolist(), some.frame.cutoffs.tolist(), strict=True)]
    assert some.frame.values.tobytes() == np.asfortranarray(whole.frame.values[places]).tobytes()
    np.testing.assert_array_equal(some.hit, whole.hit[places])


# -- the vocabulary -------------------------------------------------------------------------------------------------


def planned() -> Cutoffs:
    return plan(MODEL, START, START + 200 * DAY - 1, START + 200 * DAY)


def test_a_vocabulary_has_each_kind_of_events_once() -> None:
    found = learn(history(shop(4)), UNION, MODEL, planned())
    assert [kind.key for kind in found.kinds] == ["goal", "exposure.Mail", "activity", "type.visit"]
    assert set(found.categories[0].values) <= {"a", "b", "c", "tea", "coffee", "bread"}
    assert {category.field for category in found.categories} == {"shelf", "items.sku"}
    assert Amount("goal", "value") in found.amounts
    assert Amount("goal", "items.price") not in found.amounts  # the same for every order
    assert all(days * DAY <= planned().earliest - found.first for days in found.windows)
    assert found.hours
    assert not found.dates
    assert found.arrival == "assumed"


def test_a_rare_type_that_the_goal_follows_is_counted() -> None:
    rng = np.random.default_rng(7)
    types = [f"common {number:02d}" for number in range(20)] * 2 + [f"rare {number}" for number in range(10)]
    events = [
        Event(person, START + int(at), types[rng.integers(len(types))])
        for person in range(150)
        for at in rng.uniform(0, 200 * DAY, 30)
    ]
    asked = [event for event in events if event.type == "rare 3"]
    events += [Event(event.person, event.at + DAY, "order") for event in asked if rng.random() < 0.8]
    found = learn(history(events), UNION, MODEL, planned())
    assert {kind.key for kind in found.kinds if "rare" in kind.key} == {"type.rare 3"}
    assert sum("common" in kind.key for kind in found.kinds) >= 19


def test_a_vocabulary_knows_nothing_of_what_comes_later() -> None:
    events, cutoffs = shop(4), planned()
    found = learn(history(events), UNION, MODEL, cutoffs)
    later = [Event(person, cutoffs.scoring - DAY, "strange", shelf="new") for person in range(50)]
    assert learn(history([*events, *later]), UNION, MODEL, cutoffs) == found
    assert found.learned <= min(fold.test for fold in cutoffs.folds)
