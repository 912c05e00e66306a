"""Normal form: spellings that mean the same are one condition, those that do not are two; what rules read."""

from __future__ import annotations

import pytest

from coterie.core.clock import DAY
from coterie.core.errors import Invalid, Unsupported
from coterie.core.schema import lookup
from coterie.pql import parse, to_text
from coterie.pql.analysis import analyse, audiences_read, paths_of
from coterie.pql.chains import Gap
from coterie.pql.conditions import (
    Aggregate,
    And,
    Attribute,
    Computed,
    Condition,
    Constant,
    Leaf,
    Membership,
    Not,
    Or,
    Presence,
    Rule,
    Sequence,
    conditions_of,
)
from coterie.pql.normal import normalise
from coterie.testing.sample import SAMPLE

from .cases import QUERIES


def rule(text: str) -> Rule:
    return normalise(parse(text), SAMPLE)


def conditions(text: str) -> list[Condition]:
    """Return the conditions of a rule, none for one that has problems."""
    try:
        return conditions_of(rule(text))
    except (Invalid, Unsupported):
        return []


def shown(found: Rule) -> str:
    """Return a rule as text, conditions by their canonical form."""
    match found:
        case Constant(value):
            return str(value).lower()
        case Leaf(condition):
            return condition.text
        case Not(operand):
            return f"not({shown(operand)})"
        case And(operands):
            return f"and({', '.join(map(shown, operands))})"
        case Or(operands):
            return f"or({', '.join(map(shown, operands))})"


