"""The fold of records: against plain Python, in any order, cut anywhere, interpreted and compiled."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coterie.identity import fold as subject
from coterie.identity.fold import (
    CUT_EVICTED,
    CUT_SPLIT,
    Records,
    Rules,
    conflicted,
    fold,
    prepared,
    records_of,
    sort_records,
    usable,
)

from .reference import outcome, reference

Sighting = tuple[int, list[int]]


class World(msgspec.Struct):
    """Identities, records in the order of the fold, and rules."""

    namespace: list[int]
    records: list[Sighting]
    rules: Rules
    apart: list[tuple[int, int]]

    def folded(self, begin: int = 0, end: int | None = None, **more: Any) -> Any:
        return fold(len(self.namespace), ints(self.namespace), records_of(self.records[begin:end]), self.rules, **more)

    @property
    def pairs(self) -> Any:
        return tuple(ints(self.apart).reshape(-1, 2).T)


def ints(values: Any) -> Any:
    return np.array(values, np.int32)


def rules(
    priority: list[int], unique: list[bool], rank: list[int], limit: int = 50, *, optimized: bool = True
) -> Rules:
    return Rules(ints(priority), np.array(unique, np.bool_), np.array(rank, np.int8), limit, optimized)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    kinds = draw(st.integers(1, 4))
    namespace = sorted(draw(st.lists(st.integers(0, kinds - 1), min_size=2, max_size=14)))
    terms = rules(
        draw(st.permutations(range(1, kinds + 1))),
        draw(st.lists(st.booleans(), min_size=kinds, max_size=kinds)),
        draw(st.lists(st.integers(0, 2), min_size=kinds, max_size=kinds)),
        draw(st.sampled_from([0, 2, 3, 4, 6, 50])),
        optimized=draw(st.booleans()),
    )
    nodes = st.integers(0, len(namespace) - 1)
    sets = st.lists(nodes, min_size=2, max_size=4)
    sightings = draw(st.lists(st.tuples(st.integers(0, 8), sets), max_size=24))
    apart = draw(st.lists(st.tuples(nodes, nodes).filter(lambda pair: pair[0] < pair[1]), max_size=3, unique=True))
    records = sort_records(usable(records_of(sightings), ints(namespace), terms))
    return World(namespace, sightings_of(records), terms, apart)


def sightings_of(records: Records) -> list[Sighting]:
    return [
        (time, records.identities[begin:end].tolist())
        for time, begin, end in zip(
            records.time.tolist(), records.offsets.tolist(), records.offsets[1:].tolist(), strict=False
        )
    ]


@settings(max_examples=200)
@given(worlds())
def test_the_fold_is_that_of_plain_python(world: World) -> None:
    expected = reference(world.namespace, world.records, world.rules, world.apart)
    found = outcome(world.folded(apart=world.pairs))
    assert found.graphs == expected.graphs
    assert found.links == expected.links
    assert found.removals == expected.removals
    assert sorted(found.evictions) == sorted(expected.evictions)


@settings(max_examples=60)
@given(worlds(), st.data())
def test_a_fold_is_continued_from_its_links(world: World, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(world.records)))
    whole = world.folded(apart=world.pairs)
    first = world.folded(end=cut, apart=world.pairs)
    rest = world.folded(begin=cut, apart=world.pairs, state=first.links)
    assert outcome(rest)[:2] == outcome(whole)[:2]
    assert [*first.evictions.identity, *rest.evictions.identity] == whole.evictions.identity.tolist()


@given(st.lists(st.tuples(st.integers(0, 3), st.lists(st.integers(0, 3), min_size=1, max_size=7)), max_size=30))
def test_records_are_sorted_by_time_then_identities_and_equal_ones_are_one(records: list[Sighting]) -> None:
    expected = sorted({(time, tuple(identities)) for time, identities in records})
    assert sightings_of(sort_records(records_of(records))) == [(time, list(ids)) for time, ids in expected]


@pytest.mark.parametrize("seed", range(3))
def test_compiled_and_interpreted_are_one(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(seed)
    n, count = 400, 1_500
    namespace = np.sort(rng.integers(0, 4, n).astype(np.int32))
    sizes = rng.integers(2, 5, count)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    near = np.repeat(rng.integers(0, n, count), sizes) + rng.integers(0, 9, offsets[-1])
    raw = Records(rng.integers(0, 900, count), offsets, (near % n).astype(np.int32))
    terms = rules([1, 2, 3, 4], [True, True, False, False], [2, 2, 1, 0], limit=9)
    records = sort_records(usable(raw, namespace, terms))
    apart = ints(rng.integers(0, n // 2, (2, 5))) * ints([[1], [2]]) + ints([[0], [1]])
    whole = fold(n, namespace, records, terms, apart=(apart[0], apart[1]))
    monkeypatch.setattr(subject, "FEW", -1)
    namespace.flags.writeable = records.time.flags.writeable = False
    again = fold(n, namespace, records, terms, apart=(apart[0], apart[1]))
    assert outcome(again) == outcome(whole)
    assert len(whole.removals.a) > 100
    assert len(whole.evictions.identity) > 10
    assert len(subject.replay.compiled().signatures) == 1  # type: ignore[attr-defined]


# CRMID (unique) Tom 0, Summer 1; Email e 2; ECID 8 and 9: 3 and 4
TOM, SUMMER, E, BROWSER, SHARED = range(5)
EXAMPLE = World(
    [0, 0, 1, 2, 2],
    [(1, [TOM, E]), (2, [SUMMER, SHARED]), (3, [E, SHARED]), (4, [TOM, BROWSER])],
    rules([1, 2, 3], [True, False, False], [2, 2, 0]),
    [],
)


def test_the_time_of_a_record_decides_not_its_arrival() -> None:
    late = [EXAMPLE.records[place] for place in (0, 2, 3, 1)]
    expected = {frozenset({TOM, E, BROWSER, SHARED}), frozenset({SUMMER})}
    assert outcome(EXAMPLE.folded()).graphs == expected
    world = msgspec.structs.replace(EXAMPLE, records=sightings_of(sort_records(records_of(late))))
    assert outcome(world.folded()).graphs == expected
    on_arrival = outcome(msgspec.structs.replace(EXAMPLE, records=late).folded()).graphs
    assert on_arrival == {frozenset({TOM, E, BROWSER}), frozenset({SUMMER, SHARED})}


def test_a_link_that_was_cut_stays_out_until_it_is_seen_again() -> None:
    world = msgspec.structs.replace(EXAMPLE, records=[(1, [0, 3]), (2, [1, 3]), (3, [1, 4]), (4, [0, 3])])
    found = outcome(world.folded())
    assert found.graphs == {frozenset({0, 3}), frozenset({1, 4}), frozenset({2})}
    assert found.links == {(0, 3): (4, 4), (1, 4): (3, 3)}
    assert found.removals == {(0, 3, 1, 0, 0), (1, 3, 3, 0, 0)}


def cookies(n: int, records: list[Sighting], limit: int, persons: int = 0) -> World:
    """Identities of which the first are persons and the rest cookies; no rules but the limit."""
    namespace = [0] * persons + [1] * (n - persons)
    return World(namespace, records, rules([1, 2], [False, False], [2, 0], limit, optimized=False), [])


def test_of_a_chain_the_oldest_go() -> None:
    found = outcome(cookies(54, [(t, [t, t + 1]) for t in range(53)], limit=50).folded())
    assert found.graphs == {frozenset({0}), frozenset({1}), frozenset({2}), frozenset({3}), frozenset(range(4, 54))}
    assert found.evictions == [(0, 49), (1, 50), (2, 51), (3, 52)]


def test_the_fifty_first_of_a_hub_takes_the_place_of_the_one_seen_longest_ago() -> None:
    records = [(t, [0, t]) for t in range(1, 50)] + [(50, [0, 1]), (51, [0, 50])]
    found = outcome(cookies(51, records, limit=50, persons=1).folded())
    assert found.evictions == [(2, 50)]
    assert found.removals == {(0, 2, 50, -1, CUT_EVICTED)}
    assert frozenset({0, 1, *range(3, 51)}) in found.graphs


def test_who_is_added_by_the_record_does_not_go() -> None:
    assert outcome(cookies(3, [(1, [0, 1, 2])], limit=2).folded()).graphs == {frozenset({0, 1, 2})}
    found = outcome(cookies(4, [(1, [0, 1]), (2, [1, 2, 3])], limit=2, persons=1).folded())
    assert found.evictions == [(1, 1)]
    assert found.graphs == {frozenset({0}), frozenset({1}), frozenset({2, 3})}


def test_cookies_go_before_persons_and_an_eviction_may_split_a_graph() -> None:
    # persons 0 … 3; cookie 4 is all that holds {0, 1} and {2, 3} together
    records = [(1, [0, 1]), (2, [2, 3]), (3, [1, 4]), (4, [2, 4]), (5, [0, 5])]
    found = outcome(cookies(6, records, limit=5, persons=4).folded())
    assert found.evictions == [(4, 4)]
    assert found.graphs == {frozenset({0, 1, 5}), frozenset({2, 3}), frozenset({4})}


def test_a_split_cuts_the_lightest_hold_and_what_comes_later() -> None:
    world = msgspec.structs.replace(EXAMPLE, records=[(1, [2, 3]), (2, [2, 4]), (3, [2, 3])], apart=[(3, 4)])
    found = outcome(world.folded(apart=world.pairs))
    assert found.removals == {(2, 3, 1, -1, CUT_SPLIT), (2, 4, 2, -1, CUT_SPLIT)}
    assert found.graphs == {frozenset({2, 3}), frozenset({0}), frozenset({1}), frozenset({4})}


def test_a_record_is_left_out_for_two_values_of_a_unique_namespace_or_too_many_identities() -> None:
    terms = rules([1, 2], [True, False], [2, 0])
    namespace = ints([0] * 2 + [1] * 30)
    raw = records_of([(1, [0, 1, 2]), (2, [5, 0, 5]), (3, [4, 4]), (4, list(range(2, 23))), (5, list(range(2, 22)))])
    expected = [(2, [0, 5]), (5, list(range(2, 22)))]
    assert sightings_of(usable(raw, namespace, terms)) == expected
    unlinkable = np.arange(32) != 5
    assert sightings_of(usable(raw, namespace, terms, unlinkable)) == [
        (4, [n for n in range(2, 23) if n != 5]),
        (5, [n for n in range(2, 22) if n != 5]),
    ]
    off = msgspec.structs.replace(terms, optimized=False)
    assert sightings_of(usable(raw, namespace, off)) == expected


def test_records_are_prepared_with_the_places_they_had() -> None:
    raw = records_of([(5, [2, 1]), (3, [0, 0]), (3, [3, 2]), (5, [1, 2]), (3, [3, 1])])
    records, places = prepared(raw, ints([0, 0, 0, 0]), rules([1], [False], [2]))
    assert sightings_of(records) == [(3, [1, 3]), (3, [2, 3]), (5, [1, 2])]
    assert places.tolist() == [4, 2, 0]


def test_components_that_are_not_their_graphs() -> None:
    namespace = ints([0, 0, 0, 1, 1, 1, 1, 1])
    component = ints([0, 0, 2, 2, 4, 5, 5, 5])
    terms = rules([1, 2], [True, False], [2, 0], limit=2)
    apart = (ints([3, 0]), ints([2, 4]))
    assert np.flatnonzero(conflicted(component, namespace, terms, apart)).tolist() == [0, 1, 2, 3, 5, 6, 7]
    assert np.flatnonzero(conflicted(component, namespace, terms)).tolist() == [0, 1, 5, 6, 7]
    unlimited = msgspec.structs.replace(terms, limit=0, optimized=False)
    assert not conflicted(component, namespace, unlimited).any()


@settings(max_examples=50)
@given(worlds())
def test_a_component_without_conflict_is_its_graph(world: World) -> None:
    off = msgspec.structs.replace(world.rules, limit=0, optimized=False)
    component = msgspec.structs.replace(world, rules=off).folded().graph
    apart = conflicted(component, ints(world.namespace), world.rules, world.pairs)
    found = world.folded(apart=world.pairs).graph
    assert found[~apart].tolist() == component[~apart].tolist()
