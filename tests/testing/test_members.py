"""The case files of the language's meaning, through the real intake and the engine."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from coterie import testing
from coterie.core.errors import Invalid, Unsupported
from coterie.pql import PqlError

CASES = Path(__file__).parents[1] / "cases" / "pql-semantics.jsonl"
ROWS = [json.loads(line, parse_float=Decimal) for line in CASES.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("row", ROWS, ids=[row["id"] for row in ROWS])
def test_the_members_are_those_of_the_case(row):
    assert testing.members(row["pql"], row["profiles"], row["now"]) == set(row["expect"]), row["why"]


def test_the_plan_says_who_answered():
    profiles = [{"id": "a", "loyalty": {"points": 3}}]
    assert testing.members("loyalty.points = 3", profiles, "2026-01-01", engine="kernel") == {"a"}
    assert testing.last_plan().engine == "sql"
    assert testing.last_plan().reason
    for engine in ("sql", "interpreter"):
        assert testing.members("loyalty.points = 3", profiles, "2026-01-01", engine=engine) == {"a"}
        assert testing.last_plan() == testing.Plan(engine, engine)
    with pytest.raises(Unsupported) as caught:
        testing.members("loyalty.points = 3", profiles, "2026-01-01", engine="abacus")
    assert caught.value.code == "testing.engine"


def test_profiles_may_have_events_of_the_same_id():
    event = {"_id": "1", "timestamp": "2026-01-01T00:00:00Z", "eventType": "view"}
    profiles = [{"id": "a", "events": [event, event]}, {"id": "b", "events": [event]}]
    with testing.people(profiles, "2026-01-02") as group:
        for engine in ("sql", "interpreter"):
            assert group.members("xEvent.count() = 1", engine) == {"a", "b"}


@pytest.mark.parametrize("row", ROWS[::8], ids=[row["id"] for row in ROWS[::8]])
def test_the_interpreter_answers_through_the_same_intake(row):
    assert testing.members(row["pql"], row["profiles"], row["now"], engine="interpreter") == set(row["expect"])


def test_what_is_wrong_is_said():
    with pytest.raises(PqlError):
        testing.members("loyalty.pionts = 3", [], "2026-01-01")
    with pytest.raises(Invalid) as caught:
        testing.members("loyalty.points = 3", [{"id": "a", "loyalty": {"points": "many"}}], "2026-01-01")
    assert caught.value.code == "testing.profiles"
    assert caught.value.where["field"] == "loyalty.points"
