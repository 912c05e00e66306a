"""Numbers of more than 38 digits: they compare by the nearest double, and none of them is taken for nothing."""

from __future__ import annotations

from decimal import Decimal

import pytest

from coterie.core.errors import Unsupported
from coterie.pql import interpreter, parse
from coterie.testing.sample import SAMPLE

from .oracle import NOW
from .world import World

MOST = 2**63 - 1
PRICE = Decimal("99999.25")


def buying(name: str, *quantities: int) -> dict:
    events = [
        {
            "_id": f"{name}-{place}",
            "timestamp": "2026-06-10T10:00:00Z",
            "productListItems": [{"SKU": "x", "quantity": quantity, "priceTotal": PRICE}],
        }
        for place, quantity in enumerate(quantities)
    ]
    lines = [{"orderId": str(place), "total": PRICE, "items": [{"qty": q}]} for place, q in enumerate(quantities)]
    return {"id": name, "loyalty": {"points": quantities[0]}, "events": events, "orders": lines}


PROFILES = [buying("large", MOST, MOST), buying("small", 3, 2), buying("below", -MOST, 1), {"id": "none"}]
P = "loyalty.points"
WIDE = f"{P} * {P} * {P}"
EVENT = "^.loyalty.points * ^.loyalty.points * ^.loyalty.points"

RULES = {
    f"{WIDE} > 0": ["large", "small"],
    f"{WIDE} < 0": ["below"],
    f"{WIDE} = 27": ["small"],
    f"{WIDE} != 27": ["below", "large"],
    f"{WIDE} < 100000000000000000000000000000000000000000.5": ["below", "small"],
    f"0 < {WIDE}": ["large", "small"],
    f"({WIDE}).isNotNull()": ["below", "large", "small"],
    f"({WIDE}).isNull()": ["none"],
    f"not ({WIDE} > 0)": ["below", "none"],
    f"{WIDE} = {WIDE}": ["below", "large", "small"],
    f"{WIDE} > {P}": ["large", "small"],
    f"{WIDE} / {P} > 8": ["below", "large", "small"],
    f"{WIDE} * 1.5 > 40": ["large", "small"],
    f"{WIDE} - {WIDE} = 0": ["below", "large", "small"],
    f"-({WIDE}) > 0": ["below"],
    f"if({P} > 0, {WIDE}, {P}) > 26": ["large", "small"],
    f"({WIDE}) % 2 = 1": ["small"],
    f"{WIDE} in [27, 8]": ["small"],
    f"{WIDE} notIn [27, 8]": ["below", "large"],
    f"xEvent.sum({EVENT}) > 54.5": ["large"],
    f"xEvent.sum({EVENT}) > 53.5": ["large", "small"],
    f"xEvent.sum({EVENT}) = 0": ["none"],
    f"xEvent.max({EVENT}) > 26.5": ["large", "small"],
    f"xEvent.min({EVENT}) < 27.5": ["below", "small"],
    f"xEvent.average({EVENT}) = 27": ["small"],
    f"xEvent.count() * xEvent.sum({EVENT}) > 107.5": ["large", "small"],
    "orders.sum(^.loyalty.points * ^.loyalty.points * ^.loyalty.points) = 54": ["small"],
    "orders.sum(^.loyalty.points * ^.loyalty.points * ^.loyalty.points) < 0": ["below"],
    "orders.sum(^.loyalty.points * ^.loyalty.points) > 17": ["below", "large", "small"],
    "orders.map(^.loyalty.points * ^.loyalty.points).sum() > 18": ["below", "large"],
}


@pytest.fixture(scope="module")
def world() -> World:
    return World(SAMPLE, PROFILES, NOW)


@pytest.mark.parametrize("rule", RULES)
def test_too_many_digits_are_compared_by_the_nearest_double(world, rule):
    if "%" not in rule and "- " not in rule:  # of two numbers beyond 38 digits a double keeps no difference
        expected = [one["id"] for one in PROFILES if interpreter.holds(parse(rule), one, NOW, SAMPLE)]
        assert sorted(expected) == RULES[rule]
    assert world.members(rule) == RULES[rule]


@pytest.mark.parametrize(
    "rule",
    [
        "orders.map(^.loyalty.points * ^.loyalty.points * ^.loyalty.points).distinct().count() = 1",
        "orders.topN(^.loyalty.points * ^.loyalty.points * ^.loyalty.points, 1).count() = 1",
        "xEvent.map(^.loyalty.points * ^.loyalty.points * ^.loyalty.points).distinct().count() = 1",
    ],
)
def test_where_no_double_can_stand_beside_it_the_rule_is_refused_by_name(world, rule):
    with pytest.raises(Unsupported, match="more than 38 digits"):
        world.members(rule)