B = 'eventType = "b"'
A_THEN = 'chain(xEvent, timestamp, [A: WHAT(eventType = "a"),'
SAME = [
    # order, repetition and nesting
    ['xEvent[eventType = "a" and device.type = "b"]', 'xEvent[device.type = "b" and eventType = "a"]'],
    ['loyalty.tier = "a" and loyalty.tier = "a"', 'loyalty.tier = "a"'],
    ['loyalty.tier in ["a", "b"]', 'loyalty.tier in ["b", "a", "b"]', 'loyalty.tier.equals("b", "a")'],
    ["not (loyalty.points > 1 and loyalty.points < 9)", "not (loyalty.points < 9) or not (loyalty.points > 1)"],
    # items of an array that is written out exist unless they are null
    ["[loyalty.tier, null]", "loyalty.tier.isNotNull()", "not (not [loyalty.tier])"],
    # conditions on the objects of a projection
    [
        "xEvent.commerce.order[priceTotal > ^.loyalty.points]",
        "xEvent.commerce.order.exists(this.priceTotal > ^.loyalty.points)",
        "xEvent[commerce.order.isNotNull() and commerce.order.priceTotal > ^.loyalty.points]",
    ],
    # text
    [
        'loyalty.tier = "a"',
        'loyalty.tier.equals("a")',
        'loyalty.tier.equals("a", true)',
        '"a" = loyalty.tier',
        'loyalty.tier in ["a"]',
        'stringCompare("equals", loyalty.tier, ["a"])',
        'let X = "a" in loyalty.tier = X',
    ],
    ['loyalty.tier != "a"', 'loyalty.tier.notEqualTo("a")', 'loyalty.tier notIn ["a"]'],
    ['loyalty.tier.matches("^a")', 'loyalty.tier matches "^a"'],
    ['loyalty.tier.contains("a")', 'loyalty.tier.contains("a", true)'],
    # numbers and Booleans
    ["loyalty.points = 12", "loyalty.points = 12.0", 'loyalty.points = "12"', "12 = loyalty.points"],
    ["loyalty.points > 5", "5 < loyalty.points", "$1.loyalty.points > 5", "(P) => P.loyalty.points > 5"],
    ["loyalty.points + 1 > 2", "1 + loyalty.points > 2.0"],
    # presence
    ["loyalty.tier", "loyalty.tier.isNotNull()", "not loyalty.tier.isNull()"],
    ["homeAddress", "homeAddress.isNotNull()"],
    # existence of events
    [
        'xEvent[eventType = "a"]',
        'select X from xEvent where X.eventType = "a"',
        'exists X from xEvent where X.eventType = "a"',
        'exists Other from xEvent: Other.eventType.equals("a")',
        'xEvent.exists(eventType = "a")',
        'xEvent.filter(eventType = "a").count() > 0',
        'xEvent[eventType = "a"].count() >= 1',
        'xEvent[eventType = "a"].count() != 0',
        '0 < xEvent[eventType = "a"].count()',
        '(select X from xEvent where X.eventType = "a").count() >= 1',
        'chain(xEvent, timestamp, [A: WHAT(eventType = "a")])',
        'xEvent.eventType = "a"',
        'xEvent.eventType.equals("a")',
        'xEvent.eventType.includes("a")',
        'xEvent.eventType.intersects(["a"])',
        'not xEvent[eventType = "a"].count() = 0',
        'not (forall X from xEvent: not X.eventType = "a")',
    ],
    ['xEvent[eventType = "a"][device.type = "b"]', 'xEvent[eventType = "a" and device.type = "b"]'],
    [
        'xEvent[eventType = "a" and timestamp occurs <= 30 days before now].count() >= 3',
        'chain(xEvent, timestamp, [Any: WHAT(eventType = "a") WHEN(<= 720 hours before now) COUNT(3)])',
        'not(xEvent[timestamp occurs <= 30 days before now and eventType = "a"].count() < 3)',
        'xEvent[timestamp occurs <= 30 days before now and eventType = "a"].count() > 2',
    ],
    # aggregates
    [
        'xEvent[eventType = "a"].sum(commerce.order.priceTotal) >= 5',
        '(sum X.commerce.order.priceTotal over X from xEvent where X.eventType = "a") >= 5',
        'xEvent[eventType = "a"].commerce.order.priceTotal.sum() >= 5.0',
        'let S = xEvent[eventType = "a"].sum(commerce.order.priceTotal) in S >= 5',
        'not(xEvent[eventType = "a"].sum(commerce.order.priceTotal) < 5)',
    ],
    ["orders.map(total * 2).max() = 4", "orders.max(2 * total) = 4"],
    ["orders.groupBy(status).count() = 1", "orders.status.distinct().count() = 1"],
    # arrays of objects
    [
        'orders[status = "open" and items[sku = "a"]]',
        'exists O from orders where O.status = "open", I from O.items where I.sku = "a"',
        'orders.exists(items.exists(sku = "a") and status = "open")',
        'orders.exists(items.sku = "a" and status = "open")',
    ],
    ['orders.items.sku = "a"', 'orders[items[sku = "a"]]'],
    ["orders.count() = 0", "not orders", "orders.count() < 1"],
    ['favoriteColors.includes("a")', '"a" in favoriteColors', 'favoriteColors.intersects(["a"])'],
    # what does not read the item stands outside
    ['xEvent[$1.loyalty.tier = "a" and eventType = "b"]', 'loyalty.tier = "a" and xEvent[eventType = "b"]'],
    # windows
    [
        "xEvent[timestamp occurs < 24 hours before now]",
        "xEvent[timestamp occurs < 1 day before now]",
        "exists X from xEvent where X occurs < 1 day before now",
    ],
    ["xEvent[timestamp occurs this day]", "xEvent[timestamp occurs on today]"],
    ["person.birthDate occurs < 24 months before now", "person.birthDate occurs < 2 years before now"],
    # sequences
    [
        'chain(xEvent, timestamp, [A: WHAT(eventType = "a"), B: WHAT(eventType = "b")])',
        'CHAIN(xEvent, timestamp, [First: WHAT(eventType.equals("a")) COUNT(1), Then: WHAT(eventType = "b")])',
        'exists A from xEvent: A.eventType = "a", B from xEvent: B.timestamp > A.timestamp and B.eventType = "b"',
        'exists A from xEvent where A.eventType = "a", B from xEvent where B.eventType = "b" and B occurs after A',
        'exists A from xEvent: A.eventType = "a", B from xEvent: A.timestamp < B.timestamp and B.eventType = "b"',
        'exists A from xEvent: A.eventType = "a", B from xEvent: B.timestamp occurs after A and B.eventType = "b"',
    ],
    [
        f"{A_THEN} B: WHAT({B}) WHEN(>= 1 hour after A and <= 2 days after A)])",
        f"{A_THEN} B: WHAT({B}) WHEN(<= 48 hours after A.timestamp and > 3599999 milliseconds after A)])",
        f"{A_THEN} B: WHAT({B}) WHEN(>= 60 minutes from A and after A and <= 2 days after A and < 3 days after A)])",
        "exists A from xEvent: A.eventType = 'a', B from xEvent: B occurs >= 1 hour after A and "
        "B.timestamp occurs <= 2 days after A.timestamp and B.eventType = 'b'".replace("'", '"'),
    ],
    [
        f'{A_THEN} N: EXCLUDE(eventType = "n"), M: EXCLUDE(eventType = "m"), B: WHAT({B})])',
        f'{A_THEN} N: EXCLUDE(eventType = "m" or eventType = "n"), B: WHAT({B})])',
        "exists A from xEvent: A.eventType = 'a', B from xEvent: B.eventType = 'b' and B occurs after A and not ("
        "exists N from xEvent: (N.eventType = 'n' or N.eventType = 'm') and N occurs after A and "
        "N occurs before B)".replace("'", '"'),
    ],
    [
        f'{A_THEN} N: EXCLUDE(eventType = "n")])',
        "exists A from xEvent where A.eventType = 'a' and not (exists N from xEvent where N.eventType = 'n' and "
        "N.timestamp occurs after A.timestamp)".replace("'", '"'),
    ],
    [
        'loyalty.tier = "x" and chain(xEvent, timestamp, [A: WHAT(eventType = "a"), B: WHAT(eventType = "b")])',
        'chain(xEvent, timestamp, [A: WHAT(eventType = "a"), B: WHAT(eventType = "b") WHERE(loyalty.tier = "x")])',
    ],
    [
        'xEvent[eventType = "a"]',
        'chain(xEvent, timestamp, [A: WHAT(eventType = "a"), N: EXCLUDE(eventType = "n") WHEN(before A)])',
    ],
    ["false", 'chain(xEvent, timestamp, [A: WHAT(eventType = "a"), B: WHAT(eventType = "b") WHEN(on A)])'],
    # constants
    ["true", "orders.count() >= 0", "not false"],
    ["false", "loyalty.tier in []", 'loyalty.tier = "a" and not loyalty.tier = "a"', "loyalty.tier = null"],
]

