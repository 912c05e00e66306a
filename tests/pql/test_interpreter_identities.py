"""What holds of every rule whatever it says: laws of logic, and forms that are defined to mean the same."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.properties.rules import rules
from tests.properties.worlds import world

from coterie.core.clock import parse_instant
from coterie.pql import parse, to_text
from coterie.pql.ast import Binary, Unary
from coterie.pql.interpreter import holds, value
from coterie.testing import SAMPLE

NOW = parse_instant("2026-06-15T12:00:00Z")
HOUR = 3_600_000


def negated(rule):
    return Unary("not", rule)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1 << 32))
def test_logic_is_two_valued(seed):
    random = Random(seed)
    place = world(random, people=3)
    for one, other in zip(rules(place, random, 6), rules(place, random, 6), strict=True):
        for profile in place.profiles:

            def ask(rule, profile=profile):
                return holds(rule, profile, place.at, place.union)

            a, b = ask(one), ask(other)
            assert ask(negated(one)) is not a
            assert ask(Binary("and", one, other)) == ask(Binary("and", other, one)) == (a and b), to_text(one)
            assert ask(Binary("or", one, other)) == ask(Binary("or", other, one)) == (a or b), to_text(one)
            assert ask(negated(Binary("and", one, other))) == ask(Binary("or", negated(one), negated(other)))
            assert ask(negated(Binary("or", one, other))) == ask(Binary("and", negated(one), negated(other)))


PRICES = st.sampled_from([None, Decimal("0.1"), Decimal("0.2"), Decimal("0.30"), Decimal(-1), 0, 3])
ITEMS = st.fixed_dictionaries({"qty": st.integers(0, 2), "price": PRICES})
ORDERS = st.none() | st.lists(
    st.fixed_dictionaries(
        {
            "status": st.sampled_from([None, "open", "Open", "paid"]),
            "total": PRICES,
            "items": st.none()
            | st.lists(st.fixed_dictionaries({"qty": st.integers(0, 2), "price": PRICES}), max_size=2),
        }
    ),
    max_size=4,
)
PROFILES = st.fixed_dictionaries(
    {
        "loyalty": st.fixed_dictionaries({"points": st.sampled_from([None, 0, 3, 12])}),
        "homeAddress": st.fixed_dictionaries({"city": st.sampled_from([None, "", "open", "Lyon"])}),
        "favoriteColors": st.none() | st.lists(st.sampled_from(["red", "blue", "Open"]), max_size=3),
        "orders": ORDERS,
        "events": st.lists(
            st.fixed_dictionaries(
                {
                    "timestamp": st.integers(-3, 1).map(lambda hours: NOW + hours * HOUR),
                    "eventType": st.sampled_from([None, "open", "paid"]),
                }
            ),
            max_size=4,
        ).map(lambda events: [{"_id": str(place), **event} for place, event in enumerate(events)]),
    }
)
CONDITIONS = [
    "total > 0.1",
    'status = "open"',
    'status != "open"',
    'not status.equals("open", false)',
    "total = ^.loyalty.points",
    "items[qty > 1]",
    "items.sum(price * qty) >= total",
    "total.isNull() or status.isNull()",
]
SAME = [
    ("orders[{c}].count()", "orders.filter({c}).count()"),
    ("orders.exists({c})", "orders[{c}].count() > 0"),
    ("orders.forall({c})", "not orders.exists(not ({c}))"),
    ("orders.forall({c})", "orders[{c}].count() = orders.count()"),
    ("orders[{c}][{d}].count()", "orders[({c}) and ({d})].count()"),
    ("orders[{c}].sum(total)", "orders[{c}].map(total).sum()"),
    ("orders[{c}].sum(total)", "orders[{c}].total.sum()"),
    ("orders[{c}].max(total)", "orders[{c}].topN(total, 1).head().total"),
    ("orders[{c}].min(total)", "orders[{c}].bottomN(total, 1).head().total"),
    ("orders[{c}].average(total)", "orders[{c}].sum(total) / orders[{c}].total.count()"),
    ("orders[{c}].status.distinct().count()", "orders[{c}].groupBy(status).count()"),
    ("let V = orders[{c}] in V.count()", "orders[{c}].count()"),
    ("orders[{c}].items.count()", "orders[{c}].sum(items.count())"),
    ("orders[{c}].map(this).count()", "orders[{c}].count()"),
]


@pytest.mark.parametrize("same", SAME, ids=[f"{one} is {other}" for one, other in SAME])
@settings(max_examples=40, deadline=None)
@given(profile=PROFILES, c=st.sampled_from(CONDITIONS), d=st.sampled_from(CONDITIONS))
def test_forms_of_arrays_mean_the_same(same, profile, c, d):
    one, other = (parse(form.format(c=c, d=d)) for form in same)
    assert value(one, profile, NOW, SAMPLE) == value(other, profile, NOW, SAMPLE)


RELATED = [
    ('exists X from xEvent where X.eventType = "open"', 'xEvent.exists(eventType = "open")'),
    ('chain(xEvent, timestamp, [A: WHAT(eventType = "open")])', 'xEvent.exists(eventType = "open")'),
    (
        'chain(xEvent, timestamp, [A: WHAT(eventType = "open"), B: WHAT(eventType = "paid")])',
        (
            'exists A from xEvent where A.eventType = "open", B from xEvent where B.eventType = "paid" '
            "and B.timestamp occurs after A.timestamp"
        ),
    ),
    (
        'chain(xEvent, timestamp, [A: WHAT(eventType = "open") COUNT(2)])',
        'xEvent[eventType = "open"].count() >= 2',
    ),
    (
        'chain(xEvent, timestamp, [A: WHAT(eventType = "open"), N: EXCLUDE(eventType = "paid")])',
        (
            'exists A from xEvent where A.eventType = "open" and not (exists B from xEvent where B.eventType = "paid" '
            "and B.timestamp > A.timestamp)"
        ),
    ),
    (
        "xEvent.timestamp occurs <= 1 hour before now",
        (
            "exists T from xEvent.timestamp where T <= now and "
            "(T occurs >= 0 hours before now) and not (T occurs > 1 hour before now)"
        ),
    ),
    ("select O from orders where O.total > 0", "orders[total > 0]"),
    ("forall O from orders : O.total > 0", "not (exists O from orders where not (O.total > 0))"),
    ("homeAddress.city in orders.status", "orders.status.includes(homeAddress.city)"),
    ("favoriteColors.intersects(orders.status)", "exists C from favoriteColors where C in orders.status"),
    ("favoriteColors.intersects(orders.status)", "favoriteColors.intersection(orders.status).isNotNull()"),
    (
        "favoriteColors.subsetOf(orders.status)",
        "favoriteColors.isNotNull() and forall C from favoriteColors : C in orders.status",
    ),
    ("loyalty.points notIn [0, 1]", "loyalty.points.isNotNull() and not (loyalty.points in [0, 1])"),
    ('orders.exists(status = "open")', 'orders[status = "open"]'),
    ('homeAddress.city.doesNotContain("e")', 'homeAddress.city.isNotNull() and not homeAddress.city.contains("e")'),
    ('homeAddress.city.equals("OPEN", "lyon", false)', 'homeAddress.city matches "(?i)^(open|lyon)$"'),
    ('homeAddress.city like "o%n"', 'homeAddress.city.startsWith("o") and homeAddress.city.endsWith("n")'),
    ("loyalty.points != 3", "loyalty.points < 3 or loyalty.points > 3"),
    ("(P) => P.loyalty.points > 2", "$1.loyalty.points > 2"),
    ('if (loyalty.points > 2, homeAddress.city, "x") = "open"', 'loyalty.points > 2 and homeAddress.city = "open"'),
    ("orders.groupBy(status).map((K, G) => G.sum(total)).sum() = orders[status.isNotNull()].sum(total)", "true"),
    (
        'orders.groupBy(status).map((K, G) => mapEntry(K, G.count())).get("open") = 1',
        'orders[status = "open"].count() = 1',
    ),
    ("exists A from orders, B from orders where A != B", "orders.count() > 1"),
    ("(select A from orders, B from orders).count() = orders.count() * orders.count()", "true"),
]


@pytest.mark.parametrize("same", RELATED, ids=[one for one, _ in RELATED])
@settings(max_examples=40, deadline=None)
@given(profile=PROFILES)
def test_forms_of_rules_mean_the_same(same, profile):
    one, other = map(parse, same)
    assert holds(one, profile, NOW, SAMPLE) == holds(other, profile, NOW, SAMPLE)


NUMBERS = st.decimals(-1000, 1000, places=3) | st.integers(-(10**20), 10**20)


@given(st.lists(NUMBERS, max_size=6))
def test_written_numbers_are_summed_exactly_and_means_are_the_nearest_doubles(totals):
    profile = {"orders": [{"total": total} for total in totals]}
    exact = sum(map(Fraction, totals))
    assert Fraction(value(parse("orders.sum(total)"), profile, NOW, SAMPLE)) == exact
    mean = float(exact / len(totals)) if totals else None
    assert value(parse("orders.average(total)"), profile, NOW, SAMPLE) == mean


@given(NUMBERS, NUMBERS)
def test_arithmetic_of_written_numbers_is_exact(one, other):
    profile = {"orders": [{"total": one, "items": [{"price": other}]}]}

    def result(text):
        return value(
            parse(f"let A = orders.head().total in let B = orders.head().items.head().price in {text}"),
            profile,
            NOW,
            SAMPLE,
        )

    a, b = Fraction(one), Fraction(other)
    assert Fraction(result("A + B")) == a + b
    assert Fraction(result("A - B")) == a - b
    assert Fraction(result("A * B")) == a * b
    assert result("A / B") == (float(a / b) if b else None)
    rest = None if not b else abs(a) % abs(b) * (-1 if a < 0 else 1)
    assert (result("A % B") if rest is None else Fraction(result("A % B"))) == rest
