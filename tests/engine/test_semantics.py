"""The published meaning of the language, case by case."""

from __future__ import annotations

import pytest
from pyroaring import BitMap

from coterie.core.clock import parse_instant
from coterie.core.errors import Unsupported
from coterie.testing.sample import SAMPLE

from .world import World, read_cases

CASES = read_cases()

UNSUPPORTED = {
    "sem-326": "a function of a group and its key",
    "sem-327": "a map of groups",
}
"""Cases refused by name. A gap that closes breaks the test until its line goes."""


def world(case: str) -> World:
    return World(SAMPLE, CASES[case]["profiles"], parse_instant(CASES[case]["now"]))


@pytest.mark.parametrize("case", sorted(CASES.keys() - UNSUPPORTED.keys()))
def test_members_are_those_of_the_case(case):
    assert world(case).members(CASES[case]["pql"]) == sorted(CASES[case]["expect"])


@pytest.mark.parametrize("case", sorted(CASES.keys() - UNSUPPORTED.keys()))
def test_asked_of_some_people_only_they_are_members(case):
    one = world(case)
    some = BitMap(sorted(one.names)[::2])
    expected = sorted(set(CASES[case]["expect"]) & {one.names[person] for person in some})
    assert one.members(CASES[case]["pql"], some) == expected


@pytest.mark.parametrize("case", sorted(UNSUPPORTED))
def test_what_the_engine_lacks_is_refused_by_name(case):
    with pytest.raises(Unsupported) as refused:
        world(case).members(CASES[case]["pql"])
    assert refused.value.code == "engine.unsupported"
    assert refused.value.where["end"] > refused.value.where["start"] >= 0