DIFFERENT = [
    ('loyalty.tier != "a"', 'not loyalty.tier = "a"'),
    ("loyalty.points >= 5", "not (loyalty.points < 5)"),
    ('loyalty.tier.contains("a", false)', 'loyalty.tier.contains("a")'),
    ('loyalty.tier = "a"', 'loyalty.tier = "A"'),
    ('loyalty.tier = "12"', "loyalty.points = 12"),
    ('xEvent[eventType = "a" and device.type = "b"]', 'xEvent[eventType = "a"] and xEvent[device.type = "b"]'),
    ("xEvent[timestamp occurs <= 1 month before now]", "xEvent[timestamp occurs <= 30 days before now]"),
    ("orders[items[qty > ^.total]]", "orders[items[qty > ^^.loyalty.points]]"),
    ("orders.average(total) < 5", "not (orders.average(total) >= 5)"),
    ("xEvent.min(timestamp) occurs before today", "not (xEvent.min(timestamp) occurs from today)"),
    (
        'chain(xEvent, timestamp, [A: WHAT(eventType = "a"), B: WHAT(eventType = "b")])',
        'chain(xEvent, timestamp, [A: WHAT(eventType = "b"), B: WHAT(eventType = "a")])',
    ),
    (
        'chain(xEvent, timestamp, [A: WHAT(eventType = "a"), B: WHAT(eventType = "b") WHEN(<= 1 day after A)])',
        'exists A from xEvent: A.eventType = "a", B from xEvent: B.eventType = "b" and B occurs <= 1 day after A',
    ),
]


