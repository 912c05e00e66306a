"""Cases of the language beyond the published ones, derived by hand from its specification.

Rules that are asked at one instant share a workspace: each is asked of the profiles of all of them, and what it says of
its own is compared, so that the others are noise it has to bear.
"""

import json
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path

import pytest

from coterie.testing import check, people

CASES = Path(__file__).parents[1] / "cases"


def read(name):
    lines = (CASES / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line, parse_float=Decimal) for line in lines]


ROWS = read("more-semantics")
WRONG = read("more-errors")


def numbered(rows):
    """Return a number for each distinct list of profiles."""
    return {text: place for place, text in enumerate(dict.fromkeys(map(written, rows)))}


def written(row):
    return json.dumps(row["profiles"], default=str, sort_keys=True)


def named(number, profile):
    events = [{**event, "_id": f"{number}/{event['_id']}"} for event in profile.get("events", ())]
    return {**profile, "id": f"{number}/{profile['id']}", **({"events": events} if events else {})}


@pytest.fixture(scope="module")
def ask():
    """Give a function that returns the members of a row among its own profiles."""
    groups, numbers = {}, numbered(ROWS)
    with ExitStack() as opened:

        def group(now):
            if now not in groups:
                lists = {numbers[written(row)]: row["profiles"] for row in ROWS if row["now"] == now}
                everyone = [named(number, profile) for number, listed in lists.items() for profile in listed]
                groups[now] = opened.enter_context(people(everyone, now))
            return groups[now]

        def members(row):
            own = f"{numbers[written(row)]}/"
            return {name.removeprefix(own) for name in group(row["now"]).members(row["pql"]) if name.startswith(own)}

        yield members


@pytest.mark.parametrize("row", ROWS, ids=[row["id"] for row in ROWS])
def test_the_members_are_those_of_the_case(row, ask):
    assert ask(row) == set(row["expect"]), row["why"]


@pytest.mark.parametrize("row", WRONG, ids=[row["id"] for row in WRONG])
def test_the_fault_is_found_at_its_place_or_by_its_name(row):
    found = [problem for problem in check(row["pql"]) if problem.code == row["code"]]
    error = row["error"]
    if "position" in error:
        first, last = error["position"]
        assert [problem for problem in found if first <= problem.start <= last], row["why"]
    else:
        names = error["names_any_of"]
        assert [problem for problem in found if any(name in problem.message for name in names)], row["why"]
