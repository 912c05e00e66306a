"""Sequences against all choices of events: chains of every clause, and variables related by their times."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from coterie.core.schema import Schema, SchemaClass, read_fields, union_of
from coterie.pql import parse
from coterie.pql.ast import Chain
from coterie.pql.conditions import Sequence, conditions_of
from coterie.pql.normal import normalise

from .oracle import NOW
from .world import World

HOUR = 3_600_000
EVENT = {"timestamp": "date-time", "eventType": "string", "price": "integer"}
UNION = union_of(
    [
        Schema("p", SchemaClass.PROFILE, read_fields({"id": "string", "level": "integer", "tier": "string"}, "a test")),
        Schema("e", SchemaClass.EVENT, read_fields(EVENT, "a test")),
    ]
)

Event = dict[str, Any]
Bound = dict[str, Event]
Test = tuple[str, Callable[[Event, Bound, dict[str, Any]], bool]]

# few instants, close together, so that events share them and gaps are met exactly
EVENTS = st.lists(
    st.fixed_dictionaries(
        {
            "timestamp": st.integers(-6, 0).map(lambda steps: NOW + steps * HOUR),
            "eventType": st.sampled_from("abc"),
            "price": st.integers(1, 3),
        }
    ),
    max_size=7,
)
PEOPLE = st.lists(
    st.fixed_dictionaries({"level": st.integers(1, 3), "tier": st.sampled_from(["x", "y"]), "events": EVENTS}),
    min_size=1,
    max_size=6,
).map(
    lambda people: [
        person | {"id": f"p{place}", "events": [{"_id": str(n)} | event for n, event in enumerate(person["events"])]}
        for place, person in enumerate(people)
    ]
)


@dataclass(frozen=True)
class Element:
    """An element: its text without the label, what it means, how many events it stands for."""

    kind: str
    label: str
    count: int
    tests: tuple[Test, ...]
    text: str


def reached(elements: list[Element], person: dict[str, Any], after: float, bound: Bound) -> bool:
    """Whether the elements can be satisfied by events later than an instant: every choice is tried."""
    excluded = list(itertools.takewhile(lambda element: element.kind == "EXCLUDE", elements))
    events = [event for event in person["events"] if event["timestamp"] > after]

    def fits(element: Element, event: Event) -> bool:
        here = {**bound, element.label: event}
        return all(test(event, here, person) for _, test in element.tests)

    def unwanted(until: float) -> bool:
        return any(fits(element, event) for element in excluded for event in events if event["timestamp"] < until)

    if len(excluded) == len(elements):
        return not unwanted(float("inf"))
    element, rest = elements[len(excluded)], elements[len(excluded) + 1 :]
    for chosen in itertools.combinations([event for event in events if fits(element, event)], element.count):
        begin, end = min(e["timestamp"] for e in chosen), max(e["timestamp"] for e in chosen)
        if unwanted(begin):
            continue
        for event in chosen:
            if event["timestamp"] == end and reached(rest, person, end, {**bound, element.label: event}):
                return True
    return False


def written(elements: list[Element]) -> str:
    return f"chain(xEvent, timestamp, [{', '.join(f'{e.label}: {e.text}' for e in elements)}])"


OPS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def of_type(name: str) -> Test:
    return f'eventType = "{name}"', lambda event, *_: event["eventType"] == name


WHAT = st.one_of(
    st.sampled_from("abc").map(of_type),
    st.sampled_from("abc").map(of_type),
    st.sampled_from(["ab", "bc"]).map(
        lambda two: (f'eventType in ["{two[0]}", "{two[1]}"]', lambda event, *_: event["eventType"] in two)
    ),
    st.integers(1, 3).map(lambda n: (f"price >= {n}", lambda event, *_: event["price"] >= n)),
    st.just(("price <= ^.level", lambda event, _, person: event["price"] <= person["level"])),
)
WINDOW = st.sampled_from(
    [
        ("<= 4 hours before now", lambda event, *_: NOW - 4 * HOUR <= event["timestamp"] <= NOW),
        ("> 2 hours before now", lambda event, *_: event["timestamp"] < NOW - 2 * HOUR),
    ]
)
OWN = st.sampled_from(
    [
        ('tier = "x"', lambda *args: args[2]["tier"] == "x"),
        ("level < {own}.price", lambda event, _, person: person["level"] < event["price"]),
    ]
)


def gap(label: str, op: str, hours: int, unit: str = "hours") -> Test:
    text = f"{op} {hours * 60 if unit == 'minutes' else hours} {unit} after {label}"

    def holds(event: Event, bound: Bound, _: Any) -> bool:
        after = event["timestamp"] - bound[label]["timestamp"]
        return OPS[op](after, hours * HOUR) and (op not in ("<", "<=") or after >= 0)

    return text, holds


def related(draw: st.DrawFn, labels: list[str], *, anywhere: bool) -> Test:
    label = draw(st.sampled_from(labels)) if anywhere else labels[-1]
    ops = ["<", "<=", ">", ">=", "="] + (["!="] if anywhere else [])
    return gap(label, draw(st.sampled_from(ops)), draw(st.integers(0, 4)), draw(st.sampled_from(["hours", "minutes"])))


def dearer(label: str) -> Test:
    return f"{{own}}.price > {label}.price", lambda event, bound, _: event["price"] > bound[label]["price"]


@st.composite
def elements(draw: st.DrawFn, *, regular: bool) -> list[Element]:
    """Return the elements of a chain; one that is regular relates each only to the one before it, by time."""
    kinds = draw(st.lists(st.sampled_from(["WHAT", "WHAT", "EXCLUDE"]), min_size=1, max_size=4))
    if "WHAT" not in kinds:
        kinds.append("WHAT")
    found: list[Element] = []
    labels: list[str] = []
    for place, kind in enumerate(kinds):
        own = f"L{place}"
        what = draw(WHAT)
        when = [draw(WINDOW)] if draw(st.integers(0, 5)) == 0 else []
        where = [draw(OWN)] if draw(st.integers(0, 5)) == 0 else []
        if labels and draw(st.booleans()):
            when += [related(draw, labels, anywhere=not regular) for _ in range(draw(st.integers(1, 2)))]
        if labels and not regular and draw(st.booleans()):
            where.append(dearer(draw(st.sampled_from(labels))))
        count = draw(st.sampled_from([1, 1, 2, 3])) if kind == "WHAT" else 1
        text = f"{kind}({what[0]})"
        if when:
            text += f" WHEN({' and '.join(tail for tail, _ in when)})"
        if count > 1:
            text += f" COUNT({count})"
        if where:
            text += f" WHERE({' and '.join(test for test, _ in where)})".replace("{own}", own)
        found.append(Element(kind, own, count, (what, *when, *where), text))
        if kind == "WHAT":
            labels.append(own)
    return found


def compare(people: list[dict[str, Any]], rules: list[list[Element]]) -> None:
    world = World(UNION, people, NOW)
    for rule in rules:
        text = written(rule)
        note(text)
        expected = [person["id"] for person in people if reached(rule, person, float("-inf"), {})]
        assert world.members(text) == expected, text


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(PEOPLE, st.lists(elements(regular=True), min_size=1, max_size=5))
def test_any_choice_of_events_may_satisfy_a_chain(people, rules):
    compare(people, rules)
    for rule in rules:
        for condition in conditions_of(normalise(parse(written(rule)), UNION)):
            assert isinstance(condition.shape, Sequence) or not isinstance(condition.expr, Chain), condition.text
