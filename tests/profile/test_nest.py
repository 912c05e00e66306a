"""Rows of flat columns and the objects they stand for."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from coterie.core.schema import Field, FieldType, leaves, read_fields
from coterie.profile.nest import Shape

SPEC: dict[str, Any] = {
    "a": "string",
    "b.c": "integer",
    "b.d.e": "boolean",
    "tags[]": "string",
    "grid[][]": "integer",
    "items[].sku": "string",
    "items[].at": "date-time",
    "items[].sizes[]": "integer",
    "items[].meta{}": "string",
    "m{}": "integer",
    "mm{}{}": "integer",
    "mo{}.x": "string",
    "mo{}.ys[]": "integer",
    "ml{}[].z": "integer",
    "am[]{}": "string",
}
SHAPE = Shape(leaves(Field(FieldType.OBJECT, properties=read_fields(SPEC, "test"))))

WORDS, INTS, KEYS = st.sampled_from("abc"), st.integers(0, 9), st.sampled_from(["k", "l.m", ""])


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


def filled(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return some(**fields).filter(bool)


def maps(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(KEYS, values, min_size=1, max_size=2)


OBJECTS = some(
    a=WORDS,
    b=filled(c=INTS, d=filled(e=st.booleans())),
    tags=st.lists(WORDS, max_size=2),
    grid=st.lists(st.lists(INTS, max_size=2), max_size=2),
    items=st.lists(
        some(sku=WORDS, at=st.just("2026-01-02T03:04:05Z"), sizes=st.lists(INTS, max_size=2), meta=maps(WORDS)),
        max_size=3,
    ),
    m=maps(INTS),
    mm=maps(maps(INTS)),
    mo=maps(filled(x=WORDS, ys=st.lists(INTS, max_size=2))),
    ml=maps(st.lists(some(z=INTS), max_size=2)),
    am=st.lists(maps(WORDS), max_size=2),
)


@given(OBJECTS)
def test_what_is_flattened_nests_to_what_it_was(value: dict[str, Any]) -> None:
    row = SHAPE.flatten(value)
    assert set(row) == {leaf.path for leaf in SHAPE.leaves}
    assert SHAPE.nest(row) == value


def test_columns_are_parallel_lists() -> None:
    row = SHAPE.flatten({"items": [{"sku": "a", "sizes": [1]}, {"meta": {"k": "v"}}]})
    assert row["items.sku"] == ["a", None]
    assert row["items.sizes"] == [[1], None]
    assert row["items.meta.$key"] == [None, ["k"]]
    assert row["items.meta.$value"] == [None, ["v"]]
    assert row["tags"] is None


def test_a_column_that_came_later_is_absent_in_older_rows() -> None:
    assert SHAPE.nest({"items.sku": ["a", "b"], "items.at": None}) == {"items": [{"sku": "a"}, {"sku": "b"}]}
    assert SHAPE.nest({"mo.$key": ["k"], "mo.x": ["v"]}) == {"mo": {"k": {"x": "v"}}}
