"""The published meaning of the language, case by case."""

from __future__ import annotations

import pytest
from pyroaring import BitMap

from coterie.core.clock import parse_instant
from coterie.testing.sample import SAMPLE

from .world import World, read_cases

CASES = read_cases()


def world(case: str) -> World:
    return World(SAMPLE, CASES[case]["profiles"], parse_instant(CASES[case]["now"]))


@pytest.mark.parametrize("case", sorted(CASES))
def test_members_are_those_of_the_case(case):
    assert world(case).members(CASES[case]["pql"]) == sorted(CASES[case]["expect"])


@pytest.mark.parametrize("case", sorted(CASES))
def test_asked_of_some_people_only_they_are_members(case):
    one = world(case)
    some = BitMap(sorted(one.names)[::2])
    expected = sorted(set(CASES[case]["expect"]) & {one.names[person] for person in some})
    assert one.members(CASES[case]["pql"], some) == expected
