"""Random rules in text beside what they mean in plain Python: an independent reading of the specification."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

NOW = 1_781_524_800_000  # 2026-06-15T12:00:00Z
DAY = 86_400_000
TODAY = NOW - NOW % DAY

Event = dict[str, Any]
Person = dict[str, Any]
EventTest = tuple[str, Callable[[Event], bool]]
Rule = tuple[str, Callable[[Person], bool]]

TYPES = ["view", "cart", "buy"]
QUERIES = ["Red shoe", "red SHOES", "blue", "\u017f", "S", "\u0130", ""]
SKUS = ["a", "b", "A"]
MONEY = [Decimal(text) for text in ("0", "0.1", "0.2", "0.3", "-0.1", "14.76", "15.44", "0.000001", "51.35")]
OPS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
# limits that are hit exactly by sums and averages of MONEY, and some with more digits than the column has
LIMITS = [*MONEY, Decimal("0.6"), Decimal("0.15"), Decimal("30.2"), Decimal("0.0000005"), Decimal("0.20000000001")]
MOMENTS = [NOW + days * DAY + offset for days in (-40, -31, -30, -7, -1, 0, 1) for offset in (-1, 0, 1)] + [
    TODAY,
    TODAY - 1,
    TODAY - 30 * DAY,
]


def lower(text: str) -> str:
    """Return the simple lower-case form, character by character."""
    return "".join("i" if c == "\u0130" else c.lower() for c in text)


def rare(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values | values


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_nulls(child) for key, child in value.items() if child is not None}
    return [without_nulls(child) for child in value] if isinstance(value, list) else value


ITEMS = st.fixed_dictionaries(
    {
        "SKU": rare(st.sampled_from(SKUS)),
        "quantity": rare(st.integers(0, 3)),
        "priceTotal": rare(st.sampled_from(MONEY)),
    }
)
EVENTS = st.fixed_dictionaries(
    {
        "timestamp": st.sampled_from(MOMENTS),
        "eventType": rare(st.sampled_from(TYPES)),
        "search": st.fixed_dictionaries({"query": rare(st.sampled_from(QUERIES))}),
        "commerce": st.fixed_dictionaries(
            {"order": st.fixed_dictionaries({"priceTotal": rare(st.sampled_from(MONEY))})}
        ),
        "productListItems": st.none() | st.lists(ITEMS, max_size=3),
    }
)
PEOPLE = st.lists(
    st.fixed_dictionaries(
        {
            "loyalty": st.fixed_dictionaries(
                {"points": rare(st.integers(-3, 12)), "tier": rare(st.sampled_from(["gold", "Gold", "basic"]))}
            ),
            "favoriteColors": rare(st.lists(st.sampled_from(["red", "blue", "grey"]), max_size=3)),
            "orders": rare(
                st.lists(
                    st.fixed_dictionaries(
                        {
                            "status": rare(st.sampled_from(["open", "paid"])),
                            "total": rare(st.sampled_from(MONEY)),
                        }
                    ),
                    max_size=3,
                )
            ),
            "events": st.lists(EVENTS, max_size=6),
        }
    ),
    min_size=1,
    max_size=5,
).map(
    lambda people: [
        without_nulls(person)
        | {"id": f"p{place}", "events": [{"_id": str(at)} | without_nulls(e) for at, e in enumerate(person["events"])]}
        for place, person in enumerate(people)
    ]
)


def get(record: Any, *path: str) -> Any:
    for name in path:
        record = (record or {}).get(name)
    return record


# -- conditions on an event -----------------------------------------------------------------------------------------

_WINDOWS: list[tuple[str, Callable[[int], bool]]] = [
    ("<= 30 days before now", lambda t: NOW - 30 * DAY <= t <= NOW),
    ("< 30 days before now", lambda t: NOW - 30 * DAY < t <= NOW),
    ("> 30 days before now", lambda t: t < NOW - 30 * DAY),
    (">= 720 hours before now", lambda t: t <= NOW - 30 * DAY),
    ("<= 30 days before today", lambda t: TODAY - 30 * DAY <= t < TODAY),
    ("<= 1 month before now", lambda t: NOW - 31 * DAY <= t <= NOW),
    ("= 1 day before today", lambda t: TODAY - DAY <= t < TODAY),
    ("!= 1 day before today", lambda t: not TODAY - DAY <= t < TODAY),
    ("<= 1 day from now", lambda t: abs(t - NOW) <= DAY),
    ("> 1 day from now", lambda t: abs(t - NOW) > DAY),
    ("today", lambda t: TODAY <= t < TODAY + DAY),
    ("before yesterday", lambda t: t < TODAY - DAY),
    ("after now", lambda t: t > NOW),
    ("between yesterday and now", lambda t: TODAY - DAY <= t <= NOW),
]


def _compare(path: str, op: str, limit: Any, of: Callable[[Any], Any]) -> tuple[str, Callable[[Any], bool]]:
    def holds(record: Any) -> bool:
        value = of(record)
        return value is not None and OPS[op](value, limit)

    return f"{path} {op} {literal(limit)}", holds


def literal(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else format(value, "f") if isinstance(value, Decimal) else str(value)


def _one_of(path: str, op: str, values: list[str], of: Callable[[Any], Any]) -> tuple[str, Callable[[Any], bool]]:
    listed = ", ".join(literal(value) for value in values)
    if op == "in":
        return f"{path} in [{listed}]", lambda record: of(record) in values
    return f"{path} notIn [{listed}]", lambda record: of(record) is not None and of(record) not in values


def _text(name: str, part: str, exact: bool) -> EventTest:
    fold = (lambda text: text) if exact else lower
    tests: dict[str, Callable[[str, str], bool]] = {
        "contains": lambda s, p: p in s,
        "doesNotContain": lambda s, p: p not in s,
        "startsWith": lambda s, p: s.startswith(p),
        "endsWith": lambda s, p: s.endswith(p),
        "equals": lambda s, p: s == p,
        "notEqualTo": lambda s, p: s != p,
    }

    def holds(event: Event) -> bool:
        value = get(event, "search", "query")
        return value is not None and tests[name](fold(value), fold(part))

    return f'search.query.{name}("{part}", {"true" if exact else "false"})', holds


def negation(test: tuple[str, Callable[[Any], bool]]) -> tuple[str, Callable[[Any], bool]]:
    text, holds = test
    return f"not ({text})", lambda record: not holds(record)


def junction(op: str, parts: list[tuple[str, Callable[[Any], bool]]]) -> tuple[str, Callable[[Any], bool]]:
    decide = all if op == "and" else any
    return f" {op} ".join(f"({text})" for text, _ in parts), lambda record: decide(holds(record) for _, holds in parts)


def _boolean(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves,
        lambda below: (
            below.map(negation)
            | st.tuples(st.sampled_from(["and", "or"]), st.lists(below, min_size=2, max_size=3)).map(
                lambda p: junction(*p)
            )
        ),
        max_leaves=4,
    )


def _some_item(test: tuple[str, Callable[[Any], bool]]) -> EventTest:
    text, holds = test
    return f"productListItems[{text}]", lambda event: any(holds(item) for item in event.get("productListItems", ()))


ITEM_TESTS = _boolean(
    st.builds(
        lambda op, v: _compare("SKU", op, v, lambda i: i.get("SKU")),
        st.sampled_from(["=", "!="]),
        st.sampled_from(SKUS),
    )
    | st.builds(
        lambda op, v: _compare("quantity", op, v, lambda i: i.get("quantity")),
        st.sampled_from(list(OPS)),
        st.integers(0, 3),
    )
)
EVENT_TESTS: st.SearchStrategy[EventTest] = _boolean(
    st.builds(
        lambda op, v: _compare("eventType", op, v, lambda e: e.get("eventType")),
        st.sampled_from(["=", "!="]),
        st.sampled_from(TYPES),
    )
    | st.builds(
        lambda op, v: _one_of("eventType", op, v, lambda e: e.get("eventType")),
        st.sampled_from(["in", "notIn"]),
        st.lists(st.sampled_from(TYPES), min_size=1, max_size=2),
    )
    | st.builds(
        lambda op, v: _compare("commerce.order.priceTotal", op, v, lambda e: get(e, "commerce", "order", "priceTotal")),
        st.sampled_from(list(OPS)),
        st.sampled_from(LIMITS),
    )
    | st.builds(
        _text,
        st.sampled_from(["contains", "doesNotContain", "startsWith", "endsWith", "equals", "notEqualTo"]),
        st.sampled_from(["red", "RED SHOE", "s", "i", "e"]),
        st.booleans(),
    )
    | st.sampled_from(_WINDOWS).map(lambda w: (f"timestamp occurs {w[0]}", lambda e: w[1](e["timestamp"])))
    | ITEM_TESTS.map(_some_item)
    | st.builds(
        lambda op, n: _compare("productListItems.count()", op, n, lambda e: len(e.get("productListItems", ()))),
        st.sampled_from(list(OPS)),
        st.integers(0, 2),
    )
)

# -- conditions on a person -----------------------------------------------------------------------------------------


def _value(function: str, values: list[Any]) -> Any:
    if function == "sum":
        return sum(values, Decimal(0))
    if not values:
        return None
    if function == "average":
        return float(Fraction(sum(values)) / len(values))
    return min(values) if function == "min" else max(values)


def _aggregate(function: str, test: EventTest | None, op: str, limit: Decimal) -> Rule:
    text, holds = test or ("", lambda _: True)
    array = f"xEvent[{text}]" if test else "xEvent"

    def decide(person: Person) -> bool:
        prices = [get(event, "commerce", "order", "priceTotal") for event in person["events"] if holds(event)]
        value = _value(function, [price for price in prices if price is not None])
        against = float(limit) if function == "average" else limit
        return value is not None and OPS[op](value, against)

    return f"{array}.{function}(commerce.order.priceTotal) {op} {literal(limit)}", decide


def _count(test: EventTest, op: str, limit: int) -> Rule:
    text, holds = test
    return f"xEvent[{text}].count() {op} {limit}", lambda p: OPS[op](sum(map(holds, p["events"])), limit)


def _distinct(test: EventTest, op: str, limit: int) -> Rule:
    text, holds = test

    def decide(person: Person) -> bool:
        found = {event.get("eventType") for event in person["events"] if holds(event)} - {None}
        return OPS[op](len(found), limit)

    return f"xEvent[{text}].eventType.distinct().count() {op} {limit}", decide


def _quantity(test: EventTest, op: str, limit: int) -> Rule:
    text, holds = test

    def decide(person: Person) -> bool:
        items = [item for e in person["events"] if holds(e) for item in e.get("productListItems", ())]
        return OPS[op](sum(item.get("quantity", 0) for item in items), limit)

    return f"xEvent[{text}].productListItems.sum(quantity) {op} {limit}", decide


def _quantified(kind: str, test: EventTest) -> Rule:
    text, holds = test
    decide = any if kind == "exists" else all
    return f"xEvent.{kind}({text})", lambda person: decide(holds(event) for event in person["events"])


def _sequence(steps: list[tuple[EventTest, int]]) -> Rule:
    elements = ", ".join(f"E{n}: WHAT({test[0]}) COUNT({count})" for n, (test, count) in enumerate(steps))

    def ends(events: list[Event], after: float, rest: list[tuple[EventTest, int]]) -> bool:
        """Whether the steps can be taken, trying every choice of events."""
        if not rest:
            return True
        (_, holds), count = rest[0]
        fitting = [event["timestamp"] for event in events if holds(event) and event["timestamp"] > after]
        return any(ends(events, max(chosen), rest[1:]) for chosen in itertools.combinations(fitting, count))

    text = f"chain(xEvent, timestamp, [{elements}])"
    return text, lambda person: ends(person["events"], float("-inf"), steps)


def _colors(method: str, values: list[str]) -> Rule:
    def decide(person: Person) -> bool:
        own = person.get("favoriteColors")
        if own is None:
            return False
        mine, theirs = set(own), set(values)
        return {"intersects": bool(mine & theirs), "subsetOf": mine <= theirs, "supersetOf": mine >= theirs}[method]

    return f"favoriteColors.{method}([{', '.join(literal(v) for v in values)}])", decide


def _arithmetic(op: str, divisor: int, limit: Decimal) -> Rule:
    def decide(person: Person) -> bool:
        points = get(person, "loyalty", "points")
        if points is None or divisor == 0:
            return False
        return OPS[op](points / divisor, float(limit))

    return f"loyalty.points / {divisor} {op} {literal(limit)}", decide


def _orders(function: str, op: str, limit: Decimal) -> Rule:
    def decide(person: Person) -> bool:
        values = [o["total"] for o in person.get("orders", ()) if o.get("status") == "open" and "total" in o]
        value = _value(function, values)
        return value is not None and OPS[op](value, float(limit) if function == "average" else limit)

    return f'orders[status = "open"].{function}(total) {op} {literal(limit)}', decide


def _points(op: str, limit: Any) -> Rule:
    return _compare("loyalty.points", op, limit, lambda person: get(person, "loyalty", "points"))


_OP = st.sampled_from(list(OPS))
_FUNCTION = st.sampled_from(["sum", "average", "min", "max"])
RULES: st.SearchStrategy[Rule] = _boolean(
    st.builds(_aggregate, _FUNCTION, st.none() | EVENT_TESTS, _OP, st.sampled_from(LIMITS))
    | st.builds(_count, EVENT_TESTS, _OP, st.integers(0, 3))
    | st.builds(_distinct, EVENT_TESTS, _OP, st.integers(0, 3))
    | st.builds(_quantity, EVENT_TESTS, _OP, st.integers(0, 4))
    | st.builds(_quantified, st.sampled_from(["exists", "forall"]), EVENT_TESTS)
    | st.builds(_sequence, st.lists(st.tuples(EVENT_TESTS, st.integers(1, 2)), min_size=2, max_size=3))
    | st.builds(
        _colors,
        st.sampled_from(["intersects", "subsetOf", "supersetOf"]),
        st.lists(st.sampled_from(["red", "blue"]), max_size=2),
    )
    | st.builds(_arithmetic, _OP, st.integers(-2, 3), st.sampled_from([Decimal("0.5"), Decimal("-1.5"), Decimal(2)]))
    | st.builds(_orders, _FUNCTION, _OP, st.sampled_from(LIMITS))
    | st.builds(
        _points, _OP, st.integers(-3, 12) | st.sampled_from([Decimal("2.5"), Decimal("1e30"), Decimal("-1e45")])
    )
)