@pytest.mark.parametrize("spellings", SAME, ids=lambda spellings: spellings[0])
def test_equal_meanings_are_one_rule(spellings):
    first = rule(spellings[0])
    for other in spellings[1:]:
        assert shown(rule(other)) == shown(first), other
        assert [c.key for c in conditions_of(rule(other))] == [c.key for c in conditions_of(first)]


@pytest.mark.parametrize(("left", "right"), DIFFERENT)
def test_other_meanings_are_other_rules(left, right):
    assert shown(rule(left)) != shown(rule(right))


@pytest.mark.parametrize("case", QUERIES)
def test_the_canonical_text_of_a_condition_is_its_own_canonical_text(case):
    for condition in conditions(QUERIES[case]):
        if "$" in condition.text:  # labels of a sequence, written as inputs
            continue
        again = conditions_of(rule(condition.text))
        assert [c.text for c in again] == [condition.text]
        assert again[0].key == condition.key
        assert to_text(parse(condition.text)) == condition.text


def shape(text: str) -> object:
    (condition,) = conditions_of(rule(text))
    return condition.shape


def test_conditions_know_their_kind():
    assert isinstance(shape("loyalty.points > 1"), Attribute)
    assert shape('inSegment("buyers")') == Membership("buyers")
    assert shape('identityMap.get("Email").isNotNull()') == Presence("Email")
    assert isinstance(shape("xEvent.count() > orders.count()"), Computed)
    assert isinstance(shape("xEvent[eventType = $1.loyalty.tier]"), Computed)
    found = shape('xEvent[eventType = "a"].count() = 0')
    assert isinstance(found, Aggregate)
    assert (found.function, found.op, found.value.value) == ("count", ">=", 1)
    found = shape("xEvent.eventType.distinct().count() >= 3")
    assert isinstance(found, Aggregate)
    assert found.function == "distinct"
    found = shape('chain(xEvent, timestamp, [A: WHAT(eventType = "a") COUNT(2), B: WHAT(eventType = "b")])')
    assert isinstance(found, Sequence)
    assert [step.count for step in found.steps] == [2, 1]


def test_a_sequence_knows_its_gaps_and_exclusions():
    found = shape(
        'chain(xEvent, timestamp, [M: EXCLUDE(eventType = "m"), A: WHAT(eventType = "a"), '
        'N: EXCLUDE(eventType = "n") WHEN(< 1 minute after A), '
        'B: WHAT(eventType = "b") WHEN(> 1 second after A and <= 1 day after A and after A), '
        'O: EXCLUDE(eventType = "o")])'
    )
    assert isinstance(found, Sequence)
    first, last = found.steps
    assert [to_text(exclusion.where) for exclusion in first.between] == ['eventType = "m"']
    assert [exclusion.gap for exclusion in last.between] == [Gap(1, 59_999)]
    assert last.gap == Gap(1_001, 86_400_000)
    assert [exclusion.gap for exclusion in last.around] == [Gap(1, None)]
    assert not first.around


def test_variables_related_by_their_times_are_a_sequence():
    """The same event may stand for both, so a distance of nothing counts; `between` includes both ends."""
    found = shape(
        'exists A from xEvent where A.eventType = "a", B from xEvent where B.eventType = "b" and '
        "B.timestamp occurs <= 2 hours after A.timestamp and not (exists N from xEvent where "
        'N.eventType = "n" and N.timestamp occurs between A.timestamp and B.timestamp)'
    )
    assert isinstance(found, Sequence)
    (between,) = found.steps[1].between
    assert found.steps[1].gap == Gap(0, 7_200_000)
    assert (between.gap, between.closed) == (Gap(0, None), True)
    found = shape(
        'exists A from xEvent where A.eventType = "a" and not (exists B from xEvent where B.eventType = "b" '
        "and B.timestamp occurs <= 1 hour from A.timestamp)"
    )
    assert isinstance(found, Sequence)
    assert found.steps[0].around[0].gap == Gap(-3_600_000, 3_600_000)


