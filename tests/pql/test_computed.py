"""Computed attributes in rules: a name means its expression, wherever it stands."""

from __future__ import annotations

import pytest

from coterie.core.clock import parse_instant
from coterie.core.errors import Invalid, Unsupported
from coterie.core.schema import COMPUTED, Field, FieldType, Union
from coterie.pql import check, interpreter, parse
from coterie.pql.expansion import closure
from coterie.pql.normal import normalise
from coterie.pql.sentence import sentence
from coterie.testing.sample import SAMPLE

NOW = parse_instant("2026-06-15T12:00:00Z")
DEFINITIONS = {
    "events": (FieldType.INTEGER, "xEvent.count()"),
    "spend": (FieldType.NUMBER, 'xEvent[eventType = "buy"].sum(commerce.order.priceTotal)'),
    "mean": (FieldType.NUMBER, "computedAttributes.spend / computedAttributes.events"),
    "last": (FieldType.STRING, "xEvent[eventType.isNotNull()].topN(timestamp, 1).head().eventType"),
    "monthly": (FieldType.INTEGER, "xEvent[timestamp occurs this month].count()"),
    "vip": (FieldType.BOOLEAN, 'loyalty.tier = "gold"'),
}


def with_computed(definitions: dict[str, tuple[FieldType, str]]) -> Union:
    fields = {name: Field(type_) for name, (type_, _) in definitions.items()}
    profile = {**SAMPLE.profile.properties, COMPUTED: Field(FieldType.OBJECT, properties=fields)}
    texts = {name: text for name, (_, text) in definitions.items()}
    return Union(Field(FieldType.OBJECT, properties=profile), SAMPLE.event, texts)


UNION = with_computed(DEFINITIONS)
SPEND = DEFINITIONS["spend"][1]

WRITTEN_OUT = {
    "computedAttributes.events >= 2": "xEvent.count() >= 2",
    "$1.computedAttributes.events >= 2": "xEvent.count() >= 2",
    "(P) => P.computedAttributes.events >= 2": "xEvent.count() >= 2",
    "let C = computedAttributes in C.events >= 2": "xEvent.count() >= 2",
    "computedAttributes.mean > 3": f"{SPEND} / xEvent.count() > 3",
    "not (computedAttributes.spend > 3)": f"not ({SPEND} > 3)",
    "computedAttributes.spend.isNotNull()": f"({SPEND}).isNotNull()",
    "computedAttributes.vip": 'loyalty.tier = "gold"',
    "computedAttributes.vip = true": '(loyalty.tier = "gold") = true',
    "if(computedAttributes.vip, 1, 2) = 1": 'if(loyalty.tier = "gold", 1, 2) = 1',
    'computedAttributes.last in ["buy", "view"]': f'{DEFINITIONS["last"][1]} in ["buy", "view"]',
    "orders[total > ^.computedAttributes.spend].count() > 0": f"orders[total > $1.{SPEND}].count() > 0",
    "orders[items[price > ^^computedAttributes.spend]]": f"orders[items[price > $1.{SPEND}]]",
    "exists O from orders where O.total > computedAttributes.spend": f"exists O from orders where O.total > {SPEND}",
    "xEvent[eventType = ^.computedAttributes.last].count() > 1": (
        f"xEvent[eventType = $1.{DEFINITIONS['last'][1]}].count() > 1"
    ),
    "orders.map(total + $1.computedAttributes.spend).max() > 9": f"orders.map(total + $1.{SPEND}).max() > 9",
    'chain(xEvent, timestamp, [A: WHAT(eventType = "view"), B: WHAT(eventType = $1.computedAttributes.last)])': (
        f'chain(xEvent, timestamp, [A: WHAT(eventType = "view"), B: WHAT(eventType = $1.{DEFINITIONS["last"][1]})])'
    ),
    "computedAttributes.monthly > 1": "xEvent[timestamp occurs this month].count() > 1",
}

