"""Scopes and arrays of objects: what a name means where, missing and empty arrays, items in order."""

from __future__ import annotations

import pytest

from coterie.testing.sample import SAMPLE

from .oracle import NOW
from .world import World

PEOPLE = [
    {
        "id": "ann",
        "loyalty": {"points": 2, "tier": "a"},
        "favoriteColors": ["red", "blue", "red"],
        "orders": [
            {
                "orderId": "1",
                "status": "open",
                "total": 10,
                "items": [{"sku": "a", "qty": 1, "price": 4}, {"qty": 3, "price": 12}],
            },
            {"orderId": "2", "status": "paid", "total": 30, "items": [{"sku": "b", "qty": 5, "price": 6}]},
            {"orderId": "3", "total": 10},
        ],
        "consents": {
            "marketing": {"email": {"val": "y", "subscriptions": {"weekly": {"val": "y"}, "daily": {"val": "n"}}}}
        },
    },
    {
        "id": "bob",
        "loyalty": {"points": 9, "tier": "open"},
        "favoriteColors": [],
        "orders": [],
        "consents": {"marketing": {"email": {"subscriptions": {}}}},
    },
    {"id": "cyd", "loyalty": {"points": 0}},
    {
        "id": "dan",
        "loyalty": {"tier": "open"},
        "favoriteColors": ["grey"],
        "orders": [{"orderId": "9", "status": "open", "items": []}, {"orderId": "8", "status": "open", "total": 5}],
        "events": [
            {
                "_id": "1",
                "timestamp": NOW,
                "eventType": "buy",
                "productListItems": [{"SKU": "9", "quantity": 2}, {"SKU": "x"}],
            },
            {"_id": "2", "timestamp": NOW, "eventType": "open", "productListItems": []},
        ],
    },
]


