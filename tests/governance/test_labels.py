"""Labels: words on fields, and how they reach what reads a field."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from coterie.core.errors import Invalid
from coterie.core.schema import Field, FieldType, Schema, SchemaClass, evolution_faults, read_fields, union_of
from coterie.governance import labels

FIELDS = read_fields(
    {
        "email": {"type": "string", "labels": ["I1", "C2"]},
        "home": {
            "type": "object",
            "labels": ["S2"],
            "properties": {"city": "string", "point": {"type": "string", "labels": ["S1"]}},
        },
        "orders[].sku": {"type": "string", "labels": ["C9"]},
        "orders[].price": "number",
        "plain": "string",
    },
    "test",
)
ROOT = Field(FieldType.OBJECT, properties=FIELDS)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("email", {"I1", "C2"}),
        ("home.city", {"S2"}),
        ("home.point", {"S1", "S2"}),
        ("home", {"S1", "S2"}),
        ("orders", {"C9"}),
        ("orders.sku", {"C9"}),
        ("orders.price", set()),
        ("plain", set()),
        ("absent", set()),
        ("", set()),
    ],
)
def test_a_field_has_the_labels_around_it_and_below_it(path, expected):
    assert labels.of_field(ROOT, path) == expected


def test_what_is_not_named_of_an_array_is_not_read():
    assert labels.of_fields(ROOT, {"orders", "orders.price"}) == set()
    assert labels.of_fields(ROOT, {"orders", "email"}) == {"C9", "I1", "C2"}


def test_the_union_has_the_labels_of_every_schema():
    def schema(name, *words):
        fields = read_fields({"a.b": {"type": "string", "labels": list(words)}}, name)
        return Schema(name, SchemaClass.PROFILE, fields)

    for schemas in (
        [schema("one", "C2"), schema("two", "I1", "C2"), schema("three")],
        [schema("three"), schema("one", "C2"), schema("two", "I1", "C2")],
    ):
        assert labels.of_field(union_of(schemas).profile, "a.b") == {"C2", "I1"}


def test_labels_may_change_freely():
    changed = read_fields({"email": {"type": "string", "labels": ["C9"]}}, "test")
    assert evolution_faults({"email": FIELDS["email"]}, changed) == []


@pytest.mark.parametrize("word", ["", " ", "a\nb", "-x", "x" * 65])
def test_what_is_no_word_is_refused(word):
    with pytest.raises(Invalid) as caught:
        labels.all_of(read_fields({"a[].b": {"type": "string", "labels": [word]}}, "test"), "schema x")
    assert (caught.value.code, "field a" in caught.value.message) == ("label.word", True)


def test_known_labels_come_first_in_their_order():
    assert labels.in_order(["zeta", "C10", "I1", "C2", "alpha", "C2"]) == ("C2", "C10", "I1", "alpha", "zeta")


def test_the_guide_has_every_known_label():
    guide = (Path(__file__).parents[2] / "docs" / "consent-and-retention.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([A-Z]+[0-9]*)` \| (.*) \|$", guide, re.MULTILINE)
    assert dict(rows) == labels.DOCUMENTED
