"""Graphs of many records: built at once they are the fold of all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from coterie.identity import arrange, cluster, fold, graphs
from coterie.identity.fold import records_of
from coterie.identity.graphs import build

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
