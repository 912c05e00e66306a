"""Funnels, overlaps and differences of a small crowd equal those of asking the interpreter about each person."""

from __future__ import annotations

import json
import random
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import coterie
from coterie.core.clock import FixedClock, parse_instant
from coterie.pql import interpreter, parse
from coterie.profile.record import records

NOW = "2026-06-15T22:30:00Z"  # already the 16th in Paris
ATOMS = [
    'tier = "gold"',
    'tier != "gold"',
    "points > 50",
    "points.isNull()",
    'xEvent[eventType = "buy"].count() >= 2',
    'xEvent[eventType = "buy" and timestamp occurs <= 30 days before now].sum(total) > 20.5',
    'xEvent[eventType = "buy" and timestamp occurs today].count() > 0',
    'xEvent[eventType = "view" and timestamp occurs this month].count() = 0',
    'chain(xEvent, timestamp, [A: WHAT(eventType = "view"), B: WHAT(eventType = "buy") WHEN(<= 2 days after A)])',
    'xEvent.exists(eventType = "buy" and total > ^.points)',
    "born.getMonth() = currentMonth()",
    'inSegment("golden")',
    'inSegment("buyers")',
]
ZONES = ["UTC", "Europe/Paris", "America/Los_Angeles"]


def rows():
    """Return a crowd of 40 people with up to eight events each, the same at every call."""
    draw = random.Random(11)
    now = parse_instant(NOW)
    people, events = [], []
    for number in range(40):
        person = {
            "id": f"c{number}",
            "tier": draw.choice(["gold", "silver", None]),
            "points": draw.choice([None, 5, 60]),
        }
        person["born"] = f"19{draw.randint(50, 99)}-{draw.randint(5, 7):02d}-{draw.choice([1, 15, 30]):02d}"
        people.append({key: value for key, value in person.items() if value is not None})
        for place in range(draw.randint(0, 8)):
            age = draw.choice([0, 1, 3_600_000, 86_400_000 * draw.randint(0, 60), draw.randint(0, 86_400_000 * 3)])
            events.append(
                {
                    "_id": f"e{number}-{place}",
                    "timestamp": now - age,
                    "eventType": draw.choice(["buy", "view"]),
                    "customer": f"c{number}",
                    "total": draw.choice([0.5, 20.0, 61.25]),
                }
            )
    return people, events


@pytest.fixture(scope="module")
def crowd(tmp_path_factory):
    """The crowd in a workspace, with two audiences evaluated."""
    folder = tmp_path_factory.mktemp("crowd")
    with coterie.open(folder / "ws", create=True, clock=FixedClock(NOW)) as ws:
        ws.identities.put_namespace({"code": "CustomerID", "type": "CROSS_DEVICE"})
        fields = {"id": "string", "tier": "string", "points": "integer", "born": "date"}
        mine = {"path": "id", "namespace": "CustomerID", "primary": True}
        ws.schemas.put({"name": "person", "class": "profile", "fields": fields, "identities": [mine]})
        fields = {"customer": "string", "total": {"type": "number", "decimals": 2}}
        ws.schemas.put(
            {"name": "deed", "class": "event", "fields": fields, "identities": [{**mine, "path": "customer"}]}
        )
        for name, schema, found in zip(("people", "deeds"), ("person", "deed"), rows(), strict=True):
            path = folder / f"{name}.jsonl"
            path.write_text("".join(json.dumps(row) + "\n" for row in found))
            ws.datasets.put(name, schema)
            assert ws.ingest.load(name, path, evaluate=False).status == "active"
        ws.audiences.put("golden", ATOMS[0])
        ws.audiences.put("buyers", ATOMS[4])
        ws.audiences.evaluate()
        yield ws


@pytest.fixture(scope="module")
def of(crowd):
    """Return a function: the persons for whom a rule holds, by the interpreter."""
    union = crowd.schemas.union()
    con = crowd.sandbox.history.con
    everyone = [person for (person,) in con.execute("SELECT person FROM profile_default").fetchall()]
    known = dict(records(con, union, "default", everyone))

    @cache
    def of(pql, zone="UTC"):
        expr, at = parse(pql), parse_instant(NOW)
        return frozenset(
            person for person, record in known.items() if interpreter.holds(expr, record, at, union, zone=zone)
        )

    return of


operands = st.lists(
    st.one_of(
        st.sampled_from(ATOMS),
        st.sampled_from(ATOMS).map(lambda atom: f"not ({atom})"),
        st.tuples(st.sampled_from(ATOMS), st.sampled_from(ATOMS)).map(lambda two: f"not ({two[0]} or {two[1]})"),
        st.tuples(st.sampled_from(ATOMS), st.sampled_from(ATOMS)).map(lambda two: f"if({two[0]}, {two[1]}, false)"),
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=60)
@given(operands, st.sampled_from(["and", "or"]), st.sampled_from(ZONES))
def test_a_funnel_is_what_the_interpreter_says_of_each_person(crowd, of, parts, op, zone):
    rule = f" {op} ".join(parts)
    found = crowd.audiences.count(rule, zone=zone)
    assert found.count == len(of(rule, zone))
    sets = [of(part, zone) for part in parts]
    if len(parts) > 1:
        lines = found.steps or found.branches
        assert [line.text for line in lines] == parts
        assert [line.alone for line in lines] == list(map(len, sets))
        if op == "and":
            assert [line.left for line in lines] == [
                len(frozenset.intersection(*sets[: place + 1])) for place in range(len(sets))
            ]
        else:
            assert [line.together for line in lines] == [
                len(frozenset.union(*sets[: place + 1])) for place in range(len(sets))
            ]


@settings(max_examples=25)
@given(st.sampled_from(ATOMS), st.sampled_from(ATOMS), st.sampled_from(ZONES), st.sampled_from(ZONES))
def test_a_difference_is_what_the_interpreter_says_of_each_person(crowd, of, old, new, one, other):
    crowd.audiences.put("changing", old, zone=one)
    found = crowd.audiences.diff("changing", new, zone=other, sample=100)
    was, becomes = of(old, one), of(new, other)
    assert (found.entering, found.leaving, found.staying) == (
        len(becomes - was),
        len(was - becomes),
        len(was & becomes),
    )
    assert (found.old.members, found.new.members) == (len(was), len(becomes))
    names = {item.identities["CustomerID"][0] for item in found.entrants}
    con = crowd.sandbox.history.con
    values = dict(con.execute("SELECT identity, value FROM identity").fetchall())
    assert names == {values[person] for person in becomes - was}


def test_an_overlap_is_what_the_interpreter_says_of_each_person(crowd, of):
    (pair,) = crowd.audiences.overlap(["golden", "buyers"]).pairs
    golden, buyers = of(ATOMS[0]), of(ATOMS[4])
    assert golden & buyers
    assert (pair.both, pair.of_a, pair.of_b, pair.jaccard) == (
        len(golden & buyers),
        len(golden & buyers) / len(golden),
        len(golden & buyers) / len(buyers),
        len(golden & buyers) / len(golden | buyers),
    )


def test_a_saved_zone_is_the_one_that_is_evaluated(crowd, of):
    rule = ATOMS[6]
    assert of(rule, "UTC") != of(rule, "Europe/Paris")
    for zone in ("UTC", "Europe/Paris"):
        crowd.audiences.put("today", rule, zone=zone)
        crowd.audiences.evaluate(["today"])
        assert crowd.audiences.size("today") == len(of(rule, zone)) == crowd.audiences.count(rule, zone=zone).count
