"""The bulk merge against the pure one: random histories of writes, links, reverts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coterie.core.clock import format_date, format_instant
from coterie.core.schema import leaves
from coterie.identity.past import Moment
from coterie.ingest.operation import NUMBERS
from coterie.profile import bulk
from coterie.profile.fragments import APPEND, DELETE, MERGE
from coterie.profile.merge import Fragment, Source, Write, merge, settle
from coterie.profile.policy import STITCHED, VIEWS, AttributeMerge, IdentityGraph, MergePolicy, View
from coterie.profile.writes import writes

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
UNSET = st.lists(st.sampled_from(["age", "name", "name.first", "tags", "orders", "consents", "shops"]), max_size=2)
OPERATION: st.SearchStrategy[Any] = st.one_of(
    st.just((None, [])),
    st.tuples(st.just(MERGE), UNSET),
    st.tuples(st.just(APPEND), UNSET),
    st.tuples(st.just(APPEND), st.just([])),
    st.just((DELETE, [])),
)
ROW = st.tuples(st.lists(PAIRS, min_size=1, max_size=2), ATTRIBUTES, OPERATION, st.integers(0, 3))
BATCH = st.tuples(
    st.sampled_from(["d1", "d2", "dated", "clicks"]), st.lists(ROW, min_size=1, max_size=4), st.booleans()
)
PRECEDENCE, NONE = AttributeMerge.DATASET_PRECEDENCE, IdentityGraph.NONE
POLICIES = (
    *VIEWS,
    View("d2_first", MergePolicy(PRECEDENCE, order=("d2", "never_loaded", "dated", "d1"))),
    View("d1_only", MergePolicy(PRECEDENCE, NONE, ("d1",), event_datasets=())),
    View("no_clicks", MergePolicy(event_datasets=("visits",))),
)
OPERATIONS = {number: operation for operation, number in NUMBERS.items()}
Load = tuple[int, str, list[Any], int]


def expected(loads: list[Load], view: View) -> dict[tuple[str, str], dict[str, Any]]:
    """Merge purely: the profile of every primary identity that has one, by that identity."""
    writes: list[Write] = []
    group: dict[Any, set[Any]] = {}
    happened: set[Any] = set()
    for batch, dataset, rows, at in loads:
        for row, (pairs, value, (operation, unset), time) in enumerate(rows):
            if dataset == "clicks":
                happened.add(pairs[0])
            else:
                dated = {"seen": format_instant(time)} if dataset == "dated" else {}
                fragment = Fragment(Source(dataset, *pairs[0], at), value | dated, (batch, row))
                writes.append(Write(fragment, OPERATIONS[operation], time if dated else None, tuple(unset)))
            for pair in pairs:
                group.setdefault(pair, {pair})
                if view.stitched and group[pair] is not group[pairs[0]]:
                    group[pairs[0]] |= group[pair]
                    for member in group[pair]:
                        group[member] = group[pairs[0]]
    fragments = settle(writes)
    seen = happened if view.policy.event_datasets is None else set()
    profiles = {}
    for primary in group:
        mine = [f for f in fragments if (f.source.namespace, f.source.value) in group[primary]]
        merged = merge(mine, view.policy)
        if merged is not None or seen & group[primary]:
            profiles[primary] = merged.attributes if merged else {}
    return profiles


def load(world: World, dataset: str, rows: list[Any], at: int) -> int:
    if dataset == "clicks":
        number = world.batches
        events = [(pairs, {"_id": f"{number}-{row}", "timestamp": 5}) for row, (pairs, *_) in enumerate(rows)]
        return world.load(dataset, events, at, "event")
    records = [
        (pairs, value | ({"seen": format_instant(time)} if dataset == "dated" else {}))
        for pairs, value, _, time in rows
    ]
    return world.load(dataset, records, at, "record", [operation for _, _, operation, _ in rows])


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(BATCH, min_size=1, max_size=4))
def test_bulk_merge_says_what_the_pure_merge_says(tmp_path_factory: Any, batches: list[Any]) -> None:
    world = World(tmp_path_factory.mktemp("world"), views=POLICIES)
    world.con.execute("INSERT INTO dataset_order VALUES ($1, 'seen')", [world.history.number("dataset", "dated")])
    try:
        loads = []
        for place, (dataset, rows, _) in enumerate(batches):
            loads.append((load(world, dataset, rows, 1000 + place // 2), dataset, rows, 1000 + place // 2))
        for view in world.views:
            agree(world, view, loads)
        for place, (_, _, reverted) in enumerate(batches):
            if reverted:
                world.revert(place + 1, 2000 + place)
        left = [load for load, batch in zip(loads, batches, strict=True) if not batch[2]]
        for view in world.views:
            count = agree(world, view, left)
            assert bulk.refresh(world.con, view, world.leaves) == count
            agree(world, view, left)
    finally:
        world.close()


def agree(world: World, view: View, loads: list[Load]) -> int:
    """Check the stored profiles of a view; return how many there are."""
    persons = dict(world.con.execute(f'SELECT identity, person FROM "person_of_{view.name}"').fetchall())
    stored = world.profiles(view.name)
    wanted = expected(loads, view)
    assert {pair: stored[persons[world.numbers[pair]]] for pair in wanted} == wanted
    assert set(stored) == {persons[world.numbers[pair]] for pair in wanted}
    return len(stored)


def test_a_person_with_events_alone_has_an_empty_profile(tmp_path: Any) -> None:
    world = World(tmp_path)
    event = {"_id": "1", "timestamp": 5, "eventType": "view"}
    world.load("web", [([("ECID", "1")], event)], 1, "event")
    assert world.profiles("default") == {0: {}}
    world.close()


def test_fields_may_be_called_as_the_columns_of_statements(tmp_path: Any) -> None:
    names = ("identity", "w0", "w1", "number", "since", "last", "live", "whose", "claim", "f", "r", "w", "b")
    world = World(tmp_path, dict.fromkeys(names, "string"))
    value = {name: name for name in names}
    world.load("crm", [([("CRM", "1")], value), ([("CRM", "2")], value)], 1, "record")
    assert world.profiles("default") == {0: value, 1: value}
    world.load("crm", [([("CRM", "1")], {"w0": "new"})], 2, "record", [(MERGE, ["identity", "f"])])
    kept = {name: item for name, item in value.items() if name not in ("identity", "f")}
    assert world.profiles("default") == {0: kept | {"w0": "new"}, 1: value}
    world.load("crm", [([("CRM", "1")], {"w1": "new"})], 3, "record", [(APPEND, ["last"])])
    del kept["last"]
    assert world.profiles("default") == {0: kept | {"w0": "new", "w1": "new"}, 1: value}
    world.close()


HISTORY = st.lists(st.tuples(ATTRIBUTES, OPERATION), min_size=2, max_size=6)


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(HISTORY, min_size=15, max_size=15))
def test_arrays_grow_as_in_the_pure_merge(tmp_path_factory: Any, histories: list[Any]) -> None:
    world = World(tmp_path_factory.mktemp("world"), views=[STITCHED])
    rows = [([("CRM", str(n))], *one, 0) for n, history in enumerate(histories) for one in history]
    agree(world, STITCHED, [(load(world, "d1", rows, 1), "d1", rows, 1)])
    world.close()


def test_items_appended_without_a_field_have_none(tmp_path: Any) -> None:
    fields = dict.fromkeys(("w0.rank[].f0", "w0.rank[].length", "p[]", "s0[]"), "string")
    world = World(tmp_path, fields)
    row, columns = [([("CRM", "1")], {"p": ["a"]})], ("w0.rank.f0", "w0.rank.length")
    batches = [world.load("crm", row, at, "record", [(APPEND, [])]) for at in (1, 2, 3)]
    for batch, column in zip(batches, (*columns, columns[0]), strict=True):
        world.con.execute(f'UPDATE record SET "{column}" = [\'{batch}\', NULL] WHERE "$batch" = {batch}')
    bulk.refresh(world.con, STITCHED, world.leaves)
    rank = [{"f0": "1"}, {}, {"length": "2"}, {}, {"f0": "3"}, {}]
    assert world.profiles("default") == {0: {"w0": {"rank": rank}, "p": ["a", "a", "a"]}}
    assert world.con.execute('SELECT "s0" FROM "profile_default"').fetchall() == [(None,)]
    found = merge(settle(writes(world.con, [0], world.leaves, Moment())), STITCHED.policy)
    assert found is not None
    assert found.attributes == world.profiles("default")[0]
    known = world.con.execute(bulk.known_at(world.con, STITCHED, world.leaves[-2:], 3)).fetchall()
    assert known == [(0, ["a", "a"], None)]
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
    assert bulk.refresh(world.con, STITCHED, world.leaves, np.empty(0, np.int32)) == 0
    assert world.profiles("default") == {0: {"age": 1}}
    world.profile = root(PROFILE | {"vip": "boolean", "codes{}": "integer"})
    world.load("crm", [([("CRM", "1")], {"vip": True, "codes": {"a": 1}})], 2, "record")
    assert world.profiles("default") == {0: {"vip": True, "codes": {"a": 1}}}
    world.close()