ANNA = {
    "id": "a",
    "loyalty": {"tier": "gold"},
    "orders": [{"total": 7, "items": [{"price": 9}]}, {"total": 1}],
    "events": [
        {"_id": "1", "timestamp": "2026-06-01T00:30:00Z", "eventType": "view"},
        {"_id": "2", "timestamp": "2026-06-11T00:00:00Z", "eventType": "buy", "commerce": {"order": {"priceTotal": 6}}},
        {"_id": "3", "timestamp": "2026-06-12T00:00:00Z", "eventType": "view"},
    ],
}


@pytest.mark.parametrize("rule", WRITTEN_OUT)
@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
def test_a_rule_is_the_one_with_the_expressions_written_out(rule, zone):
    checked = check(rule, UNION)
    assert checked.ok, checked.problems
    written = parse(WRITTEN_OUT[rule])
    assert normalise(checked.require(), UNION, zone) == normalise(written, UNION, zone)
    for person in (ANNA, {"id": "b"}):
        held = interpreter.holds(written, person, NOW, UNION, zone=zone)
        assert interpreter.holds(checked.require(), person, NOW, UNION, zone=zone) == held


def test_values_are_those_of_the_calendar_of_the_rule():
    monthly = parse("computedAttributes.monthly")
    assert interpreter.value(monthly, ANNA, NOW, UNION) == 3
    assert interpreter.value(monthly, ANNA, NOW, UNION, zone="America/New_York") == 2  # the first is still in May
    assert interpreter.value(parse("computedAttributes"), {"id": "b"}, NOW, UNION) == {
        "events": 0,
        "spend": 0,
        "mean": None,
        "last": None,
        "monthly": 0,
        "vip": False,
    }


def test_time_alone_changes_what_is_computed():
    rule = parse("computedAttributes.monthly > 0")
    assert interpreter.next_change(rule, ANNA, NOW, UNION) == parse_instant("2026-07-01")


def test_unknown_names_are_suggested():
    (problem,) = check("computedAttributes.event > 3", UNION).problems
    assert (problem.code, problem.suggestion) == ("pql.unknown-field", "events")
    (problem,) = check("computedAttributes.last > 3", UNION).problems
    assert problem.code == "pql.type"


def test_what_reads_itself_is_refused():
    circle = with_computed(
        {
            "a": (FieldType.INTEGER, "computedAttributes.b + 1"),
            "b": (FieldType.INTEGER, "computedAttributes.a + 1"),
        }
    )
    rule = parse("computedAttributes.a > 1")
    with pytest.raises(Invalid, match="a → b → a"):
        normalise(rule, circle)
    with pytest.raises(Invalid, match="a → b → a"):
        interpreter.holds(rule, ANNA, NOW, circle)


def test_a_rule_that_becomes_too_long_is_refused():
    doubling = {
        f"n{place}": f"computedAttributes.n{place - 1} + computedAttributes.n{place - 1}" for place in range(1, 20)
    }
    definitions = {name: (FieldType.INTEGER, text) for name, text in {"n0": "loyalty.points", **doubling}.items()}
    with pytest.raises(Unsupported, match="so long"):
        normalise(parse("computedAttributes.n19 > 1"), with_computed(definitions))


def test_all_of_them_at_once_are_no_value():
    with pytest.raises(Unsupported, match="as a whole") as caught:
        normalise(parse("computedAttributes.isNotNull()"), UNION)
    assert "computedAttributes.events" in caught.value.hint


def test_faults_of_an_expression_are_placed_where_it_is_named():
    rule = parse('loyalty.tier = "gold" and computedAttributes.spend > 3')
    (_, spend) = sorted((c.condition for c in normalise(rule, UNION).operands), key=lambda each: each.expr.span.start)
    assert spend.expr.span.start == 26


def test_what_is_read_is_read_through_others():
    assert closure(["mean"], UNION.computed) == ["events", "mean", "spend"]
    assert closure(["nobody"], UNION.computed) == []


def test_rules_are_put_into_words_by_name():
    rule = parse("computedAttributes.spend > 100 and computedAttributes.vip")
    assert sentence(rule, UNION) == "People whose spend is more than 100 and whose vip is true."
