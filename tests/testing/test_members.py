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


def test_memberships_are_read_through_the_map_on_every_engine():
    def profile(name, namespace, status, until=None):
        entry = {"status": status, "lastQualificationTime": "2026-01-01T00:00:00Z"}
        entry |= {"validUntil": until} if until else {}
        return {"id": name, "segmentMembership": {namespace: {"x": entry}, "Other": {"y": {"status": "exited"}}}}

    profiles = [
        profile("in", "ups", "realized"),
        profile("stays", "ups", "existing", "2026-03-01T00:00:00Z"),
        profile("lapsed", "ups", "realized", "2026-02-01T00:00:00Z"),
        profile("out", "ups", "exited"),
        profile("imported", "AAMSegments", "realized"),
        {"id": "none"},
    ]
    expected = {
        'inSegment("x")': {"in", "stays"},
        'not inSegment("x")': {"lapsed", "out", "imported", "none"},
        'segmentMembership.get("ups").get("x").status in ["realized", "existing"]': {"in", "stays", "lapsed"},
        'segmentMembership.get("AAMSegments").get("x").status = "realized"': {"imported"},
        'segmentMembership.get("ups").get("x").validUntil occurs after now': {"stays"},
        'segmentMembership.get("ups").get("x").lastQualificationTime occurs <= 60 days before now': {
            "in",
            "stays",
            "lapsed",
            "out",
        },
        'segmentMembership.keys().includes("AAMSegments")': {"imported"},
        "segmentMembership.values().count() = 2": {"in", "stays", "lapsed", "out", "imported"},
        'segmentMembership.get("Other").keys().includes("y")': {"in", "stays", "lapsed", "out", "imported"},
    }
    with testing.people(profiles, "2026-02-01T00:00:00Z") as group:
        for rule, members in expected.items():
            for engine in ("interpreter", "sql"):
                assert group.members(rule, engine) == members, (rule, engine)