@pytest.mark.parametrize(
    "text",
    [
        'chain(xEvent, timestamp, [A: WHAT(eventType = "a"), B: WHAT(eventType = "b") WHEN(<= 1 month after A)])',
        "chain(xEvent, timestamp, [A: WHAT(true), B: WHAT(true), C: WHAT(true) WHEN(<= 1 day after A)])",
        "chain(xEvent, timestamp, [A: WHAT(true), B: WHAT(true) WHERE(B.search.query = A.search.query)])",
        'chain(xEvent, timestamp, [A: WHAT(true), B: WHAT(inSegment("x") or search.query = "y")])',
    ],
)
def test_what_relates_events_otherwise_is_computed(text):
    assert isinstance(shape(text), Computed)


def test_a_shared_condition_is_one():
    text = 'xEvent[eventType = "a"].count() >= 2 and (loyalty.tier = "x" or not xEvent[eventType = "a"].count() > 1)'
    assert len(conditions_of(rule(text))) == 2


@pytest.mark.parametrize(
    ("text", "age"),
    [
        ("loyalty.points > 1", 0),
        ("xEvent", None),
        ('xEvent[eventType = "a"]', None),
        ("xEvent[timestamp occurs <= 30 days before now]", 30 * DAY),
        ("xEvent[timestamp occurs <= 30 days before today]", 31 * DAY),
        ("xEvent[timestamp occurs > 30 days before now]", None),
        ("xEvent[not timestamp occurs <= 30 days before now]", None),
        ("xEvent[timestamp occurs today or timestamp occurs yesterday]", 2 * DAY),
        ('xEvent[timestamp occurs <= 9 days before now and eventType = "a"].count() = 0', 9 * DAY),
        ("xEvent[timestamp occurs last week]", 14 * DAY),
        ("xEvent[timestamp occurs <= 2 months before now]", 62 * DAY),
        ("xEvent[timestamp occurs after date(2026, 1, 1)]", None),
        (
            "chain(xEvent, timestamp, [A: WHAT(true) WHEN(<= 3 days before now), B: WHAT(true) WHEN(today)])",
            3 * DAY,
        ),
    ],
)
def test_the_look_back_limits_the_age_of_events_that_matter(text, age):
    assert analyse(conditions_of(rule(text))).look_back == age


def test_what_a_rule_reads():
    text = (
        'inSegment("vip") and orders[status = "open"].sum(total) > 5 and person.birthDate occurs before today and '
        'xEvent[productListItems[SKU = "a" and quantity > ^^.loyalty.points]].max(commerce.order.priceTotal) > 9'
    )
    found = analyse(conditions_of(rule(text)))
    assert found.audiences == {"vip"} == audiences_read(parse(text))
    assert found.profile_fields == {"orders", "orders.status", "orders.total", "person.birthDate", "loyalty.points"}
    assert found.event_fields == {
        "productListItems",
        "productListItems.SKU",
        "productListItems.quantity",
        "commerce.order.priceTotal",
    }
    assert found.reads_events
    assert found.relative
    assert not analyse(conditions_of(rule("loyalty.points > 1"))).relative


@pytest.mark.parametrize("case", QUERIES)
def test_every_path_read_is_a_field(case):
    for condition in conditions(QUERIES[case]):
        for root, path in paths_of(condition.expr):
            union = SAMPLE.event if root == "xEvent" else SAMPLE.profile
            if case.startswith("sem-"):
                assert lookup(union, path) is not None, (condition.text, path)
