"""Forms of computed attributes: every function with every unit, against a plain reading of the events."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from random import Random

import pytest

from coterie.computed.definition import ComputedAttribute, extended
from coterie.computed.form import Form, LookBack, to_pql
from coterie.computed.kind import value_field
from coterie.computed.values import values, values_of
from coterie.core.clock import format_instant, parse_instant
from coterie.core.errors import Invalid
from coterie.core.schema import FieldType, Schema, SchemaClass, read_fields, union_of
from coterie.pql import PqlError, interpreter, parse
from coterie.testing.sample import SAMPLE

from .world import World

NOW = parse_instant("2026-03-31T12:00:00Z")
TOTAL = "commerce.order.priceTotal"
LENGTHS = {
    "second": timedelta(seconds=1),
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
}
EDGES = {"month": "2026-02-28T12:00:00Z", "year": "2025-03-31T12:00:00Z", "decade": "2016-03-31T12:00:00Z"}
UNITS = [*LENGTHS, *EDGES]
FORMS = {
    "count": Form("count", event="buy"),
    "counted": Form("count", field=TOTAL),
    "sum": Form("sum", TOTAL, "buy"),
    "average": Form("average", TOTAL, "buy"),
    "min": Form("min", TOTAL),
    "max": Form("max", TOTAL),
    "earliest": Form("min", "timestamp", "buy"),
    "mostRecent": Form("mostRecent", TOTAL),
    "first": Form("first", TOTAL, "buy"),
    "exists": Form("exists", event="buy", filter=f"{TOTAL} > 5 or {TOTAL} = 1"),
    "distinctCount": Form("distinctCount", "device.type"),
    "topValue": Form("topValue", "device.type"),
    "list": Form("list", "device.type", n=2),
    "items": Form("sum", "productListItems.quantity", "buy"),
    "skus": Form("distinctCount", "productListItems.SKU"),
    "topSku": Form("topValue", "productListItems.SKU"),
    "lastSkus": Form("mostRecent", "productListItems.SKU"),
}
DEAR = ("topValue", "topSku")
"""Forms whose statements DuckDB plans for a second or two."""


def edge(unit: str) -> int:
    """Return the earliest instant that lies one unit before now; February has no 31st."""
    if unit in EDGES:
        return parse_instant(EDGES[unit])
    return NOW - LENGTHS[unit] // timedelta(milliseconds=1)


def people() -> list[dict]:
    """Make people whose events lie around the edges of the units, some at the same instant."""
    random, edges = Random(7), [edge(unit) for unit in UNITS]
    found = []
    for number in range(8):
        events = []
        for place in range(12):
            at = random.choice([*edges, NOW]) + random.choice([-1, 0, 1, 500])
            event = {"_id": f"e{number:02d}{place:02d}", "timestamp": format_instant(at)}
            event["eventType"] = random.choice(["buy", "view"])
            if random.random() < 0.7:
                event["device"] = {"type": random.choice(["phone", "desk", "tv"])}
            if random.random() < 0.7:
                event["commerce"] = {"order": {"priceTotal": Decimal(random.randint(1, 9))}}
            if random.random() < 0.5:
                lines = [{"SKU": random.choice("xyz"), "quantity": random.randint(1, 3)} for _ in range(2)]
                event["productListItems"] = lines
            events.append(event)
        found.append({"id": f"p{number}", "events": events})
    return [*found, {"id": "nobody"}]


PEOPLE = people()


def moment(event: dict) -> int:
    return parse_instant(event["timestamp"])


def expected(name: str, person: dict, unit: str | None) -> object:
    """Return the value that a form has for a person, read from the events one by one."""
    since = -(10**15) if unit is None else edge(unit)
    events = sorted(person.get("events", ()), key=lambda event: (moment(event), event["_id"]))
    events = [event for event in events if since <= moment(event) <= NOW] if unit else events
    buys = [event for event in events if event["eventType"] == "buy"]

    def total(event):
        return event.get("commerce", {}).get("order", {}).get("priceTotal")

    def device(event):
        return event.get("device", {}).get("type")

    def newest(chosen):
        ordered = sorted(chosen, key=lambda event: event["_id"])
        return sorted(ordered, key=moment, reverse=True)

    def top(pairs):
        seen: dict[str, list] = {}
        for value, at in pairs:
            seen.setdefault(value, []).append(at)
        ranked = sorted(seen, key=lambda value: max(seen[value]), reverse=True)
        return max(ranked, key=lambda value: len(seen[value]), default=None)

    def lines(of):
        return [(line, moment(event)) for event in of for line in event.get("productListItems", ())]

    bought = [total(event) for event in buys if total(event) is not None]
    totals = [total(event) for event in events if total(event) is not None]
    with_total = [event for event in events if total(event) is not None]
    match name:
        case "count":
            return len(buys)
        case "counted":
            return len(totals)
        case "sum":
            return sum(bought)
        case "average":
            return float(sum(bought) / len(bought)) if bought else None
        case "min" | "max":
            return {"min": min, "max": max}[name](totals, default=None)
        case "earliest":
            return format_instant(min(map(moment, buys))) if buys else None
        case "mostRecent":
            return next(map(total, newest(with_total)), None)
        case "first":
            return next(iter(bought), None)
        case "exists":
            return any(one > 5 or one == 1 for one in bought)
        case "distinctCount":
            return len({device(event) for event in events} - {None})
        case "topValue":
            return top([(device(event), moment(event)) for event in events if device(event)])
        case "list":
            return [device(event) for event in newest(event for event in events if device(event))][:2] or None
        case "items":
            return sum(line["quantity"] for line, _ in lines(buys))
        case "skus":
            return len({line["SKU"] for line, _ in lines(events)})
        case "topSku":
            return top([(line["SKU"], at) for line, at in lines(events)])
        case "lastSkus":
            last = next(iter(newest(event for event in events if "productListItems" in event)), {})
            return [line["SKU"] for line in last.get("productListItems", ())] or None
        case _:
            raise AssertionError(name)


@pytest.fixture(scope="module")
def world() -> World:
    return World(SAMPLE, PEOPLE, NOW)


@pytest.mark.parametrize("unit", [None, *UNITS])
def test_every_function_with_every_look_back(world, unit):
    attributes = []
    for name, form in FORMS.items():
        within = None if unit is None else LookBack(1, unit)
        pql = to_pql(Form(form.function, form.field, form.event, form.filter, within, form.n), SAMPLE)
        attributes.append(ComputedAttribute(name, pql, value_field(pql, SAMPLE)[0]))
    union = extended(SAMPLE, attributes)
    asked = [name for name in FORMS if name not in DEAR or unit in (None, "month")]
    rows = {row["person"]: row for row in values(world.con, union, asked, "default", None, NOW).to_pylist()}
    for number, person in world.names.items():
        record = next(one for one in PEOPLE if one["id"] == person)
        of_record = values_of(record, union, NOW)
        for name in FORMS:
            wanted = expected(name, record, unit)
            told = of_record.get(name)
            assert (told or None) == (wanted or None), (person, name, union.computed[name])
            if name not in asked:
                continue
            row = rows[number][name]
            if name == "earliest" and row is not None:
                row = format_instant(row)
            assert (row or None) == (wanted or None), (person, name, union.computed[name])


HEADS = [
    "xEvent.head().device.type = {}",
    "xEvent.head().device.type.isNull()",
    "xEvent.bottomN(timestamp, 1).head().device.type = {}",
    "xEvent.topN(timestamp, 1).head().device.type = {}",
    "not (xEvent.topN(timestamp, 1).head().device.type = {})",
    'xEvent[eventType = "buy"].topN(timestamp, 1).head().device.type != {}',
    "xEvent[device.type = {}].head().timestamp occurs >= 1 month before now",
    "xEvent.topN(timestamp, 1).head()._id != xEvent.head()._id",
    "xEvent[device.type = {} and eventType = $1.id].head().device.type.isNull()",
    "xEvent.topN(timestamp, 1).head().productListItems.quantity.sum() > 3",
    "xEvent[_id != ^.xEvent.head()._id].count() > 11",
    "xEvent.topN(timestamp, 1).head().commerce.order.priceTotal > xEvent.head().commerce.order.priceTotal",
]


@pytest.mark.parametrize("rule", HEADS)
def test_the_first_and_the_last_event_are_those_of_the_interpreter(world, rule):
    for device in ("phone", "tv"):
        text = rule.format(f'"{device}"')
        expected = [one["id"] for one in PEOPLE if interpreter.holds(parse(text), one, NOW, SAMPLE)]
        assert world.members(text) == sorted(expected)


def test_the_text_of_a_form():
    form = Form("sum", TOTAL, "buy", 'device.type = "tv" or device.type = "desk"', LookBack(3, "month"))
    assert to_pql(form, SAMPLE) == (
        'xEvent[eventType = "buy" and (device.type = "tv" or device.type = "desk")'
        " and timestamp occurs <= 3 months before now].sum(commerce.order.priceTotal)"
    )
    assert to_pql(Form("exists"), SAMPLE) == "xEvent.count() > 0"
    assert to_pql(Form("list", "device.type", n=3), SAMPLE) == (
        "xEvent[device.type.isNotNull()].topN(timestamp, 3).device.type"
    )


@pytest.mark.parametrize(
    ("form", "said"),
    [
        (Form("sum"), "sum needs a field"),
        (Form("sum", "commerce.order.total"), "events have no field 'commerce.order.total'"),
        (Form("count", look_back=LookBack(0, "day")), "look-back of 0"),
        (Form("list", "device.type", n=0), "list of 0"),
        (Form("list", "device.type", n=2_000), "list of 2000"),
    ],
)
def test_a_form_that_is_not_complete_is_refused(form, said):
    with pytest.raises(Invalid, match=said) as caught:
        to_pql(form, SAMPLE)
    assert caught.value.code == "computed.form"


def test_a_filter_that_is_no_condition_is_refused():
    with pytest.raises(PqlError):
        to_pql(Form("count", filter="device.type ="), SAMPLE)


def test_names_that_are_no_identifiers_are_quoted():
    union = union_of([Schema("web", SchemaClass.EVENT, read_fields({"a-b": "number"}, "test"))])
    assert to_pql(Form("sum", field="a-b"), union) == "xEvent.sum(`a-b`)"
    latest = to_pql(Form("mostRecent", field="a-b"), union)
    assert value_field(latest, union)[0].type is FieldType.NUMBER
