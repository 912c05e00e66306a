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

UNSUPPORTED = {
    "sem-237": "WHERE",
    "sem-326": "groups as values",
    "sem-327": "groups as values",
    "sem-353": "a single event as a value",
}
"""What the engine refuses by name; a case that it answers must leave this list."""


@pytest.mark.parametrize("row", ROWS, ids=[row["id"] for row in ROWS])
def test_the_members_are_those_of_the_case_or_the_rule_is_refused_by_name(row):
    if row["id"] in UNSUPPORTED:
        with pytest.raises(Unsupported) as caught:
            testing.members(row["pql"], row["profiles"], row["now"])
        assert caught.value.code == "engine.unsupported"
        assert caught.value.message
    else:
        assert testing.members(row["pql"], row["profiles"], row["now"]) == set(row["expect"]), row["why"]


def test_the_plan_says_who_answered():
    profiles = [{"id": "a", "loyalty": {"points": 3}}]
    assert testing.members("loyalty.points = 3", profiles, "2026-01-01", engine="kernel") == {"a"}
    assert testing.last_plan().engine == "sql"
    assert testing.last_plan().reason
    with pytest.raises(Unsupported) as caught:
        testing.members("loyalty.points = 3", profiles, "2026-01-01", engine="spark")
    assert caught.value.code == "testing.engine"


def test_what_is_wrong_is_said():
    with pytest.raises(PqlError):
        testing.members("loyalty.pionts = 3", [], "2026-01-01")
    with pytest.raises(Invalid) as caught:
        testing.members("loyalty.points = 3", [{"id": "a", "loyalty": {"points": "many"}}], "2026-01-01")
    assert caught.value.code == "testing.profiles"
    assert caught.value.where["field"] == "loyalty.points"