@pytest.mark.parametrize(
    ("query", "members"),
    [
        # scopes
        ("orders[items[price > ^.total]]", ["ann"]),
        ("orders[items[qty > ^^.loyalty.points]]", ["ann"]),
        ("orders[items[qty > $1.loyalty.points and price < ^.total]]", ["ann"]),
        ("let M = loyalty.points in orders[items[qty > M and M > 1]]", ["ann"]),
        ("exists O from orders where O.status = loyalty.tier", ["dan"]),
        ("orders[status = ^.loyalty.tier].count() = 2", ["dan"]),
        ("exists O from orders, I from O.items where I.price > O.total and I.qty > loyalty.points", ["ann"]),
        ("(P) => P.orders.exists(status = P.loyalty.tier)", ["dan"]),
        ("xEvent[eventType = $1.loyalty.tier]", ["dan"]),
        ("xEvent[eventType = ^.loyalty.tier].count() = 1", ["dan"]),
        ('xEvent[productListItems[SKU = "9" and ^.eventType = "buy"]]', ["dan"]),
        ('xEvent[productListItems[SKU = "9" and ^^.loyalty.tier = "open"]]', ["dan"]),
        ('orders[xEvent[eventType = "buy"] and status = "open"]', ["dan"]),
        # quantifiers
        ("forall O from orders: O.total > 5", ["ann", "bob", "cyd"]),
        ("forall O from orders where O.items.count() > 0", ["bob", "cyd"]),
        ('orders.forall(status = "open")', ["bob", "cyd", "dan"]),
        ('forall O from orders where O.status = "paid", I from O.items where I.qty = 5', ["ann", "bob", "cyd", "dan"]),
        ('forall O from orders where O.status = "open", I from O.items where I.qty = 1', ["bob", "cyd", "dan"]),
        ("exists A from orders, B from orders where A != B and A.total = B.total", ["ann"]),
        ("exists A from orders, B from orders where A = B and A.status != B.status", []),
        ("(select O from orders where O.total = 10).count() = 2", ["ann"]),
        # missing and empty
        ("orders.isNull()", ["cyd"]),
        ("orders.count() = 0", ["bob", "cyd"]),
        ("orders", ["ann", "dan"]),
        ("orders.sum(total) = 0", ["bob", "cyd"]),
        ("orders.max(total).isNull()", ["bob", "cyd"]),
        ('orders.filter(status = "x").isNull()', ["cyd"]),
        ("favoriteColors.isNull()", ["cyd"]),
        ('favoriteColors.subsetOf(["red", "blue"])', ["ann", "bob"]),
        ("favoriteColors.supersetOf([])", ["ann", "bob", "dan"]),
        ('not favoriteColors.subsetOf(["red"])', ["ann", "cyd", "dan"]),
        ('orders[not status = "open"]', ["ann"]),
        ('orders[status != "open"]', ["ann"]),
        ("orders[status.isNull()].count() = 1", ["ann"]),
        ("orders[items.isNull()]", ["ann", "dan"]),
        # aggregates
        ("orders.sum(total) = 50", ["ann"]),
        ("orders.average(total) = 5", ["dan"]),
        ("orders.items.sum(price * qty) = 70", ["ann"]),
        ("orders.items.max(qty) = 5", ["ann"]),
        ("orders.items[qty > 1].count() = 2", ["ann"]),
        ('(sum I.qty over O from orders where O.status = "open", I from O.items) = 4', ["ann"]),
        ("(max O.total over O from orders) = 30", ["ann"]),
        ("orders.map((O) => O.total * 2).sum() = 100", ["ann"]),
        ("orders.map(total + loyalty.points).isNull()", ["cyd"]),
        ("orders.status.count() = 2", ["ann", "dan"]),
        ("orders.status.distinct().count() = 1", ["dan"]),
        ("orders.total.distinct().count() = 2", ["ann"]),
        ("orders.groupBy(status).count() = 2", ["ann"]),
        ("favoriteColors.count() = 3 and favoriteColors.distinct().count() = 2", ["ann"]),
        ('favoriteColors.intersection(["red", "x"]).count() = 1', ["ann"]),
        ("xEvent.productListItems.sum(quantity) = 2", ["dan"]),
        ("xEvent.productListItems.count() = 2", ["dan"]),
        # order
        ('orders.head().orderId = "1"', ["ann"]),
        ('orders[status = "open"].head().orderId = "9"', ["dan"]),
        ('orders.topN(total, 1).head().orderId = "2"', ["ann"]),
        ('orders.bottomN(total, 2).head().orderId = "1"', ["ann"]),
        ("orders.bottomN(total, 5).count() = 3", ["ann"]),
        ("orders.topN(total, 2).sum(total) = 40", ["ann"]),
        ("orders.topN(total, 5).count() = 1", ["dan"]),
        ('orders.head().items.head().sku = "a"', ["ann"]),
        ('favoriteColors.head() = "red"', ["ann"]),
        ('orders.orderId.head() = "9"', ["dan"]),
        # maps
        ('consents.marketing.email.subscriptions.get("weekly").val = "y"', ["ann"]),
        ("consents.marketing.email.subscriptions.keys().count() = 2", ["ann"]),
        ('consents.marketing.email.subscriptions.values().exists(val = "n")', ["ann"]),
        ('consents.marketing.email.subscriptions.get("x").isNull()', ["ann", "bob", "cyd", "dan"]),
        ("consents.marketing.email.subscriptions.isNotNull()", ["ann", "bob"]),
        ('"daily" in consents.marketing.email.subscriptions.keys()', ["ann"]),
        # membership
        ('"red" in favoriteColors', ["ann"]),
        ('"red" notIn favoriteColors', ["bob", "dan"]),
        ("loyalty.tier notIn orders.status", ["ann", "bob"]),
        ("loyalty.tier in orders.status", ["dan"]),
        ('"open" = orders.status', ["ann", "dan"]),
        ('orders.items.sku in ["b", "c"]', ["ann"]),
        ('orders.items.sku.intersects(["b", "c"])', ["ann"]),
        # choices
        ("if (orders, orders.sum(total), -1) = -1", ["bob", "cyd"]),
        ("if (loyalty.tier, loyalty.points > 5, true)", ["bob", "cyd"]),
    ],
)
def test_members(query, members):
    assert World(SAMPLE, PEOPLE, NOW).members(query) == members
