"""Pairs of audiences in numbers and words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroaring import BitMap

from coterie.audience import overlap
from coterie.core.shares import percent


@given(st.dictionaries(st.sampled_from("abcde"), st.frozensets(st.integers(0, 20)), min_size=2))
def test_numbers_are_those_of_sets(members):
    found = overlap.pairs({name: BitMap(people) for name, people in members.items()})
    names = list(members)
    assert [(pair.a, pair.b) for pair in found] == [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    for pair in found:
        a, b = members[pair.a], members[pair.b]
        assert pair.both == len(a & b)
        assert pair.of_a == (len(a & b) / len(a) if a else 0)
        assert pair.of_b == (len(a & b) / len(b) if b else 0)
        assert pair.jaccard == (len(a & b) / len(a | b) if a | b else 0)


@pytest.mark.parametrize(
    ("a", "b", "finding"),
    [
        (range(97), range(100), "a is inside b, and is 97 % of it"),
        (range(100), range(25), "b is inside a, and is 25 % of it"),
        (range(5), range(5), "a and b are the same people"),
        (range(5), range(5, 9), "a and b have no one in common"),
        (range(98), range(1, 2000), "99 % of a is in b"),
        (range(100), range(1, 101), "99 % of a is in b, and 99 % of b is in a"),
        (range(10), range(5, 20), None),
        ([], range(3), "a has no members"),
        ([], [], "a and b have no members"),
    ],
)
def test_what_is_remarkable_is_said(a, b, finding):
    (pair,) = overlap.pairs({"a": BitMap(a), "b": BitMap(b)})
    assert pair.finding == finding


@given(st.integers(0, 10**7), st.integers(1, 10**7))
def test_only_all_is_a_hundred_and_only_nothing_is_none(part, whole):
    shown = percent(min(part, whole) / whole)
    assert (shown == "100 %") == (part >= whole)
    assert (shown == "0 %") == (part == 0)
