"""What the interpreter gives and reads: plain data, parts of rules inside an event, and limits that are errors."""

from __future__ import annotations

import time
from decimal import Decimal

import pytest

from coterie.core.clock import parse_instant
from coterie.core.errors import CoterieError, Invalid, Unsupported
from coterie.core.schema import Field, FieldType, Union
from coterie.pql import interpreter, parse
from coterie.pql.ast import Binary, Chain, Expr, Literal, Name, Unary
from coterie.pql.conditions import conditions_of
from coterie.pql.interpreter import holds, read_profile, value
from coterie.pql.normal import normalise
from coterie.testing import SAMPLE

NOW = parse_instant("2026-06-15T12:00:00Z")
ANNA = {
    "id": "anna",
    "person": {"birthDate": "1990-05-17"},
    "homeAddress": {"country": "FR", "city": "İstanbul"},
    "loyalty": {"points": 7},
    "favoriteColors": ["red", "blue", "red"],
    "orders": [
        {"orderId": "a", "status": "open", "total": Decimal("0.10"), "items": [{"sku": "x", "qty": 2}]},
        {"orderId": "b", "status": "paid", "total": Decimal("0.20")},
        {"orderId": "c", "status": "open"},
    ],
    "consents": {"marketing": {"email": {"val": "y", "subscriptions": {"weekly": {"val": "y"}}}}},
    "identityMap": {"Email": [{"id": "a@b.c"}]},
    "events": [
        {"_id": "2", "timestamp": "2026-06-14T10:00:00+02:00", "eventType": "buy"},
        {"_id": "1", "timestamp": NOW - 4 * 3_600_000, "eventType": "view", "productListItems": [{"quantity": 3}]},
    ],
}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("loyalty.points", 7),
        ("loyalty.points / 2", 3.5),
        ("orders.sum(total)", Decimal("0.30")),
        ("orders.average(total)", 0.15),
        ("orders.head()", ANNA["orders"][0]),
        ("orders.status", ["open", "paid", "open"]),
        ("orders[total > 1]", []),
        ("orders.topN(total, 2).orderId", ["b", "a"]),
        ("orders.groupBy(status).keys()", ["open", "paid"]),
        ("orders.groupBy(status).map((K, G) => mapEntry(K, G.count()))", {"open": 2, "paid": 1}),
        ("orders.groupBy(status).map(this.count())", [2, 1]),
        ("orders.groupBy(status).map(this.orderId)", [["a", "c"], ["b"]]),
        ('orders.groupBy(status).get("nope")', None),
        ('orders.map({"id": orderId, "twice": total * 2}).head()', {"id": "a", "twice": Decimal("0.20")}),
        ("select O from orders where O.total > 0.1", [ANNA["orders"][1]]),
        (
            'select A from favoriteColors where A = "blue", B from orders where B.total > 0.1',
            [{"A": "blue", "B": ANNA["orders"][1]}],
        ),
        ("favoriteColors.distinct()", ["red", "blue"]),
        ('favoriteColors.intersection(["green"])', None),
        ("person.birthDate", "1990-05-17"),
        ("xEvent.max(timestamp)", "2026-06-15T08:00:00Z"),
        ("xEvent.eventType", ["buy", "view"]),
        ("date(2026, 2, 30)", None),
        ("date(2024, 2, 29)", "2024-02-29"),
        ("now", "2026-06-15T12:00:00Z"),
        ("today", "2026-06-15"),
        ("consents.marketing.email.subscriptions", {"weekly": {"val": "y"}}),
        ("homeAddress.postalCode", None),
        ('identityMap.get("ECID")', None),
        ('homeAddress.city.regexGroup("^(.)")', "İ"),
        ('if (loyalty.points > 5, "big", "small")', "big"),
        ("let N = orders.count() in [N, N * 2]", [3, 6]),
        ("sum O.items.sum(qty) over O from orders", 2),
        ("-loyalty.points % 4", -3),
        ("xEvent.head().timestamp.getMonth()", 6),
        ("xEvent.productListItems.quantity", [3]),
    ],
)
def test_values_are_plain_data(query, expected):
    found = value(parse(query), ANNA, NOW, SAMPLE)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("İ", "i", True),
        ("\u017f", "s", False),
        ("ΑΣ", "ας", False),
        ("ΑΣ", "\u03b1\u03c3", True),
        ("ẞ", "ß", True),
        ("SS", "ß", False),
    ],
)
def test_case_is_ignored_by_simple_lower_case_forms(one, other, same):
    rule = parse(f'homeAddress.city.equals("{other}", false)')
    assert holds(rule, {"homeAddress": {"city": one}}, NOW, SAMPLE) is same


def test_binary_doubles_sum_to_the_nearest_double():
    field = Field(FieldType.ARRAY, items=Field(FieldType.NUMBER))
    union = Union(Field(FieldType.OBJECT, properties={"scores": field}), SAMPLE.event)
    profile = {"scores": [0.1] * 10}
    assert value(parse("scores.sum()"), profile, NOW, union) == 1.0
    assert holds(parse("scores.head() = 0.1"), profile, NOW, union)  # the literal is converted to a double
    assert value(parse("scores.head() + 0.2"), profile, NOW, union) == 0.1 + 0.2


