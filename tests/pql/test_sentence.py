"""Sentences: what rules read like, and that every rule reads like something."""

from __future__ import annotations

import pytest

from coterie.core.schema import Field, FieldType, Union, read_fields, union_of
from coterie.pql import parse
from coterie.pql.sentence import sentence
from coterie.testing import SAMPLE

from .cases import QUERIES, cases

SENTENCES = cases("sentences")


@pytest.mark.parametrize("row", SENTENCES, ids=lambda row: row["pql"][:60])
def test_reading(row: dict[str, str]) -> None:
    assert sentence(parse(row["pql"]), SAMPLE) == row["sentence"]


@pytest.mark.parametrize("union", [SAMPLE, union_of([])], ids=["known fields", "unknown fields"])
def test_every_rule_has_a_sentence(union: Union) -> None:
    queries = {**QUERIES, **{row["id"]: row["pql"] for row in cases("more-semantics")}}
    found = {id_: sentence(parse(pql), union) for id_, pql in queries.items()}
    assert len(found) > 900
    odd = {id_: text for id_, text in found.items() if not text.endswith(".") or len(text) < 9 or "  " in text}
    assert odd == {}


def test_titles_are_the_names_of_fields() -> None:
    fields = read_fields(
        {
            "loyalty.tier": {"type": "string", "title": "Loyalty tier"},
            "loyalty.pts": {"type": "integer", "title": "Points"},
            "crm.id": {"type": "string", "title": "CRM number"},
        },
        "test",
    )
    union = Union(Field(FieldType.OBJECT, properties=fields), SAMPLE.event)
    assert sentence(parse('loyalty.tier = "gold" and loyalty.pts > 5 and crm.id.isNull()'), union) == (
        "People whose loyalty tier is “gold”, whose points are more than 5 and whose CRM number is missing."
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('loyalty.tier != "gold"', 'not (loyalty.tier = "gold")'),
        ("xEvent[timestamp occurs < 3 days before now]", "xEvent[timestamp occurs <= 3 days before now]"),
        (
            'loyalty.points > 1 or loyalty.points > 2 and loyalty.tier = "a"',
            '(loyalty.points > 1 or loyalty.points > 2) and loyalty.tier = "a"',
        ),
        ('orders[status = "a" and total > 1]', 'orders[status = "a"] and orders[total > 1]'),
    ],
)
def test_different_rules_read_differently(one: str, other: str) -> None:
    assert sentence(parse(one), SAMPLE) != sentence(parse(other), SAMPLE)


def test_deep_nesting() -> None:
    rule = f"{'(' * 40}loyalty.points > 1{' and true)' * 40}"
    assert sentence(parse(rule), SAMPLE).startswith("People whose loyalty points are more than 1")
    assert len(sentence(parse("not " * 41 + "loyalty.points"), SAMPLE)) < 60
