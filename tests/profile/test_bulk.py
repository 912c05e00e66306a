"""The bulk merge against the pure one: random histories of writes, links, reverts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coterie.core.clock import format_date, format_instant
from coterie.core.schema import leaves
from coterie.profile import bulk
from coterie.profile.merge import Fragment, Source, Write, merge, settle
from coterie.profile.policy import MergePolicy

from .world import PROFILE, World, root

WORDS = st.sampled_from(["a", "b", "c", "d"])
MONEY = st.integers(-999, 999).map(lambda cents: Decimal(cents) / 100)
KEYS = st.sampled_from(["x", "y", "z.z"])


def objects(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


ATTRIBUTES = objects(
    name=objects(first=WORDS, last=WORDS),
    age=st.integers(0, 99),
    since=st.integers(0, 20000).map(lambda day: format_date(day * 86_400_000)),
    score=MONEY,
    tags=st.lists(WORDS, max_size=3),
    orders=st.lists(objects(id=WORDS, total=MONEY, lines=st.lists(objects(sku=WORDS), max_size=2)), max_size=3),
    consents=st.dictionaries(KEYS, st.booleans(), max_size=2),
    prices=st.dictionaries(KEYS, st.dictionaries(KEYS, st.integers(0, 9), max_size=2), max_size=2),
    shops=st.dictionaries(
        KEYS,
        objects(
            name=WORDS,
            visits=st.lists(st.integers(0, 9), max_size=2),
            visited=st.integers().map(lambda _: format_instant(7)),
        ),
        max_size=2,
    ),
)
PAIRS = st.tuples(st.sampled_from(["CRM", "Email"]), st.sampled_from(["1", "2", "3"]))
ROW = st.tuples(st.lists(PAIRS, min_size=1, max_size=2), ATTRIBUTES)
BATCH = st.tuples(st.sampled_from(["d1", "d2"]), st.lists(ROW, min_size=1, max_size=3), st.booleans())


def expected(loads: list[tuple[int, str, list[Any], int]], stitched: bool) -> dict[tuple[str, str], dict[str, Any]]:
    """Merge purely: the profile of every primary identity, by that identity."""
    writes, group = [], {}
    for batch, dataset, rows, at in loads:
        for row, (pairs, value) in enumerate(rows):
            source = Source(dataset, *pairs[0], at)
            writes.append(Write(Fragment(source, value, (batch, row))))
            for pair in pairs:
                group.setdefault(pair, {pair})
                if stitched and group[pair] is not group[pairs[0]]:
                    group[pairs[0]] |= group[pair]
                    for member in group[pair]:
                        group[member] = group[pairs[0]]
    fragments = settle(writes)
    profiles = {}
    for fragment in fragments:
        primary = (fragment.source.namespace, fragment.source.value)
        mine = [f for f in fragments if (f.source.namespace, f.source.value) in group[primary]]
        merged = merge(mine, MergePolicy())
        assert merged is not None
        profiles[primary] = merged.attributes
    return profiles


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(BATCH, min_size=1, max_size=4))
def test_bulk_merge_says_what_the_pure_merge_says(tmp_path_factory: Any, batches: list[Any]) -> None:
    world = World(tmp_path_factory.mktemp("world"))
    try:
        loads = []
        for place, (dataset, rows, _) in enumerate(batches):
            batch = world.load(dataset, rows, 1000 + place // 2, "record")
            loads.append((batch, dataset, rows, 1000 + place // 2))
        agree(world, loads)
        for place, (_, _, reverted) in enumerate(batches):
            if reverted:
                world.revert(place + 1, 2000 + place)
        agree(world, [load for load, batch in zip(loads, batches, strict=True) if not batch[2]])
    finally:
        world.close()


def agree(world: World, loads: list[Any]) -> None:
    """Check the profiles kept so far, and then those merged anew for everybody."""
    for view, stitched in [*world.views.items(), *world.views.items()]:
        persons = dict(world.con.execute(f'SELECT identity, person FROM "person_of_{view}"').fetchall())
        stored = world.profiles(view)
        wanted = expected(loads, stitched)
        assert {pair: stored[persons[world.numbers[pair]]] for pair in wanted} == wanted
        assert set(stored) == {persons[world.numbers[pair]] for pair in wanted}
        assert bulk.refresh(world.con, view, world.leaves) == len(stored)


def test_a_person_with_events_alone_has_an_empty_profile(tmp_path: Any) -> None:
    world = World(tmp_path)
    event = {"_id": "1", "timestamp": 5, "eventType": "view"}
    world.load("web", [([("ECID", "1")], event)], 1, "event")
    assert world.profiles("default") == {0: {}}
    world.close()


def test_two_people_who_merge_have_one_profile(tmp_path: Any) -> None:
    world = World(tmp_path)
    world.load("crm", [([("CRM", "1")], {"age": 1}), ([("Email", "e")], {"name": {"first": "a"}})], 1, "record")
    assert world.profiles("default") == {0: {"age": 1}, 1: {"name": {"first": "a"}}}
    joined = world.load("web", [([("CRM", "1"), ("Email", "e")], {"_id": "1", "timestamp": 5})], 2, "event")
    assert world.profiles("default") == {0: {"age": 1, "name": {"first": "a"}}}
    assert world.profiles("unstitched") == {0: {"age": 1}, 1: {"name": {"first": "a"}}}
    world.revert(joined, 3)
    assert world.profiles("default") == {0: {"age": 1}, 1: {"name": {"first": "a"}}}
    lineage = world.con.execute('SELECT person, "into", batch, "at", kind FROM lineage_default').fetchall()
    assert lineage == [(1, 0, joined, 2, "merged"), (0, 1, joined, 3, "split")]
    world.close()


def test_a_new_attribute_gets_a_column_without_a_merge(tmp_path: Any) -> None:
    world = World(tmp_path)
    world.load("crm", [([("CRM", "1")], {"age": 1})], 1, "record")
    added = list(leaves(root({"vip": "boolean", "codes{}": "integer"})))
    world.history.ensure_leaves("record", added)
    world.leaves += added
    assert bulk.refresh(world.con, "default", world.leaves, np.empty(0, np.int32)) == 0
    assert world.profiles("default") == {0: {"age": 1}}
    world.profile = root(PROFILE | {"vip": "boolean", "codes{}": "integer"})
    world.load("crm", [([("CRM", "1")], {"vip": True, "codes": {"a": 1}})], 2, "record")
    assert world.profiles("default") == {0: {"vip": True, "codes": {"a": 1}}}
    world.close()
