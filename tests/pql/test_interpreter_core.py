"""Rules in canonical form mean what they meant as written."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import assert_never

import pytest

from coterie.core.clock import parse_instant
from coterie.core.schema import Field, FieldType, Union
from coterie.pql import parse
from coterie.pql.conditions import And, Constant, Leaf, Not, Or, Rule
from coterie.pql.interpreter import Object, holds, read_profile
from coterie.pql.normal import normalise
from coterie.testing import SAMPLE

from .cases import FOLDER

NOW = parse_instant("2026-06-15T12:00:00Z")
ROWS = [
    json.loads(line, parse_float=Decimal)
    for name in ("pql-semantics", "more-semantics")
    for line in (FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
]


def folded(rule: Rule, person: Object, at: int, union: Union) -> bool:
    """Whether a rule holds, by what the interpreter says of its conditions."""
    match rule:
        case Constant(value):
            return value
        case Leaf(condition):
            return holds(condition.expr, person, at, union)
        case Not(operand):
            return not folded(operand, person, at, union)
        case And(operands):
            return all(folded(operand, person, at, union) for operand in operands)
        case Or(operands):
            return any(folded(operand, person, at, union) for operand in operands)
        case _:
            assert_never(rule)


@pytest.mark.parametrize("row", ROWS, ids=[row["id"] for row in ROWS])
def test_the_conditions_of_a_case_give_its_members(row):
    at, rule = parse_instant(row["now"]), normalise(parse(row["pql"]), SAMPLE)
    people = {profile["id"]: read_profile(profile, SAMPLE) for profile in row["profiles"]}
    assert {name for name, person in people.items() if folded(rule, person, at, SAMPLE)} == set(row["expect"])


_ITEM = Field(FieldType.OBJECT, properties={"value": Field(FieldType.INTEGER)})
_EVENT = Field(
    FieldType.OBJECT, properties={**SAMPLE.event.properties, "now": _ITEM, "today": Field(FieldType.INTEGER)}
)
CLASHING = Union(SAMPLE.profile, _EVENT)


@pytest.mark.parametrize(
    "rule",
    [
        'homeAddress.city.notEqualTo([], false)',
        'homeAddress.city.doesNotContain([], false)',
        'not homeAddress.city.equals([], false)',
        'homeAddress.city.notEqualTo([])',
        'stringCompare("notEqualTo", homeAddress.city, [], false)',
        "xEvent.now.value > 3",
        "xEvent.today = 2",
        "exists A from xEvent.now, B from xEvent.now where A != B and A.value = B.value",
        "xEvent.now.value.includes(loyalty.points)",
        "xEvent.now.forall(value < 9)",
    ],
)  # fmt: skip
@pytest.mark.parametrize("city", [None, "", "Lyon"])
@pytest.mark.parametrize("values", [(), (1,), (4, 4), (9, 1)])
def test_conditions_mean_what_was_written(rule, city, values):
    events = [
        {"_id": str(place), "timestamp": NOW, "now": {"value": value}, "today": place}
        for place, value in enumerate(values)
    ]
    person = read_profile({"homeAddress": {"city": city}, "loyalty": {"points": 4}, "events": events}, CLASHING)
    expected = holds(parse(rule), person, NOW, CLASHING)
    assert folded(normalise(parse(rule), CLASHING), person, NOW, CLASHING) is expected
