"""Files of events as anybody has them are read as they are meant, and the truth in them is found."""

from __future__ import annotations

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
    ],
)
def test_conditions_of_goals(file: EventFile, event: dict[str, Any], met: bool) -> None:
    asked = {**goal()["events"][0], **event}
    assert file.outcome(goal(events=[asked]), "2024-03-05 00:00:00", 30).hit[1] is met


@pytest.mark.parametrize("written", ["20240301", "1709251200", "1709251200000", "1709251200000000"])
def test_numbers_are_days_seconds_milliseconds_or_microseconds(tmp_path: Path, written: str) -> None:
    path = tmp_path / "events.parquet"
    duckdb.sql(f"SELECT 5.0::DOUBLE AS customer_id, {written}::BIGINT AS timestamp, 'x' AS event_type").write_parquet(
        str(path)
    )
    assert rows(EventFile(path)) == [("5", "2024-03-01 23:59:59.999", "x")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("customer_id,timestamp\n1,2024-01-01\n", "no column event_type"),
        ("customer_id,timestamp,event_type\n1,yesterday,x\n", "no time stamp"),
    ],
)
def test_files_of_another_form_are_refused_in_words(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "events.csv"
    path.write_text(text)
    with pytest.raises(Unreadable, match=said):
        EventFile(path)


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
