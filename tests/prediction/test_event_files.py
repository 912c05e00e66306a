"""Files of events as anybody has them are read as they are meant, and the truth in them is found."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))
import customer_ai
from event_file import EventFile, Outcome, Unreadable

CSV = """timestamp,customer_id,event_type,value,Shop name,type
2024-03-02T01:30:00+02:00,007,order,12.50,North,
2024-03-05,12,visit,,South,
2024-03-01 10:00:00,12,order,3.255,,
2024-03-04,007,visit,,South,
2024-03-09T00:00:00Z,,order,9.00,North,
,12,order,1.00,North,
2024-03-06T12:00:00Z,12,order,20.00,North,
"""


def goal(**changes: Any) -> dict[str, Any]:
    """Return a goal: an order within 3 days."""
    event = {"name": "Order", "where": [{"field": "event_type", "op": "eq", "value": "order"}]}
    return {"events": [event], "window_days": 3, **changes}


@pytest.fixture
def file(tmp_path: Path) -> EventFile:
    """A file in which almost everything is odd."""
    path = tmp_path / "events.csv"
    path.write_text(CSV)
    return EventFile(path)


def rows(file: EventFile) -> list[tuple[Any, ...]]:
    return file.con.execute("SELECT __customer, __ts::VARCHAR, __type FROM event ORDER BY __row").fetchall()


def test_codes_keep_their_zeros_and_instants_their_zones(file: EventFile) -> None:
    assert rows(file)[0] == ("007", "2024-03-01 23:30:00", "order")
    assert rows(file)[2] == ("12", "2024-03-01 10:00:00", "order")


def test_kinds_with_dates_only_stand_at_the_end_of_their_day(file: EventFile) -> None:
    assert [at for _, at, type_ in rows(file) if type_ == "visit"] == [
        "2024-03-05 23:59:59.999",
        "2024-03-04 23:59:59.999",
    ]
    assert rows(file)[4][1] == "2024-03-09 00:00:00"  # orders have times, this one midnight


def test_columns_become_fields_of_fitting_types(file: EventFile) -> None:
    found = {column.name: (column.path, str(column.field.type), column.field.decimals) for column in file.columns}
    assert found["value"] == ("value", "number", 4)
    assert found["Shop name"] == ("Shop_name", "string", None)


def test_only_the_past_is_written(file: EventFile, tmp_path: Path) -> None:
    past = tmp_path / "past.parquet"
    assert file.write(past, "2024-03-05 00:00:00") == 4  # three before, and one without a time for the intake to refuse
    assert file.write(past, "2024-03-05 00:00:00", "2024-03-02 00:00:00") == 2


def test_who_was_there_and_what_they_did(file: EventFile) -> None:
    assert file.outcome(goal(), "2024-03-05 00:00:00", 30) == Outcome(["007", "12"], [False, True])
    assert file.outcome(goal(window_days=1), "2024-03-05 00:00:00", 30).hit == [False, False]
    assert file.outcome(goal(window_days=1, gap_days=1), "2024-03-05 00:00:00", 30).hit == [False, True]
    assert file.outcome(goal(), "2024-03-05 00:00:00", 2).customers == ["007"]
    assert file.outcome(goal(), "2024-03-05 00:00:00", None, "2024-03-02 00:00:00").customers == ["007"]


@pytest.mark.parametrize(("op", "value", "hit"), [("lt", 5, True), ("lte", 0, True), ("eq", 0, True), ("gt", 0, False)])
def test_who_does_nothing_spends_nothing(file: EventFile, op: str, value: float, hit: bool) -> None:
    spends = {**goal()["events"][0], "measure": {"sum": "value"}, "op": op, "value": value}
    assert file.outcome(goal(events=[spends]), "2024-03-12 00:00:00", 30) == Outcome(["007", "12"], [hit, hit])


@pytest.mark.parametrize(
    ("event", "met"),
    [
        ({"at_least": 2}, False),
        ({"measure": {"sum": "value"}, "op": "gte", "value": 20}, True),
        ({"measure": {"sum": "value"}, "op": "gt", "value": 20}, False),
        ({"where": [{"field": "Shop name", "op": "in", "value": ["North", "South"]}]}, True),
        ({"where": [{"field": "Shop name", "op": "not_in", "value": ["North", "South"]}]}, False),
        ({"where": [{"field": "Shop name", "op": "starts_with", "value": "Nor"}]}, True),
        ({"where": [{"field": "value", "op": "between", "value": [19, 20]}]}, True),
        ({"where": [{"field": "value", "op": "neq", "value": 20}]}, False),
        ({"where": [{"field": "value", "op": "not_exists"}], "at_least": 1}, True),
        ({"where": [{"field": "event_type", "op": "matches", "value": "^or.er$"}]}, True),
        ({"where": [{"field": "eventType", "op": "eq", "value": "order"}]}, True),
        ({"where": [{"field": "timestamp", "op": "gte", "value": "2024-03-07"}]}, False),
    ],
)
def test_conditions_of_goals(file: EventFile, event: dict[str, Any], met: bool) -> None:
    asked = {**goal()["events"][0], **event}
    assert file.outcome(goal(events=[asked]), "2024-03-05 00:00:00", 30).hit[1] is met


DAYS = ["20240301", "1709251200", "1709251200000", "1709251200000000", "1709251200000000000"]


@pytest.mark.parametrize("written", DAYS)
def test_numbers_are_days_or_counted_from_1970(tmp_path: Path, written: str) -> None:
    path = tmp_path / "events.parquet"
    event = f"SELECT 5.0::DOUBLE AS customer_id, {written}::BIGINT AS timestamp, 'x' AS event_type"
    duckdb.execute(f"COPY ({event}) TO '{path}' (FORMAT parquet)")
    assert rows(EventFile(path)) == [("5", "2024-03-01 23:59:59.999", "x")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("customer_id,timestamp\n1,2024-01-01\n", "no column event_type"),
        ("customer_id,timestamp,event_type\n1,yesterday,x\n", "no time stamp"),
        ("customer_id,timestamp,event_type,__ts\n1,2024-01-01,x,3\n", "has a column __ts; that name is taken"),
        ("PAR1 and no more", "neither as Parquet nor as CSV"),
    ],
)
def test_files_of_another_form_are_refused_in_words(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "events.csv"
    path.write_text(text)
    with pytest.raises(Unreadable, match=said):
        EventFile(path)


LATER = """customer_id,timestamp,event_type,amount,seen,code,flag
1,2024-03-01,order,12.5,2024-01-31,017,true
2,2024-03-02,order,3.0,2024-02-01,018,FALSE
"""


def test_what_came_later_does_not_tell_what_columns_hold(tmp_path: Path) -> None:
    whole, cut, past = tmp_path / "whole.csv", tmp_path / "cut.csv", tmp_path / "past.parquet"
    whole.write_text(LATER + "2,2024-03-05T10:00:00Z,order,4.12345,unknown,x,maybe\n1,2024-03-06,order,many,,,\n")
    cut.write_text(LATER)
    before = "2024-03-04 00:00:00"
    known, all_there_is = EventFile(whole, before), EventFile(cut, before)
    assert known.columns == all_there_is.columns
    types = {column.name: (str(column.field.type), column.field.decimals) for column in known.columns}
    assert types == {
        "amount": ("number", 2),
        "seen": ("date", None),
        "code": ("string", None),
        "flag": ("boolean", None),
    }
    written = []
    for file in (known, all_there_is):
        file.write(past, before)
        written.append(duckdb.read_parquet(str(past)).fetchall())
    assert written[0] == written[1]
    measured = {"name": "Spends", "where": [{"field": "amount", "op": "gt", "value": 4.1234}]}
    assert known.outcome(goal(events=[measured]), before, 30).hit == [False, True]


@pytest.mark.parametrize("odd", ["NaN", "-inf", "Infinity", "1e3", "+2.5", ".5", "-"])
def test_numbers_are_numbers_however_written(tmp_path: Path, odd: str) -> None:
    path = tmp_path / "events.csv"
    path.write_text(f"customer_id,timestamp,event_type,value\n1,2024-03-01,x,{odd}\n2,2024-03-02,x,3.25\n")
    assert [str(column.field.type) for column in EventFile(path).columns] == ["number"]


@pytest.mark.parametrize(
    "written",
    [
        "01.03.2024 14:05",
        "3/1/2024 14:05",
        "03/01/2024 02:05 PM",
        "2024-03-01T15:05:00+0100",
        "2024-03-01 14:05:00 UTC",
    ],
)
def test_texts_of_instants(tmp_path: Path, written: str) -> None:
    path = tmp_path / "events.csv"
    path.write_text(f"customer_id;timestamp;event_type;price\n1;{written};x;1,5\n2;{written};x;20\n")
    file = EventFile(path)
    assert rows(file)[0] == ("1", "2024-03-01 14:05:00", "x")
    assert [str(column.field.type) for column in file.columns] == ["number"]


@pytest.mark.parametrize("type_", ["TIMESTAMPTZ", "TIMESTAMP_NS", "TIMESTAMP_MS", "TIMESTAMPTZ_NS"])
def test_instants_of_parquet(tmp_path: Path, type_: str) -> None:
    path = tmp_path / "EVENTS.PARQUET"
    instant = "'2024-03-01 14:05:00+00'"
    events = f"SELECT 1 AS customer_id, {instant}::{type_} AS timestamp, 'x' AS event_type, {instant}::{type_} AS due"
    duckdb.execute(f"COPY ({events}) TO '{path}' (FORMAT parquet)")
    file = EventFile(path)
    assert rows(file)[0][1] == "2024-03-01 14:05:00"
    assert str(file.columns[0].field.type) == "date-time"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "events.csv"
    path.write_text("customer_id,timestamp,event_type,city\nJürgen,2024-03-01,x,Köln\n", encoding=encoding)
    file = EventFile(path)
    assert file.con.execute("SELECT __customer, city FROM event").fetchall() == [("Jürgen", "Köln")]


def test_fields_have_names_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    names = ["a.b", "a b", "a_b", "person", "EventType", "list[0]{x}", "select"]
    path.write_text(f"customer_id,timestamp,event_type,{','.join(names)}\n1,2024-03-01,x{',1' * len(names)}\n")
    assert [column.path for column in EventFile(path).columns] == [
        "a_b",
        "a_b_",
        "a_b__",
        "person_",
        "EventType_",
        "list_0_x_",
        "select",
    ]


def test_goals_and_models_are_read_alike(file: EventFile) -> None:
    churn = customer_ai._model(goal(polarity="will_not_occur"), 30)
    assert (churn["propensity"], churn["population"]) == ("churn", {"lookback_days": 30})
    whole = customer_ai._model({"goal": goal(), "name": "Orders", "population": {"where": "true"}}, None)
    assert (whole["name"], whole["population"]) == ("Orders", {"where": "true", "lookback_days": None})
    shops = [{"field": "event_type", "op": "exists"}, {"field": "Shop name", "op": "eq", "value": "Shop name"}]
    renamed = customer_ai._renamed({"goal": goal(events=[{"name": "event_type", "where": shops}])}, file)
    assert renamed["goal"]["events"][0] == {
        "name": "event_type",
        "where": [{"field": "eventType", "op": "exists"}, {"field": "Shop_name", "op": "eq", "value": "Shop name"}],
    }


def test_events_of_a_goal_may_go_without_a_name(tmp_path: Path) -> None:
    path = tmp_path / "goal.json"
    path.write_text(json.dumps({"goal": {"events": [{"where": []}, {"name": "Order"}], "window_days": 3}}))
    assert [event["name"] for event in customer_ai._goal(path)["goal"]["events"]] == ["Event 1", "Order"]


@pytest.mark.parametrize("text", ["[]", '{"goal": 3}', "{events: 1}", "", '"churn"'])
def test_what_is_no_goal_is_refused_in_words(tmp_path: Path, text: str) -> None:
    path = tmp_path / "goal.json"
    path.write_text(text)
    with pytest.raises(Unreadable, match=r"goal\.json (is no JSON|holds no goal)"):
        customer_ai._goal(path)


def test_the_comparison_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(3)
    p = np.round(rng.random(500), 2)
    hit = rng.random(500) < p
    names = [f"c{i:03d}" for i in range(500)]
    scored = customer_ai.Scored(names, p, p - 0.1, p + 0.1)
    found = customer_ai.compare(scored, Outcome([*names, "later"], [*map(bool, hit), True]), negated=False)
    low, high = found["interval"]
    assert found["auc"] == round(roc_auc_score(hit, p), 5)
    assert low < found["auc"] < high < low + 0.1
    assert found["brier"] == round(float(((p.clip(1e-6, 1 - 1e-6) - hit) ** 2).mean()), 5)
    assert found["unscored"] == 1
    assert customer_ai.compare(scored, Outcome(names, [*map(bool, ~hit)]), negated=True)["auc"] == found["auc"]
