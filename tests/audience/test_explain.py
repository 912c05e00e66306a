"""Explanations: the verdict is the meaning's, each part has its evidence, and the missing step is the right one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from coterie.audience.asking import Asking
from coterie.audience.explain import explain
from coterie.audience.explanation import Explanation, Part
from coterie.core.clock import parse_instant
from coterie.core.schema import Union
from coterie.pql import parse
from coterie.pql.interpreter import holds
from coterie.testing import SAMPLE

CASES = Path(__file__).parents[1] / "cases"
ROWS = [
    json.loads(line, parse_float=Decimal)
    for name in ("pql-semantics", "more-semantics")
    for line in (CASES / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
]
NOW = "2026-06-15T12:00:00Z"
BUYS = 'eventType = "commerce.purchases"'


def ask(pql: str, record: dict[str, Any], now: str = NOW, union: Union = SAMPLE, **options: Any) -> Explanation:
    zone = options.pop("zone", "UTC")
    asking = Asking(record, union, parse_instant(now), zone, options.pop("sources", {}))
    return explain(parse(pql), asking, person="p-1", **options)


def parts(part: Part) -> Iterator[Part]:
    yield part
    for below in part.parts:
        yield from parts(below)


def event(day: str, kind: str = "commerce.purchases", **fields: Any) -> dict[str, Any]:
    at = day if "T" in day else f"{day}T09:00:00Z"
    return {"_id": f"{kind}-{day}", "timestamp": at, "eventType": kind, **fields}


def paid(day: str, total: str) -> dict[str, Any]:
    return event(day, commerce={"order": {"priceTotal": Decimal(total)}})


def consistent(part: Part) -> bool:
    """Whether the verdict of a part follows from those below."""
    below = [inner.holds for inner in part.parts]
    match part.kind:
        case "and":
            return part.holds == all(below)
        case "or":
            return part.holds == any(below)
        case "not":
            return part.holds != below[0]
        case _:
            return part.evidence is not None and not below


def test_every_case_is_explained() -> None:
    """The verdict is that of the case; time alone turns it when, and only when, the explanation says."""
    asked = 0
    for row in ROWS:
        for profile in row["profiles"]:
            found = ask(row["pql"], profile, row["now"])
            assert found.holds == (profile["id"] in row["expect"]), (row["id"], profile["id"])
            assert all(consistent(part) and part.sentence for part in parts(found.root)), row["id"]
            assert found.needs, row["id"]
            assert msgspec.json.decode(msgspec.json.encode(found))["holds"] == found.holds
            if found.turn is not None:
                expr = parse(row["pql"])
                assert holds(expr, profile, found.turn.at - 1, SAMPLE) == found.holds, row["id"]
                assert holds(expr, profile, found.turn.at, SAMPLE) == found.turn.holds != found.holds, row["id"]
            asked += 1
    assert asked > 4_000


@pytest.mark.parametrize(
    ("pql", "record", "needs"),
    [
        ('loyalty.tier = "gold"', {"loyalty": {"tier": "silver"}}, "loyalty tier is “silver”, needs “gold”"),
        ('loyalty.tier = "gold"', {}, "loyalty tier is missing, needs “gold”"),
        ('loyalty.tier in ["gold", "silver"]', {}, "loyalty tier is missing, needs “gold” or “silver”"),
        ('not (loyalty.tier = "gold")', {"loyalty": {"tier": "gold"}}, "loyalty tier is “gold”, needs another value"),
        ("loyalty.points >= 250", {"loyalty": {"points": 240}}, "loyalty points are 240, needs 10 more"),
        ("loyalty.points > 250", {"loyalty": {"points": 250}}, "loyalty points are 250, needs more than 0 more"),
        ("loyalty.points < 100", {"loyalty": {"points": 240}}, "loyalty points are 240, needs more than 140 less"),
        ("loyalty.points < 100", {}, "loyalty points are missing, needs less than 100"),
        (
            'personalEmail.address.endsWith(".edu")',
            {"personalEmail": {"address": "a@b.c"}},
            "personal email address is “a@b.c”; needed: personal email address ends with “.edu”",
        ),
        (f"xEvent[{BUYS}].count() >= 1", {}, "a purchase"),
        (f"xEvent[{BUYS}].count() >= 3", {}, "3 purchases"),
        (f"xEvent[{BUYS}].count() >= 3", {"events": [event("2026-06-01")]}, "2 more purchases"),
        (
            f"xEvent[{BUYS} and timestamp occurs <= 30 days before now].count() >= 3",
            {"events": [event("2026-06-03T12:00:00Z"), event("2026-06-10")]},
            "one more purchase in the last 30 days, before 3 July 2026 12:00",
        ),
        (
            f"xEvent[{BUYS} and timestamp occurs <= 30 days before now].count() = 0",
            {"events": [event("2026-06-14")]},
            (
                "no purchase in the last 30 days (there is 1), which comes by itself on 14 July 2026 09:00, "
                "when the purchase of 14 June 2026 09:00 passes out of the window"
            ),
        ),
        (
            f"xEvent[{BUYS}].count() = 0",
            {"events": [event("2026-06-14")]},
            "no purchase (there is 1), which nothing that comes can bring",
        ),
        (
            f"xEvent[{BUYS}].sum(commerce.order.priceTotal) >= 100",
            {"events": [paid("2026-06-14", "75.00")]},
            "total of commerce order price total over purchases is 75.00, needs 25.00 more",
        ),
        (
            f"xEvent[{BUYS}].max(commerce.order.priceTotal) >= 100",
            {"events": [paid("2026-06-14", "75.00")]},
            "highest commerce order price total over purchases is 75.00, needs at least 100",
        ),
        ('inSegment("vip")', {}, "to enter the audience “vip”"),
        (
            'not inSegment("vip")',
            {"segmentMembership": {"ups": {"vip": {"status": "realized"}}}},
            "to leave the audience “vip”",
        ),
        (
            'chain(xEvent, timestamp, [A: WHAT(eventType = "search"), B: WHAT(eventType = "commerce.purchases")])',
            {"events": [event("2026-06-10", "search"), event("2026-06-09")]},
            "a purchase after a search (there is one, but not in its place)",
        ),
        (
            'chain(xEvent, timestamp, [A: WHAT(eventType = "search"), N: EXCLUDE(eventType = "coupon.redeemed")])',
            {"events": [event("2026-06-10", "search")]},
            "a coupon after the sequence",
        ),
    ],
)
def test_the_nearest_step(pql: str, record: dict[str, Any], needs: str) -> None:
    assert ask(pql, record).needs == (needs,)


def test_as_few_steps_as_there_may_be() -> None:
    rule = 'loyalty.tier = "gold" and loyalty.points >= 9 or homeAddress.country = "FR"'
    found = ask(rule, {"homeAddress": {"country": "DE"}})
    assert found.needs == ("home address country is “DE”, needs “FR”",)
    assert [part.needs for part in found.root.parts] == [None, found.needs[0]]
    assert len(ask('loyalty.tier = "gold" and loyalty.points >= 9', {}).needs) == 2
    assert len(ask("not (loyalty.tier.isNull() or loyalty.points.isNull())", {}).needs) == 2


def test_what_ends_first_is_named_first() -> None:
    week, month = (f"xEvent[{BUYS} and timestamp occurs <= {days} days before now].count() > 0" for days in (7, 30))
    found = ask(f"loyalty.tier.isNull() and {month} and {week}", {"events": [event("2026-06-14")]})
    assert found.holds
    assert found.turn is not None
    (need,) = found.needs
    assert need.startswith("no purchase in the last 7 days (there is 1), which comes by itself on 21 June 2026 09:00")


def test_the_parts_are_those_written() -> None:
    found = ask('loyalty.tier = "gold" and not (loyalty.points > 5 or not homeAddress.country = "FR")', {})
    assert [(part.kind, part.holds, part.text) for part in parts(found.root)] == [
        ("and", False, 'loyalty.tier = "gold" and not (loyalty.points > 5 or not homeAddress.country = "FR")'),
        ("condition", False, 'loyalty.tier = "gold"'),
        ("not", False, 'not (loyalty.points > 5 or not homeAddress.country = "FR")'),
        ("or", True, 'loyalty.points > 5 or not homeAddress.country = "FR"'),
        ("condition", False, "loyalty.points > 5"),
        ("condition", True, 'not homeAddress.country = "FR"'),
    ]
    assert [part.sentence for part in parts(found.root)][-1] == "home address country is not “FR” (or is missing)"


def test_values_and_where_they_come_from() -> None:
    found = ask(
        "loyalty.points > orders.count() and loyalty.tier.isNotNull()",
        {"loyalty": {"points": 3}},
        sources={"loyalty.points": "crm"},
    )
    points, tier = found.root.parts
    assert points.evidence is not None
    assert [(used.name, used.text, used.value, used.source) for used in points.evidence.values] == [
        ("loyalty points", "loyalty.points", 3, "crm"),
        ("number of orders", "orders.count()", 0, None),
    ]
    assert tier.evidence is not None
    assert tier.evidence.values[0].value is None


def test_the_very_events() -> None:
    events = [paid(f"2026-06-{day:02d}", f"{day}.50") for day in range(1, 15)]
    found = ask(f"xEvent[{BUYS} and commerce.order.priceTotal > 2].count() > 20", {"events": events})
    evidence = found.root.evidence
    assert evidence is not None
    assert (evidence.found, evidence.asked, evidence.total) == (13, "more than 20", 13)
    assert [used.id for used in evidence.events[:2]] == [
        "commerce.purchases-2026-06-14",
        "commerce.purchases-2026-06-13",
    ]
    assert len(evidence.events) == 10
    assert evidence.events[0].fields == {"commerce.order.priceTotal": Decimal("14.50")}
    assert [(step.sentence, step.left) for step in evidence.narrowed] == [
        ("with type “commerce.purchases”", 14),
        ("with commerce order price total more than 2", 13),
    ]


def test_a_sequence_that_holds_and_one_that_got_half_way() -> None:
    rule = (
        'chain(xEvent, timestamp, [A: WHAT(eventType = "search"), N: EXCLUDE(eventType = "coupon.redeemed"), '
        f"B: WHAT({BUYS}) COUNT(2) WHEN(<= 3 days after A), "
        'C: WHAT(eventType = "web.return")])'
    )
    early, other = event("2026-06-01", "search"), event("2026-06-02", "coupon.redeemed")
    search, one, two = event("2026-06-10", "search"), event("2026-06-11"), event("2026-06-12")
    back = event("2026-06-13", "web.return")
    found = ask(rule, {"events": [early, other, search, one, two, back, event("2026-06-14", "search")]})
    assert found.holds
    assert found.root.evidence is not None
    assert [[used.id for used in stage.events] for stage in found.root.evidence.stages] == [
        ["search-2026-06-10"],
        ["commerce.purchases-2026-06-11", "commerce.purchases-2026-06-12"],
        ["web.return-2026-06-13"],
    ]
    half = ask(rule, {"events": [search, one, two]})
    assert half.root.evidence is not None
    assert [stage.reached for stage in half.root.evidence.stages] == [True, True, False]
    assert half.needs == ("an event “web.return” after at least 2 purchases",)


def test_time_alone() -> None:
    rule = f"xEvent[{BUYS} and timestamp occurs <= 30 days before now].count() = 0"
    found = ask(rule, {"events": [event("2026-06-14")]})
    assert found.turn is not None
    assert (found.turn.at, found.turn.holds) == (parse_instant("2026-07-14T09:00:00Z") + 1, True)
    assert found.turn.why == ("the purchase of 14 June 2026 09:00 passes out of the window",)
    assert ask(rule, {}).turn is None
    adult = ask("person.birthDate occurs >= 18 years before today", {"person": {"birthDate": "2008-07-01"}})
    assert adult.turn is not None
    assert adult.turn.at == parse_instant("2026-07-01")


def test_the_calendar_is_that_of_the_zone() -> None:
    record = {"events": [event("2026-06-14T23:30:00Z")]}
    rule = f"xEvent[{BUYS} and timestamp occurs today].count() > 0"
    assert not ask(rule, record).holds
    found = ask(rule, record, zone="Europe/Paris")
    assert found.holds
    assert found.turn is not None
    assert found.turn.at == parse_instant("2026-06-15T22:00:00Z")
    assert found.turn.why == ("the purchase of 15 June 2026 01:30 passes out of the window",)


def test_memberships_and_what_the_last_evaluation_left() -> None:
    entry = {"status": "realized", "lastQualificationTime": "2026-06-01T00:00:00Z"}
    record = {"segmentMembership": {"ups": {"vip": entry, "mine": {**entry, "status": "exited"}}}}
    found = ask('inSegment("vip") and not inSegment("never")', record, audience="mine")
    assert found.holds
    stored = [part.evidence.stored for part in found.root.parts if part.evidence is not None]
    assert [(one.audience, one.status, one.since) for one in stored if one is not None] == [
        ("vip", "realized", "2026-06-01T00:00:00Z"),
        ("never", "never", None),
    ]
    assert found.stored is not None
    assert found.stored.status == "exited"


def test_names_for_values_are_explained_by_their_meaning() -> None:
    rule = f"let N = xEvent[{BUYS}].count() in (N > 1 and N < 9)"
    found = ask(rule, {"events": [event("2026-06-14")]})
    assert [(part.kind, part.holds) for part in parts(found.root)] == [
        ("and", False),
        ("condition", False),
        ("condition", True),
    ]
    assert found.needs == ("one more purchase",)
