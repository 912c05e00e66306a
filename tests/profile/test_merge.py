"""The pure merge: documented cases, operations, ties, maps and arrays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coterie import testing
from coterie.profile.merge import Fragment, Operation, Source, Write, merge, nested, path_text, paths, settle
from coterie.profile.policy import MergePolicy

CASES = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "cases" / "merge-examples.jsonl").read_text(encoding="utf-8").splitlines()
]
NEWEST = {"attributeMerge": "timestampOrdered", "order": [], "identityGraph": "none"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_documented_case(case: dict[str, Any]) -> None:
    assert testing.merge(case["policy"], case["fragments"], case["lookup"]) == case["expect"]


def write(day: int, attributes: dict[str, Any], dataset: str = "d", value: str = "1", **rest: Any) -> dict[str, Any]:
    return {
        "dataset": dataset,
        "identity": ["CRM", value],
        "links": [],
        "ingestedAt": f"2026-01-{day:02d}T00:00:00Z",
        "attributes": attributes,
    } | rest


def merged(*writes: dict[str, Any], policy: dict[str, Any] = NEWEST) -> Any:
    return testing.merge(policy, writes, ["CRM", "1"])


def test_arrays_are_one_value_and_maps_are_merged_by_key() -> None:
    old = write(1, {"tags": ["a", "b"], "prices": {"EUR": 1, "USD": 2}}, "a")
    new = write(2, {"tags": ["c"], "prices": {"EUR": 3, "GBP": 4}}, "b")
    assert merged(old, new) == {"tags": ["c"], "prices": {"EUR": 3, "USD": 2, "GBP": 4}}


def test_an_empty_array_is_a_value_and_an_empty_object_is_none() -> None:
    assert merged(write(1, {"tags": ["a"], "name": {"first": "A"}}, "a"), write(2, {"tags": [], "name": {}}, "b")) == {
        "tags": [],
        "name": {"first": "A"},
    }


def test_at_equal_times_the_later_write_wins_whatever_the_dataset() -> None:
    assert merged(write(1, {"x": 1}, "b"), write(1, {"x": 2}, "a")) == {"x": 2}
    assert merged(write(1, {"x": 2}, "a"), write(1, {"x": 1}, "b")) == {"x": 1}


def test_ties_fall_to_the_larger_dataset_and_identity() -> None:
    def fragment(dataset: str, value: str) -> Fragment:
        return Fragment(Source(dataset, "CRM", value, 5), {"x": dataset + value})

    fragments = [fragment("a", "2"), fragment("b", "1"), fragment("b", "2"), fragment("a", "1")]
    result = merge(fragments, MergePolicy())
    assert result is not None
    assert result.attributes == {"x": "b2"}
    assert [claim.value for claim in result.provenance["x"].losers] == ["b1", "a2", "a1"]


def test_operations_on_one_record() -> None:
    base = write(1, {"a": {"b": 1, "c": 2}, "tags": ["x"]})
    assert merged(base, write(2, {"a": {"b": 3}, "tags": ["y"]}, op="merge")) == {"a": {"b": 3, "c": 2}, "tags": ["y"]}
    assert merged(base, write(2, {}, op="delete")) is None
    assert merged(base, write(2, {}, op="delete"), write(3, {"z": 1}, op="merge")) == {"z": 1}
    assert merged(write(3, {"z": 1}), base) == {"z": 1}


def test_an_append_puts_arrays_behind_those_that_stand() -> None:
    base = write(1, {"a": 1, "tags": ["x"], "shops": {"s": {"visits": [1]}}})
    more = write(2, {"a": 2, "tags": ["y", "x"], "shops": {"s": {"visits": [2]}, "t": {"visits": [3]}}}, op="append")
    assert merged(base, more) == {
        "a": 2,
        "tags": ["x", "y", "x"],
        "shops": {"s": {"visits": [1, 2]}, "t": {"visits": [3]}},
    }
    assert merged(more) == more["attributes"]
    assert merged(base, more, write(3, {"tags": ["z"]}, op="merge"), write(4, {"tags": []}, op="append"))["tags"] == [
        "z"
    ]
    assert merged(base, write(2, {}, op="delete"), write(3, {"tags": ["y"]}, op="append")) == {"tags": ["y"]}
    assert merged(base, write(2, {"tags": 5}, op="append"))["tags"] == 5


def test_arrays_are_appended_to_within_one_record_only() -> None:
    assert merged(write(1, {"tags": ["x"]}, "a"), write(2, {"tags": ["y"]}, "b", op="append")) == {"tags": ["y"]}


def test_an_array_says_of_how_many_writes_it_is_made() -> None:
    def wrote(at: int, operation: Operation, *unset: str, **attributes: Any) -> Write:
        return Write(Fragment(Source("d", "CRM", "1", at), attributes), operation, unset=unset)

    def made(*writes: Write) -> tuple[Any, int]:
        result = merge(settle(writes), MergePolicy())
        assert result is not None
        return result.attributes["tags"], result.provenance["tags"].writes

    append, first = Operation.APPEND, wrote(1, Operation.CREATE, tags=["x"])
    both = (first, wrote(2, append, tags=["y"]), wrote(3, append, tags=["z"]))
    assert made(*both) == (["x", "y", "z"], 3)
    assert made(*both, wrote(4, Operation.MERGE, age=5)) == (["x", "y", "z"], 3)
    assert made(*both, wrote(4, Operation.MERGE, tags=["n"])) == (["n"], 1)
    assert made(*both, wrote(4, append, "tags", tags=["n"])) == (["n"], 1)
    assert made(first, wrote(2, Operation.MERGE, "tags"), *both[2:]) == (["z"], 1)


def test_a_partial_update_makes_the_whole_fragment_newer() -> None:
    crm, shop = write(1, {"city": "Lyon"}, "crm"), write(2, {"city": "Nice"}, "shop")
    assert merged(crm, shop, write(3, {"phone": "5"}, "crm", op="merge")) == {"city": "Lyon", "phone": "5"}


def test_precedence_within_one_dataset_is_newest_first() -> None:
    policy = {"attributeMerge": "dataSetPrecedence", "order": ["a", "b"], "identityGraph": "pdg"}
    linked = {"links": [["CRM", "1"]]}
    found = merged(
        write(1, {"x": 1, "y": 1}, "a"),
        write(2, {"x": 2}, "a", value="2", **linked),
        write(3, {"x": 3, "y": 3, "z": 3}, "b"),
        write(4, {"w": 4}, "c"),
        policy=policy,
    )
    assert found == {"x": 2, "y": 1, "z": 3}


def test_an_object_where_another_has_a_value_loses_or_wins_as_a_whole() -> None:
    assert merged(write(1, {"a": {"b": 1}}, "x"), write(2, {"a": 5}, "y")) == {"a": 5}
    assert merged(write(1, {"a": 5}, "x"), write(2, {"a": {"b": 1}}, "y")) == {"a": {"b": 1}}


def test_paths_are_told_apart() -> None:
    assert path_text(("prices", "EUR")) == "prices.EUR"
    assert path_text(("prices", "a.b", "c")) == 'prices["a.b"].c'
    assert path_text(("prices", "")) == 'prices[""]'


VALUES = st.recursive(
    st.integers() | st.text(max_size=2) | st.lists(st.integers(), max_size=2),
    lambda inner: st.dictionaries(st.text(max_size=2), inner, min_size=1, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(max_size=2), VALUES, max_size=4)


@given(OBJECTS)
def test_paths_and_nested_are_inverse(value: dict[str, Any]) -> None:
    assert nested(dict(paths(value))) == value


@given(st.lists(OBJECTS, min_size=1, max_size=4), st.randoms())
def test_order_of_the_list_does_not_matter_and_every_value_is_accounted_for(objects: list[Any], random: Any) -> None:
    fragments = [Fragment(Source(f"d{n}", "CRM", "1", n % 2), value, (n,)) for n, value in enumerate(objects)]
    result = merge(fragments, MergePolicy())
    random.shuffle(fragments)
    assert merge(fragments, MergePolicy()) == result
    assert result is not None
    assert {path_text(path) for path, _ in paths(result.attributes)} == set(result.provenance)
    claims = sum(1 + len(attribute.losers) for attribute in result.provenance.values())
    assert claims == sum(len(list(paths(value))) for value in objects)
