"""The cut-offs of models: enough history, closed windows, purged tests."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coterie.core.clock import DAY, parse_instant
from coterie.prediction.data.cutoffs import Cutoffs, days_before, plan, required_days
from coterie.prediction.definition import Goal, GoalEvent, Model, Population
from coterie.prediction.definition import Test as Asked


def model(window: int, lookback: int | None = 45, gap: int = 0) -> Model:
    event = GoalEvent("Order", (Asked("eventType", "eq", "order"),))
    return Model("key", "Name", Goal((event,), window, gap_days=gap), population=Population(lookback_days=lookback))


@pytest.mark.parametrize(("lookback", "window", "days"), [(60, 30, 90), (45, 7, 52), (7, 7, 37), (None, 7, 37)])
def test_one_window_needs_the_documented_days(lookback: int | None, window: int, days: int) -> None:
    assert required_days(model(window, lookback), windows=1) == days
    assert required_days(model(window, lookback)) == days + window


def planned(of: Model, first: str, scoring: str) -> Cutoffs:
    at = parse_instant(scoring)
    return plan(of, parse_instant(first), at - 1, at)


def test_a_long_history_gives_many_cutoffs() -> None:
    found = planned(model(30, 60), "2020-01-01", "2022-01-01")
    assert len(found.training) == 24
    assert found.training[0] == parse_instant("2021-12-02")
    assert found.training[0] - found.training[1] == 10 * DAY
    assert [fold.test for fold in found.folds] == list(found.training[:3])


def test_a_long_window_is_learnt_a_year_back() -> None:
    found = planned(model(90, 180), "1997-01-01", "1998-04-01")
    assert found.training[0] == parse_instant("1998-01-01")
    assert len(found.training) >= 8
    assert found.training[-1] >= parse_instant("1997-06-30")
    assert found.by_time


@pytest.mark.parametrize("window", [1, 7, 30, 60, 90])
def test_exactly_the_required_days_give_a_test_in_time(window: int) -> None:
    of, at = model(window), parse_instant("2022-01-01")
    found = plan(of, at - required_days(of) * DAY, at - 1, at)
    assert found.by_time
    one = plan(of, at - required_days(of, windows=1) * DAY, at - 1, at)
    assert one.training == (at - window * DAY,)
    assert not one.by_time
    none = plan(of, at - (required_days(of, windows=1) - 1) * DAY, at - 1, at)
    assert none.training == ()


def test_windows_close_by_the_last_event_when_data_stopped() -> None:
    at = parse_instant("2022-01-01")
    found = plan(model(7), at - 200 * DAY, at - 20 * DAY, at)
    assert found.training[0] + 7 * DAY <= at - 19 * DAY


@pytest.mark.parametrize(("window", "gap", "weekdays"), [(3, 0, 7), (10, 0, 7), (6, 2, 7), (7, 0, 1), (9, 5, 1)])
def test_cutoffs_are_of_all_weekdays_or_of_that_of_the_prediction(window: int, gap: int, weekdays: int) -> None:
    found = planned(model(window, gap=gap), "2020-01-01", "2022-01-01")
    assert len({instant // DAY % 7 for instant in (found.scoring, *found.training)}) == weekdays


@settings(max_examples=200)
@given(
    window=st.integers(1, 365),
    gap=st.integers(0, 30),
    lookback=st.none() | st.integers(1, 400),
    history=st.integers(1, 2000),
    silent=st.integers(0, 40),
)
def test_every_cutoff_has_history_before_and_a_closed_window_after(
    window: int, gap: int, lookback: int | None, history: int, silent: int
) -> None:
    of, at = model(window, lookback, gap), 20_000 * DAY + 12_345
    first, last = at - history * DAY, at - 1 - min(silent, history - 1) * DAY
    found = plan(of, first, last, at)
    lead = (window + gap) * DAY
    assert list(found.training) == sorted(set(found.training), reverse=True)
    assert len(found.training) <= 25
    for cutoff in found.training:
        assert cutoff - first >= days_before(of) * DAY
        assert cutoff + lead <= last + DAY
        assert (at - cutoff) % DAY == 0
        assert at - cutoff <= max(365 * DAY, at - found.training[0] + lead)
    for fold in found.folds:
        assert fold.train
        assert all(cutoff + lead <= fold.test for cutoff in fold.train)
    assert found.by_time == bool(found.folds)
    if history - min(silent, history - 1) >= required_days(of) + 1:
        assert found.by_time
