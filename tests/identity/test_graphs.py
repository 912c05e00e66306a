"""Graphs of many records: built at once they are the fold of all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coterie.identity import arrange, cluster, fold, graphs
from coterie.identity.fold import records_of
from coterie.identity.graphs import Graphs, build

from .test_fold import World, ints, worlds


def whole(world: World) -> Any:
    shuffled = world.records[::-1]
    found = build(len(world.namespace), ints(world.namespace), records_of(shuffled), world.rules, world.pairs)
    return found, shuffled


@settings(max_examples=200)
@given(worlds())
def test_built_graphs_are_those_of_the_fold_of_all_records(world: World) -> None:
    found, given_records = whole(world)
    expected = world.folded(apart=world.pairs)
    assert found.graph.tolist() == expected.graph.tolist()
    links = {
        (a, b): times
        for a, b, *times in zip(*(column.tolist() for column in fields(expected.links)), strict=True)
        if found.folded[a]
    }
    assert {(a, b): t for a, b, *t in zip(*(c.tolist() for c in fields(found.links)), strict=True)} == links
    numbers = [world.records.index(record) for record in given_records]
    cuts = {
        (a, b, numbers[r], *why) for a, b, r, *why in zip(*(c.tolist() for c in fields(found.removals)), strict=True)
    }
    assert cuts == set(zip(*(column.tolist() for column in fields(expected.removals)), strict=True))
    gone = {(node, numbers[r]) for node, r in zip(*(c.tolist() for c in fields(found.evictions)), strict=True)}
    assert gone == set(zip(*(column.tolist() for column in fields(expected.evictions)), strict=True))


def fields(struct: Any) -> list[Any]:
    return [getattr(struct, name) for name in struct.__struct_fields__]


@given(worlds())
def test_the_components_are_those_of_all_links(world: World) -> None:
    found, _ = whole(world)
    pairs = [(ids[0], other) for _, ids in world.records for other in ids[1:]]
    a, b = ints(pairs).reshape(-1, 2).T
    assert found.component.tolist() == cluster.components(len(world.namespace), a, b).tolist()


def test_shares_and_compiled_loops_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    n, count = 900, 1_500
    namespace = np.sort(rng.integers(0, 3, n).astype(np.int32))
    near = rng.integers(0, n // 9, (count, 1)) + 100 * rng.integers(0, 9, (count, 2))
    sightings = [
        (int(t), sorted({int(a), int(b)})) for t, (a, b) in zip(rng.integers(0, 700, count), near, strict=True)
    ]
    terms = fold.Rules(
        ints([1, 2, 3]), np.array([True, False, False]), np.array([2, 1, 0], np.int8), limit=5, optimized=True
    )
    records = fold.usable(records_of(sightings), namespace, terms)
    apart = (ints([1, 2, 3]), ints([401, 502, 603]))
    plain = build(n, namespace, records, terms, apart)
    assert len(plain.removals.a) > 100
    monkeypatch.setattr(graphs, "_MANY", 1)
    monkeypatch.setattr(graphs.os, "cpu_count", lambda: 3)
    monkeypatch.setattr(arrange, "FEW", -1)
    shared = build(n, namespace, records, terms, apart)
    for name in plain.__struct_fields__[:3]:
        assert getattr(shared, name).tolist() == getattr(plain, name).tolist()
    for name in ("links", "removals", "evictions"):
        ours, theirs = getattr(shared, name), getattr(plain, name)
        assert sorted(zip(*fields(ours), strict=True)) == sorted(zip(*fields(theirs), strict=True))


def test_no_records_give_no_graphs() -> None:
    terms = fold.Rules(ints([1]), np.array([False]), np.array([0], np.int8), limit=50, optimized=True)
    found = build(3, ints([0, 0, 0]), records_of([]), terms)
    assert found.graph.tolist() == [0, 1, 2]
    assert len(found.links) == len(found.removals.a) == len(found.evictions.identity) == 0


def rows(links: Any) -> list[Any]:
    return sorted(zip(*(column.tolist() for column in fields(links)), strict=True))


def assert_kept(kept: Graphs, world: World, present: list[Any]) -> None:
    """Compare kept graphs with graphs built from the records there are."""
    expected = build(len(world.namespace), ints(world.namespace), records_of(present), world.rules, world.pairs)
    assert kept.component.tolist() == expected.component.tolist()
    assert kept.graph.tolist() == expected.graph.tolist()
    assert rows(kept.links) == rows(expected.links)


@settings(max_examples=150)
@given(worlds(), st.data())
def test_kept_graphs_are_those_that_are_built(world: World, data: st.DataObject) -> None:
    kept = Graphs(len(world.namespace), ints(world.namespace), world.rules, world.pairs)
    batches = (
        data.draw(st.lists(st.lists(st.sampled_from(world.records), max_size=6), max_size=5)) if world.records else []
    )
    present: dict[int, Any] = {}
    for batch in batches:
        numbers = kept.add(records_of(batch)).tolist()
        present.update(zip(numbers, batch, strict=True))
        assert_kept(kept, world, list(present.values()))
        if present and data.draw(st.booleans()):
            gone = data.draw(st.lists(st.sampled_from(sorted(present)), max_size=3, unique=True))
            kept.withdraw(np.array(gone, np.int64))
            present = {number: record for number, record in present.items() if number not in gone}
            assert_kept(kept, world, list(present.values()))


def hub(count: int) -> World:
    """One person with many browsers, and two small graphs, one of them of two persons."""
    terms = fold.Rules(ints([1, 2]), np.array([True, False]), np.array([2, 0], np.int8), limit=50, optimized=True)
    records = [(2 * t, [0, 8 + t]) for t in range(count)]
    return World([0] * 4 + [1] * (count + 4), [(1, [1, 4]), (2, [2, 4]), (3, [3, 5]), *records], terms, [])


@pytest.mark.parametrize("few", [10_000, -1], ids=["interpreted", "compiled"])
def test_work_is_done_where_something_changed(few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphs, "FEW", few)
    world = hub(1_000)
    kept = Graphs(len(world.namespace), ints(world.namespace), world.rules)
    numbers = kept.add(records_of(world.records))
    assert kept.folded == 1_002  # the graph of 3 and 5 needs no fold

    def steps(act: Any, *given: Any) -> int:
        before = kept.folded
        act(*given)
        return kept.folded - before

    newest = (9_000, [0, 6])
    assert steps(kept.add, records_of([newest])) == 1
    assert steps(kept.add, records_of([(9_001, [3, 6])])) == 2  # the record, and the one of 3 and 5
    early = (5, [0, 7])
    assert steps(kept.add, records_of([early])) > 990
    assert_kept(kept, world, [*world.records, newest, (9_001, [3, 6]), early])
    assert steps(kept.withdraw, numbers[:1]) == 0
    assert_kept(kept, world, [*world.records[1:], newest, (9_001, [3, 6]), early])
