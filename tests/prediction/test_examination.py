"""The dry run on crafted histories: every code that it can raise, and none where nothing is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from coterie.core.clock import DAY, format_date
from coterie.pipeline.definitions import Definitions
from coterie.prediction.definition import Attribute, Goal, GoalEvent, Kind, Model, Population
from coterie.prediction.definition import Test as FieldTest
from coterie.prediction.trust.checks import Check
from coterie.prediction.trust.examination import examine
from coterie.prediction.trust.extent import pace, usual_lag
from coterie.workspace import Workspace

from .crafted import NOW, ORDER, START, Happening, checked, load, model, rows_of, shop, steady, told

Make = Callable[..., Workspace]


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Make]:
    """Open workspaces with crafted histories; they are closed at the end."""
    opened: list[Workspace] = []

    def open_(events: Sequence[Happening], people: Sequence[dict[str, Any]] = (), **how: Any) -> Workspace:
        opened.append(shop(tmp_path_factory.mktemp("crafted"), events, people, **how))
        return opened[-1]

    yield open_
    for workspace in opened:
        workspace.close()


@pytest.fixture(scope="module")
def sound(make: Make) -> Workspace:
    """A thousand people, half of whom order now and then."""
    return make(steady(1050))


# -- nothing is wrong -----------------------------------------------------------------------------------------------


def test_a_sound_model_passes_and_its_counts_are_those_of_counting_by_hand(sound: Workspace) -> None:
    check = checked(sound, model())
    assert told(check) == {}
    assert check.passed
    assert (check.scoring_at, check.history.by_time) == (NOW, True)
    scoring, *training = check.cutoffs
    assert (scoring.role, scoring.eligible, scoring.positives) == ("scoring", 1050, None)
    newest = training[0]
    assert (newest.role, newest.closes) == ("test", NOW)
    first, last = ((each - START) // DAY for each in (newest.opens, newest.closes))
    hits = sum(any((day + 5 * who) % 21 == 0 for day in range(first, last)) for who in range(0, 1050, 2))
    assert (newest.eligible, newest.positives) == (1050, hits)
    assert newest.rate == pytest.approx(hits / 1050, abs=1e-6)
    assert check.people == 1050
    assert (check.positives, check.negatives) == (525, 1050)
    assert {each.role for each in training} == {"test", "training"}
    assert check.seconds < 20


def test_completeness_is_that_of_the_events_of_a_year(sound: Workspace) -> None:
    found = {each.field: each for each in checked(sound, model()).completeness}
    assert found["eventType"].share == 1
    orders = sum(kind == "order" for _, _, kind in steady(1050))
    assert found["value"].share == pytest.approx(orders / len(steady(1050)))
    assert found["value"].of == "events"


def test_the_wizard_proposes_whom_to_ask_whether_they_stop(sound: Workspace) -> None:
    check = checked(sound, model(polarity="will_not_occur", propensity="churn"))
    (note,) = [each for each in check.problems if each.code == "model.churn-population"]
    assert note.severity == "note"
    assert note.figures["lookback_days"] == 21  # they order every three weeks
    asked = model(polarity="will_not_occur", propensity="churn", population=Population(where=note.figures["rule"]))
    restricted = checked(sound, asked)
    assert restricted.cutoffs[0].eligible == 525
    assert not [each for each in restricted.problems if each.code == "model.churn-population"]


# -- every code -----------------------------------------------------------------------------------------------------


def test_400_too_few_for_whom_it_happened(make: Make) -> None:
    events = steady(600, orders=lambda who, day: who < 60 and (day + who) % 21 == 0)
    with_few = make(events)
    assert told(checked(with_few, model())) == {400: "warning", 401: "warning"}  # BG/NBD stands in
    twice = model(goal=Goal((GoalEvent("Order", ORDER, at_least=2),), 30))
    check = checked(with_few, twice)
    (problem,) = [each for each in check.problems if each.number == 400]
    assert (problem.severity, problem.code) == ("error", "model.not-enough-objective")
    assert problem.message.startswith(f"there are {problem.figures['found']} people for whom it happened")
    assert "at least 100 are needed" in problem.message
    assert format_date(NOW) in problem.message
    assert not check.passed


def test_400_between_the_floor_and_what_is_advised_is_a_warning(make: Make) -> None:
    few = make(steady(1200, orders=lambda who, day: who % 6 == 0 and (day + who) % 21 == 0))
    check = checked(few, model())
    assert told(check) == {400: "warning"}
    assert "200 people" in check.problems[0].message
    assert check.passed


def test_401_too_few_people(make: Make) -> None:
    few = make(steady(150))
    summed = GoalEvent("Order", ORDER, measure=None, at_least=2)
    check = checked(few, model(goal=Goal((summed,), 30)))
    assert told(check)[401] == "error"
    assert "150 people were eligible" in check.problems[0].message


def test_405_nobody_to_score(make: Make) -> None:
    left = make(steady(1050, days=100), at=START + 102 * DAY)
    check = checked(left, model(population=Population(lookback_days=1)), START + 102 * DAY, fixed=True)
    assert told(check)[405] == "error"


@pytest.mark.parametrize(("window", "severity"), [(28, "warning"), (60, "error")])
def test_407_too_short_a_history(make: Make, window: int, severity: str) -> None:
    short = make(steady(1050, days=80), at=START + 80 * DAY)
    check = checked(short, model(window), START + 80 * DAY)
    (problem,) = [each for each in check.problems if each.number == 407]
    assert problem.severity == severity
    required = 45 + window * (2 if severity == "warning" else 1)
    assert f"there are 79 days of events, from 2026-01-01 to 2026-03-21; {required} are required" in problem.message


def test_408_silence_at_the_end_of_the_newest_window(make: Make) -> None:
    gone = make([each for each in steady(1050) if each[1] < 135] + [(5000, day + 0.1, "visit") for day in range(150)])
    check = checked(gone, model(population=Population(where='xEvent[eventType = "order"].count() >= 1')))
    (problem,) = [each for each in check.problems if each.number == 408]
    assert "7 days before 2026-05-31" in problem.message
    assert problem.severity == "error"


def test_409_nobody_did_it(make: Make) -> None:
    early = make(steady(1050, orders=lambda who, day: day < 10 and (day + who) % 10 == 0))
    check = checked(early, model())
    assert told(check) == {409: "error"}
    assert "of 1,050 people, there is none for whom it happened" in check.problems[0].message


def test_410_nobody_eligible(sound: Workspace) -> None:
    check = checked(sound, model(population=Population(where='xEvent[eventType = "refund"].count() >= 1')))
    assert told(check) == {405: "error", 410: "error"}


def test_411_no_events(make: Make) -> None:
    check = checked(make([]), model())
    assert told(check) == {411: "error"}
    assert check.cutoffs == ()


def test_412_nothing_that_people_did(sound: Workspace) -> None:
    everything = Kind("Everything", (FieldTest("eventType", "exists"),))
    assert told(checked(sound, model(exposures=(everything,)))) == {412: "error"}
    check = checked(sound, model(exclusions=(everything,)))
    assert told(check) == {412: "error"}
    assert f"{check.problems[0].figures['excluded']:,} are excluded" in check.problems[0].message


def test_413_everybody_did_it(make: Make) -> None:
    check = checked(make(steady(1050, orders=lambda who, day: (day + who) % 7 == 0)), model())
    assert told(check) == {413: "error"}
    assert "for all of 1,050 people it happened" in check.problems[0].message
    stops = checked(make(steady(1050, orders=lambda who, day: (day + who) % 7 == 0)), model(polarity="will_not_occur"))
    assert told(stops) == {409: "error"}


def test_421_it_never_happened(sound: Workspace) -> None:
    launched = GoalEvent("Order of the new model", (FieldTest("eventType", "eq", "order-mark-2"),))
    check = checked(sound, model(goal=Goal((launched,), 14)))
    assert told(check) == {421: "error"}
    assert "Order of the new model" in check.problems[0].message
    both = Goal((launched, GoalEvent("Order", ORDER)), 14, combiner="any_of")
    found = checked(sound, model(goal=both)).problems
    assert [(each.code, each.severity) for each in found if each.severity != "note"] == [
        ("model.event-never-seen", "warning")
    ]
    assert found[0].hint == "Correct its conditions, or leave it out."
    misspelt = GoalEvent("Order", (FieldTest("eventType", "eq", "odrer"),))
    assert "Did you mean order?" in checked(sound, model(goal=Goal((misspelt,), 14))).problems[0].hint


def test_kinds_of_events_that_never_happened_are_pointed_out(sound: Workspace) -> None:
    kinds = {
        word: Kind(f"{word} of nobody", (FieldTest("eventType", "eq", f"{word}-of-nobody"),))
        for word in ("custom", "exposure", "exclusion")
    }
    seen = Kind("Visit", (FieldTest("eventType", "eq", "visit"),))
    asked = model(
        custom_events=(kinds["custom"], seen), exposures=(kinds["exposure"],), exclusions=(kinds["exclusion"],)
    )
    check = checked(sound, asked)
    assert check.passed
    found = [each for each in check.problems if each.code == "model.event-never-seen"]
    assert [each.figures["event"] for each in found] == [each.name for each in kinds.values()]
    assert found[0].message.startswith("the custom event 'custom of nobody' has not happened once from ")
    assert {each.severity for each in found} == {"warning"}


def test_422_old_data_are_scored_as_of_then(sound: Workspace) -> None:
    later = NOW + 20 * DAY
    check = checked(sound, model(), later)
    assert told(check) == {422: "warning"}
    assert check.scoring_at == NOW
    assert "the newest event is of 2026-05-30, 20.4 days before 2026-06-20" in check.problems[0].message
    assert check.cutoffs[0].cutoff == NOW
    assert checked(sound, model(), later, fixed=True).scoring_at == later
    assert told(checked(sound, model(), NOW + 2 * DAY)) == {}


def test_the_usual_delay_is_that_of_what_arrives_day_by_day(tmp_path: Path) -> None:
    with shop(tmp_path, [], at=START) as workspace:
        assert usual_lag(workspace.sandbox.history.con, "default") == DAY
        for week in range(6):
            day = 7 * week
            workspace.sandbox.clock.at = START + (day + 7) * DAY  # type: ignore[attr-defined]
            load(workspace, tmp_path, "event", rows_of([(n, day + 6.9 - n / 24, "visit") for n in range(20)], day))
        lag = usual_lag(workspace.sandbox.history.con, "default")
    assert 3 * DAY <= lag <= 5 * DAY  # between no day, after a load, and seven, before the next


def test_events_per_day_of_the_last_week_and_before(sound: Workspace) -> None:
    found = pace(sound.sandbox.history.con, "default", NOW)
    assert found is not None
    by_day = np.bincount([int(day) for _, day, _ in steady(1050)], minlength=150)
    assert found.now == pytest.approx(by_day[143:150].mean())
    weeks = [by_day[150 - 7 * (week + 1) : 150 - 7 * week].mean() for week in range(1, 14)]
    assert found.usual == pytest.approx(np.median(weeks))
    assert found.least == pytest.approx(min(weeks))
    assert found.most == pytest.approx(max(weeks))
    assert pace(sound.sandbox.history.con, "default", START + 10 * DAY) is None


def test_what_only_scores_is_looked_at_for_what_stands_in_the_way_of_scoring(sound: Workspace) -> None:
    definitions = Definitions(sound.sandbox.catalog)
    whole = examine(sound.sandbox.history.con, definitions.union(), model(), NOW)
    scoring = checked(sound, model(), scores_with=whole.vocabulary)
    assert scoring.cutoffs == whole.check.cutoffs[:2]
    assert told(scoring) == {}
    later = NOW + 200 * DAY
    assert told(checked(sound, model(), later, scores_with=whole.vocabulary, fixed=True)) == {405: "error"}


# -- leaks ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def known(make: Make) -> Workspace:
    """People with attributes of which only the latest value is known: one that follows the goal, two that do not."""
    random = np.random.default_rng(8)
    events = steady(1050)
    lately = {who for who, day, kind in events if kind == "order" and day >= 136}
    people = [
        {
            "crm": {"id": f"p{who}"},
            "points": int(random.integers(1, 9)) if who in lately else 0,
            "tier": "gold" if who % 2 == 0 and random.random() < 0.8 else "basic",
            "city": str(random.choice(["Lyon", "Nice"])),
        }
        for who in range(1050)
    ]
    return make(events, people)


def attributes(*fields: str, confirmed: bool) -> Model:
    return model(attributes=tuple(Attribute(field, confirmed=confirmed) for field in fields))


def test_420_an_attribute_that_follows_the_goal_is_refused_even_when_confirmed(known: Workspace) -> None:
    for confirmed in (False, True):
        check = checked(known, attributes("points", confirmed=confirmed))
        assert told(check) == {420: "error"}
        (suspect,) = check.attributes
        assert suspect.auc is not None
        assert (suspect.late, suspect.auc > 0.95) == (1.0, True)
        assert "points alone tells" in check.problems[0].message
        assert "100 % of its values were written after" in check.problems[0].message


def test_420_an_honest_attribute_of_which_only_the_latest_value_is_known_is_to_be_confirmed(known: Workspace) -> None:
    check = checked(known, attributes("tier", "city", confirmed=False))
    assert [each.figures["name"] for each in check.problems if each.number == 420] == ["tier", "city"]
    assert "confirmed: true" in check.problems[0].hint
    check = checked(known, attributes("tier", "city", confirmed=True))
    assert told(check) == {}
    tier, city = (each.auc or 0 for each in check.attributes)
    assert 0.6 < tier < 0.95
    assert city < 0.56


def test_what_was_written_before_the_cut_off_needs_no_word(tmp_path: Path) -> None:
    people = [{"crm": {"id": f"p{who}"}, "city": ("Lyon", "Nice")[who % 2]} for who in range(600)]
    with shop(tmp_path, [], people, at=START) as workspace:
        workspace.sandbox.clock.at = NOW  # type: ignore[attr-defined]
        load(workspace, tmp_path, "event", rows_of(steady(600)))
        check = checked(workspace, attributes("city", confirmed=False))
    assert [each.late for each in check.attributes] == [0.0]
    assert 420 not in told(check)


def test_a_check_is_the_same_read_back(sound: Workspace) -> None:
    check = checked(sound, model())
    assert msgspec.json.decode(msgspec.json.encode(check), type=Check) == check