# -- parts of conditions --------------------------------------------------------------------------------------------


def test_a_part_of_a_condition_is_asked_inside_an_event():
    rule = normalise(parse('xEvent[eventType = "view" and productListItems[quantity > $1.loyalty.points - 5]]'), SAMPLE)
    (condition,) = conditions_of(rule)
    inner = condition.expr.condition
    person = read_profile(ANNA, SAMPLE)
    answers = [holds(inner, person, NOW, SAMPLE, within=[event]) for event in ANNA["events"]]
    assert answers == [False, True]
    view = ANNA["events"][1]
    assert holds(parse("quantity = 3"), ANNA, NOW, SAMPLE, within=[view, view["productListItems"][0]])
    assert value(parse("^.eventType"), ANNA, NOW, SAMPLE, within=[view, view["productListItems"][0]]) == "view"


def test_an_object_of_somebody_else_is_refused():
    with pytest.raises(Invalid) as caught:
        holds(parse("true"), ANNA, NOW, SAMPLE, within=[{"eventType": "view"}])
    assert caught.value.code == "pql.scope"


# -- limits ---------------------------------------------------------------------------------------------------------


def test_a_tree_that_is_too_deep_is_an_error():
    rule: Expr = Literal(True, "boolean")
    for _ in range(5_000):
        rule = Unary("not", Binary("and", rule, Literal(True, "boolean")))
    for ask in (holds, value, interpreter.next_change):
        with pytest.raises(Invalid) as caught:
            ask(rule, ANNA, NOW, SAMPLE)
        assert caught.value.code == "pql.too-deep"


@pytest.mark.parametrize(
    "query",
    [
        "not (" * 58 + "loyalty.points = 7" + ")" * 58,
        "orders" + "[true]" * 140,
        "if (true, " * 58 + "true" + ", false)" * 58,
        '$1.orders[orderId = "a" and ' * 55 + 'status = "open"' + "]" * 55,
        "-" * 140 + "loyalty.points = 7",
    ],
)
def test_the_deepest_queries_that_are_read_are_answered(query):
    assert holds(parse(query), ANNA, NOW, SAMPLE)


@pytest.mark.parametrize(
    "query",
    [
        "exists " + ", ".join(f"V{place} from orders" for place in range(20)) + " where V0.total > 5 and V19.total > 5",
        "$1.orders[" * 50 + "total > 5" + "]" * 50,
    ],
)
def test_a_rule_that_looks_at_too_many_items_ends(query, monkeypatch):
    monkeypatch.setattr("coterie.pql.interpreter.evaluate.BUDGET", 100_000)
    many = {"orders": [{"total": 1} for _ in range(40)]}
    with pytest.raises(Unsupported) as caught:
        holds(parse(query), many, NOW, SAMPLE)
    assert caught.value.code == "pql.too-costly"


def test_numbers_do_not_grow_without_bounds():
    rule = "let A = loyalty.points in " + "let A = A * A in " * 50 + "A"
    found = value(parse(rule), ANNA, NOW, SAMPLE)
    assert found is None or len(found.as_tuple().digits) <= 2_000


@pytest.mark.parametrize("pattern", ["(a+)+$", "(x?){20}x{20}", "^(([a-z])+.)+[A-Z]([a-z])+$"])
def test_expressions_match_in_linear_time(pattern):
    profile = {"homeAddress": {"city": "a" * 100_000 + "!"}}
    begun = time.process_time()
    assert not holds(parse(f'homeAddress.city.matches("{pattern}")'), profile, NOW, SAMPLE)
    assert time.process_time() - begun < 5


def test_errors_are_the_projects_own():
    with pytest.raises(CoterieError) as caught:
        holds(parse("^.loyalty.points = 1"), ANNA, NOW, SAMPLE)
    assert caught.value.code == "pql.scope"


def test_a_chain_of_any_array_is_ordered_by_its_own_times():
    field = Field(FieldType.OBJECT, properties={"at": Field(FieldType.DATETIME), "kind": Field(FieldType.STRING)})
    union = Union(Field(FieldType.OBJECT, properties={"calls": Field(FieldType.ARRAY, items=field)}), SAMPLE.event)
    calls = [{"at": 3, "kind": "out"}, {"at": 1, "kind": "in"}, {"kind": "in"}, {"at": 2, "kind": "out"}]
    rule = parse('chain(calls, at, [A: WHAT(kind = "in"), B: WHAT(kind = "out") COUNT(2)])')
    assert isinstance(rule, Chain)
    assert rule.array == Name("calls")
    assert holds(rule, {"calls": calls}, NOW, union)
    assert not holds(rule, {"calls": calls[:3]}, NOW, union)
