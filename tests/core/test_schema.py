"""Fields, leaves, the union of schemas and their evolution."""

import msgspec
import pytest

from coterie.core.errors import Invalid
from coterie.core.schema import (
    Field,
    FieldType,
    Schema,
    SchemaClass,
    evolution_faults,
    leaves,
    lookup,
    merge_fields,
    read_fields,
    union_of,
)


def paths(fields):
    return {leaf.path: leaf.depth for leaf in leaves(Field(FieldType.OBJECT, properties=fields))}


def test_arrays_and_maps_add_a_list_level_to_the_leaves_below():
    fields = read_fields(
        {
            "loyalty.points": "integer",
            "orders[].items[].sku": "string",
            "tags[]": "string",
            "subscriptions{}.val": "string",
            "scores{}": "number",
        },
        "schema t",
    )
    assert paths(fields) == {
        "loyalty.points": 0,
        "orders.items.sku": 2,
        "tags": 1,
        "subscriptions.$key": 1,
        "subscriptions.val": 1,
        "scores.$key": 1,
        "scores.$value": 1,
    }


def test_shorthand_and_long_form_give_the_same_fields():
    short = read_fields({"cart.lines[].price": {"type": "number", "decimals": 2}}, "schema t")
    long = read_fields(
        {
            "cart": {
                "type": "object",
                "properties": {
                    "lines": {
                        "type": "array",
                        "items": {"type": "object", "properties": {"price": {"type": "number", "decimals": 2}}},
                    }
                },
            }
        },
        "schema t",
    )
    assert short == long


def test_fields_survive_their_json_form():
    fields = read_fields({"a.b[]": {"type": "string", "enum": ["x"], "max_length": 3}, "c{}": "integer"}, "schema t")
    schema = Schema("t", SchemaClass.PROFILE, fields)
    assert msgspec.json.decode(msgspec.json.encode(schema), type=Schema) == schema


@pytest.mark.parametrize(
    ("spec", "names"),
    [
        ({"a": "strnig"}, "string"),
        ({"a": {"type": "string", "decimals": 2}}, "decimals"),
        ({"a": {"type": "number", "decimals": 12}}, "between 0 and 9"),
        ({"a": {"type": "array"}}, "items"),
        ({"a": {"type": "object"}}, "properties"),
        ({"a b": "string"}, "blanks"),
        ({"a": {"title": "no type"}}, "type"),
        ({"a": "string", "a.b": "string"}, "items|properties"),
        ({"a": 5}, "mapping"),
    ],
)
def test_a_bad_field_is_refused_and_named(spec, names):
    with pytest.raises(Invalid, match=names) as caught:
        read_fields(spec, "schema t")
    assert caught.value.code == "schema.field"
    assert "schema t" in caught.value.message or caught.value.where["field"].startswith("a")


def test_a_path_has_one_type_across_schemas():
    left = read_fields({"loyalty.points": "integer"}, "schema a")
    with pytest.raises(Invalid, match=r"loyalty\.points is integer elsewhere and string here"):
        merge_fields(left, read_fields({"loyalty.points": "string"}, "schema b"), "schema b")
    with pytest.raises(Invalid, match="only by letter case"):
        merge_fields(left, read_fields({"Loyalty.points": "integer"}, "schema b"), "schema b")


def test_the_union_holds_each_class_apart_and_the_system_fields():
    union = union_of(
        [
            Schema("p", SchemaClass.PROFILE, read_fields({"tier": "string"}, "p")),
            Schema("e", SchemaClass.EVENT, read_fields({"search.query": "string"}, "e")),
        ]
    )
    assert lookup(union.profile, "tier") == Field(FieldType.STRING)
    assert lookup(union.event, "search.query") == Field(FieldType.STRING)
    assert lookup(union.event, "tier") is None
    assert lookup(union.event, "timestamp").type is FieldType.DATETIME
    assert lookup(union.profile, "identityMap.id").type is FieldType.STRING


@pytest.mark.parametrize(
    ("after", "fault"),
    [
        ({"a": "string", "n": "integer", "new": "string"}, None),
        ({"a": {"type": "string", "title": "A"}, "n": "integer"}, None),
        ({"a": "string"}, "n is gone"),
        ({"a": "string", "n": "number"}, "n was integer and would be number"),
        ({"a": {"type": "string", "enum": ["x"]}, "n": "integer"}, "a would allow fewer values"),
        ({"a": {"type": "string", "max_length": 5}, "n": "integer"}, "a would have a narrower max_length"),
        ({"a": "string", "n": {"type": "integer", "minimum": 0}}, "n would have a narrower minimum"),
    ],
)
def test_evolution_only_adds(after, fault):
    before = read_fields({"a": "string", "n": "integer"}, "t")
    faults = evolution_faults(before, read_fields(after, "t"))
    assert faults == ([fault] if fault else [])


def test_widening_a_bound_is_additive():
    before = read_fields({"a": {"type": "string", "max_length": 5, "enum": ["x"]}}, "t")
    assert evolution_faults(before, read_fields({"a": {"type": "string", "max_length": 9}}, "t")) == []
    assert evolution_faults(before, read_fields({"a": {"type": "string", "max_length": 4}}, "t")) != []
